"""The post's four conclusions, each with its verdict. Pure functions of the reports.

What would count as what was settled before the runs: the limits stand here. A claim about
every size is lost by one size whose whole 95 % interval lies outside, and survives
only when all intervals lie inside. Times marked NOISY or INVALID decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.study.cells import (
    EIGHT,
    GPU,
    ONE,
    Compared,
    Found,
    made,
    one_over_other,
    png_over_jpeg,
    size_over_smallest,
)
from bench.study.runs import LABELLED, TIME
from experiment.figures.view import Point
from experiment.records import Difference
from experiment.wording import difference_words

Verdict = Literal["survives", "does not survive", "can't be told with this data"]
SURVIVES: Verdict = "survives"
LOST: Verdict = "does not survive"
OPEN: Verdict = "can't be told with this data"

SIZE_PX, LOSS_POINTS = 512, 5.0  # "down to 512 px less than 5 % are lost", here points of top-1 accuracy
PNG_TIMES = 4.0  # "4 to 5 times slower"
HARDLY = 1.10  # "hardly any" change of time: up to a tenth
ALIKE = (0.8, 1.25)  # "about as fast"
CPUS = 8


@dataclass(frozen=True, slots=True)
class Claim:
    """What was said, and what is left of it."""

    key: str
    said: str
    verdict: Verdict
    figure: str  # ours, with its interval
    why: str


def claims(found: Sequence[Found]) -> list[Claim]:
    """All four, in the post's order."""
    times = [one for one in found if one.run.question == TIME]
    sizes = [one for one in found if one.run.question == "size" and one.run.photos == LABELLED]
    return [_accuracy(sizes), _png(times), _time(times), _gpu(times)]


def judged(compared: Sequence[Compared], holds: Callable[[float], bool]) -> Verdict:
    """The verdict on a claim about all of them, as said above."""
    verdicts = {_verdict(pair, holds) for pair in compared}
    if LOST in verdicts:
        return LOST
    return SURVIVES if verdicts == {SURVIVES} else OPEN


def _verdict(compared: Compared, holds: Callable[[float], bool]) -> Verdict:
    """`holds` must agree on both ends of the interval."""
    ends = {holds(compared.ratio.low), holds(compared.ratio.high)}
    if not compared.is_valid or len(ends) == 2:
        return OPEN
    return SURVIVES if True in ends else LOST


def keeps(difference: Difference, points: float = LOSS_POINTS) -> Verdict:
    """Whether less than `points` are lost."""
    if difference.low_points > -points:
        return SURVIVES
    return LOST if difference.high_points < -points else OPEN


def _accuracy(found: Sequence[Found]) -> Claim:
    said = f"Down to {SIZE_PX} px, size hardly matters for accuracy (less than {LOSS_POINTS:g} % are lost)"
    at_size = [(one.model, gap) for one in found if (gap := _difference(one, SIZE_PX))]
    verdicts = [keeps(gap) for _, gap in at_size]
    verdict = LOST if LOST in verdicts else SURVIVES if verdicts and OPEN not in verdicts else OPEN
    figure = "; ".join(f"{model} {difference_words(gap)}, {gap.photos} photos" for model, gap in at_size)
    below = max((px for one in found for px in _sizes(one) if px < SIZE_PX), default=None)
    return Claim("a", said, verdict, figure or "none", _few_large(at_size, found, below))


def _few_large(at_size: Sequence[tuple[str, Difference]], found: Sequence[Found], below: int | None) -> str:
    """How many photos are that large, and the result at the next smaller size, which has more."""
    if not at_size:
        return "No labelled photo is that large."
    photos = max(gap.photos for _, gap in at_size)
    unseen = max(gap.detectable_points for _, gap in at_size)
    parts = [
        f"{photos} labelled photos are that large; with them a loss below {unseen:.0f} points may go unseen."
    ]
    smaller = [(one.model, lesser) for one in found if below and (lesser := _difference(one, below))]
    if smaller:
        words = (f"{model} {difference_words(gap)}" for model, gap in smaller)
        parts.append(f"At {below} px, {smaller[0][1].photos} photos: {'; '.join(words)}.")
    return " ".join(parts)


def _png(found: Sequence[Found]) -> Claim:
    said = "The same picture at the same size takes 4 to 5 times as long as PNG"
    pairs = [pair for one in found for pair in png_over_jpeg(one)]
    return _of_ratios("b", said, pairs, lambda times: times >= PNG_TIMES)


def _time(found: Sequence[Found]) -> Claim:
    said = "Size hardly matters for prediction time, once resized"
    pairs = [pair for one in found for pair in size_over_smallest(one)]
    resized = [pair for pair in pairs if not pair.point.variant.is_reference]
    return _of_ratios("c", said, resized, lambda times: times <= HARDLY)


def _gpu(found: Sequence[Found]) -> Claim:
    said = f"One GPU is about as fast as {CPUS} CPU threads, once resized"
    pairs = [pair for one in found for pair in one_over_other(one, EIGHT, GPU)]
    resized = [pair for pair in pairs if not pair.point.variant.is_reference]
    if whole := [pair for pair in resized if _cores(pair.point) >= CPUS]:
        claim = _of_ratios("d", said, whole, lambda times: ALIKE[0] <= times <= ALIKE[1])
        return replace(claim, why=f"8 CPU over GPU, the same variant on both. {claim.why}")
    points = [point for one in found for point in one.view.points]
    cores = {_cores(point) for point in points if point.backend.name == EIGHT}
    speedup = [pair for one in found for pair in one_over_other(one, ONE, EIGHT)]
    here = f"{max(cores)} cores" if cores else "no such backend"
    missing = f"No GPU answered, and “{EIGHT}” has {here} here."
    return Claim("d", said, OPEN, f"1 CPU over {here}: {_range(speedup)}" if speedup else "none", missing)


def _cores(point: Point) -> int:
    """Cores of its backend, 0 where they are not known."""
    return len(point.backend.cores or ())


def _of_ratios(key: str, said: str, compared: Sequence[Compared], holds: Callable[[float], bool]) -> Claim:
    return Claim(key, said, judged(compared, holds), _range(compared), _counted(compared, holds))


def _range(compared: Sequence[Compared]) -> str:
    """The lowest and the highest ratio, and where they were found."""
    if not compared:
        return "none"
    ordered = sorted(compared, key=lambda pair: pair.ratio.value)
    ends = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    return " up to ".join(f"{pair.ratio} [{pair.place}]" for pair in ends)


def _counted(compared: Sequence[Compared], holds: Callable[[float], bool]) -> str:
    """How many comparisons confirm the claim, contradict it, or do neither."""
    verdicts = [_verdict(pair, holds) for pair in compared]
    counts = {verdict: verdicts.count(verdict) for verdict in (SURVIVES, LOST, OPEN)}
    return (
        f"Of {len(compared)} comparisons it is so in {counts[SURVIVES]}, is not in {counts[LOST]}, "
        f"and {counts[OPEN]} can't tell."
    )


def _difference(found: Found, size_px: int) -> Difference | None:
    """Of the JPEG of that size against the original; the variant's nominal size is in its id."""
    for point in found.view.points:
        if point.variant.id.startswith(f"{size_px}-jpeg") and point.cell.over_photos:
            return point.cell.over_photos.difference
    return None


def _sizes(found: Found) -> set[int]:
    return {int(point.variant.id.split("-")[0]) for point in made(found.view)}
