"""One run against another: each cell that both have, with what the samples can show and what they can't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiment.decide.differences import Difference, differences
from experiment.errors import PixelcostError
from experiment.figures.view import Point, View, view_of
from experiment.records import Plan
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, Ratio, ratio_of_medians
from experiment.wording import bounds, capitalised, count, listed, percent, short_label, short_name, times

Verdict = Literal["faster", "slower", "same", "unknown"]
NEVER_KEPT_APART = 2.0  # from twice as long on a factor says more than percents


class NotComparable(PixelcostError):
    """Two reports that have nothing in common, or a file that is not a report."""

    code = "not_comparable"
    http_status = 422


@dataclass(frozen=True, slots=True)
class Pair:
    """One cell of both runs."""

    this: Point
    other: Point
    ratio: Ratio | None  # this run's p50 over the other's; None: too few samples
    before: str  # top answers; "" where there is none, or where the photos differ
    after: str

    @property
    def verdict(self) -> Verdict:
        """What the 95 % interval of the ratio allows to say."""
        if self.ratio is None:
            return "unknown"
        return "faster" if self.ratio.high < 1 else "slower" if self.ratio.low > 1 else "same"

    @property
    def is_changed(self) -> bool:
        """Whether the top answer is another one."""
        return bool(self.before and self.after) and self.before != self.after

    @property
    def words(self) -> str:
        """ "faster by 12 % (95 % interval 8 to 15 %)"."""
        return "; ".join([_words(self), *_doubts(self)])


@dataclass(frozen=True, slots=True)
class Comparison:
    """This run against an other one, which is mostly the older."""

    this: View
    other: View
    pairs: tuple[Pair, ...]
    differences: tuple[Difference, ...]
    same_photo: bool  # or the same set of photos
    answers_compared: bool  # not: of different photos, or of sets
    only_this: int  # answered cells without a counterpart
    only_other: int

    @property
    def changed(self) -> list[Pair]:
        """Cells with another top answer."""
        return [pair for pair in self.pairs if pair.is_changed]


def compare(this: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Two exported reports. Raises NotComparable where they share no cell that was answered.

    Times are whole times, in both runs with copies made where this run's plan says.
    """
    mine = _view(this)
    theirs = _view(other, mine.plan)
    if (mine.photo_set is None) != (theirs.photo_set is None):
        raise NotComparable(
            "One run is about one photo and the other about a set: their times can't be compared."
        )
    differing = tuple(differences(this, other))
    same_photo = not any(difference.what.endswith("(SHA-256)") for difference in differing)
    answers_compared = same_photo and mine.photo_set is None
    before = {point.key: point for point in theirs.points}
    pairs = tuple(
        _pair(point, before[point.key], answers_compared) for point in mine.points if point.key in before
    )
    if not pairs:
        raise NotComparable(
            "The two runs have no answered cell in common: none with the same variant on a backend of the "
            "same name."
        )
    only = (len(view.points) - len(pairs) for view in (mine, theirs))
    return Comparison(mine, theirs, pairs, differing, same_photo, answers_compared, *only)


def _view(report: Mapping[str, Any], judged_by: Plan | None = None) -> View:
    try:
        if judged_by is not None:
            copies = {"copies": judged_by.copies, "uplink_mbit_s": judged_by.uplink_mbit_s}
            report = {**report, "plan": {**report["plan"], **copies}}
        return view_of(report).timed()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotComparable(f"This is not a Pixelcost report, or it is incomplete ({error!r}).") from None


def _pair(this: Point, other: Point, answers_compared: bool) -> Pair:
    before, after = (other.answer, this.answer) if answers_compared else ("", "")
    samples = [
        [point.with_extra(sample_ms) for sample_ms in point.cell.samples_ms] for point in (this, other)
    ]
    return Pair(this, other, ratio_of_medians(*samples), before, after)


def _words(pair: Pair) -> str:
    ratio, counts = pair.ratio, (pair.other.cell.count, pair.this.cell.count)
    if ratio is None:
        return f"too few samples to compare ({min(counts)}, at least {SAMPLES_FOR_INTERVAL} are needed)"
    if pair.verdict == "same":
        samples = f"{counts[0]}" if counts[0] == counts[1] else f"{counts[0]} and {counts[1]}"
        return f"no significant difference with {samples} samples"
    if ratio.value >= NEVER_KEPT_APART:
        return f"{times(ratio.value)} as long (95 % interval {times(ratio.low)} to {times(ratio.high)})"
    if pair.verdict == "slower":
        return _by("slower", ratio.value - 1, ratio.low - 1, ratio.high - 1)
    return _by("faster", 1 - ratio.value, 1 - ratio.high, 1 - ratio.low)


def _doubts(pair: Pair) -> list[str]:
    """What speaks against believing it, in either run."""
    sides = ((pair.other.cell, "in the other run"), (pair.this.cell, "in this one"))
    failed = [f"{count(cell.failures, 'request')} failed {when}" for cell, when in sides if cell.failures]
    invalid = [when for cell, when in sides if cell.validity == "INVALID"]
    return [*failed, *([f"INVALID {listed(invalid)}"] if invalid else [])]


def _by(word: str, share: float, low: float, high: float) -> str:
    """Whole percents, with decimals only where these would be 0 or the same."""
    middle = f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1f}"
    return f"{word} by {middle} % (95 % interval {_span(100 * low, 100 * high)} %)"


def _span(low: float, high: float) -> str:
    """ "8 to 15", and "0.3 to 1.2" where whole numbers would hide something."""
    return f"{low:.0f} to {high:.0f}" if low >= 0.95 and high - low >= 0.95 else bounds(low, high)


def conclusion(found: Comparison) -> str:
    """How many cells are faster, slower, and neither; how many answers changed."""
    verdicts = [pair.verdict for pair in found.pairs]
    names: Sequence[tuple[Verdict, str]] = (
        ("faster", "faster"),
        ("slower", "slower"),
        ("same", "no significant difference"),
        ("unknown", "too few samples to compare"),
    )
    parts = [f"{verdicts.count(key)} {words}" for key, words in names if key in verdicts]
    photos = "sets of photos" if found.this.photo_set else "photos"
    differ = "" if found.same_photo else f"Two different {photos}, so times differ with the pictures too. "
    return f"{differ}{count(len(found.pairs), 'result')} compared: {', '.join(parts)}.{_answers(found)}"


def _answers(found: Comparison) -> str:
    if not found.answers_compared:
        return ""
    if not found.changed:
        return " No answer changed."
    return f" {count(len(found.changed), 'answer')} changed."


def changed_words(pair: Pair) -> str:
    """ "256 px JPEG on 8 CPU: tabby (71 %) in the other run, lynx (41 %) in this one"."""
    before, after = (
        f"{short_label(point.answer)} ({percent(point.cell.top[0].score)})"
        for point in (pair.other, pair.this)
    )
    name = short_name(pair.this.variant)
    where = f"{capitalised(name)} on {pair.this.backend.name}"
    return f"{where}: {before} in the other run, {after} in this one."


def left_out(found: Comparison) -> str:
    """Cells that only one of the runs has."""
    cells = [(found.only_this, "this run"), (found.only_other, "the other run")]
    parts = [f"{count(number, 'cell')} of {whose}" for number, whose in cells if number]
    return f"Not compared, because only one run has them: {listed(parts)}." if parts else ""


def by_chance(found: Comparison) -> str:
    """How many differences chance alone would show, and what the interval does not cover."""
    compared = sum(pair.ratio is not None for pair in found.pairs)
    return (
        "The intervals cover how samples scatter within each run. They don't cover a change in the "
        "machine's state, which shifts a whole run; run both again before you trust a small difference. One "
        f"comparison in 20 shows a difference by chance alone; there are {compared} here."
    )
