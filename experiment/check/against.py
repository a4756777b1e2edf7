"""What a run says against a baseline: reports of earlier runs, or another backend of the same run.

Two runs of the same thing differ by more than their samples scatter: the machine is in another state, the
server has other memory. So a comparison with reports allows for that drift. Three reports or more show how
large it is; of fewer it has to be told. A backend of the same run is measured beside the other, so
that the drift of the machine hits both, and each repeat is compared with its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from experiment.check.budget import DRIFT_PERCENT
from experiment.check.cells import CheckedCell, NotJudged
from experiment.check.findings import SURE, Finding, fact
from experiment.check.limits import answer_words, lost_words
from experiment.check.tails import (
    lost_by_chance,
    lost_z,
    normal_above,
    shift_of,
    signed_rank_above,
    student_above,
    student_quantile,
)
from experiment.records import RESOLUTION_MS, Share
from experiment.report.proportions import paired_difference, wilson
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, error_of_log_median, log_median

REPORTS_FOR_DRIFT = 3  # with two, chance alone often makes them alike
ASK = (
    "More repeats don't help: runs differ from one to the next. Give more reports of the same thing with "
    "--baseline, or compare with a backend of the same run (docs/ci.md)."
)


@dataclass(frozen=True, slots=True)
class Before:
    """What a cell is compared with: the same variant, earlier or elsewhere."""

    cells: Sequence[CheckedCell]  # one for each report, or that of the other backend
    is_same_run: bool
    drift_percent: float | None = None  # as the budget says
    between: Share | None = None  # of a set: photos to which both backends give the same answer
    doubt: str = ""  # why times can't be compared; "" if they can

    @property
    def last(self) -> CheckedCell:
        """The latest one: what is counted is compared with it alone."""
        return self.cells[-1]


def slower(cell: CheckedCell, before: Before, limit_percent: float) -> Finding:
    """Whether p50 is above the baseline's by no more than the limit."""
    sides = [cell, *before.cells]
    doubt = next((f"{side.name}: {side.doubt}" for side in sides if side.doubt), before.doubt)
    if min(len(side.cell.samples_ms) for side in sides) < SAMPLES_FOR_INTERVAL:
        return _too_few(cell.noun, doubt)
    compare = _in_turns if before.is_same_run else _with_reports
    return compare(cell, before, math.log1p(limit_percent / 100), doubt)


def _in_turns(cell: CheckedCell, before: Before, limit: float, doubt: str) -> Finding:
    """Repeat by repeat (of a set: photo by photo) on both backends."""
    return _shifted(_pairwise(cell, before), limit, cell.noun, doubt)


def all_slower(cells: Sequence[tuple[CheckedCell, Before]], limit_percent: float) -> Finding:
    """Whether all cells of a backend together are slower than those of another backend of the same run.

    What slows every variant alike shows sooner in the mean over the variants of each repeat than in any cell.
    """
    doubt = next((f"{cell.name}: {cell.doubt}" for cell, _ in cells if cell.doubt), cells[0][1].doubt)
    repeats = zip(*(_pairwise(cell, before) for cell, before in cells), strict=False)
    means = [fmean(differences) for differences in repeats]
    if len(means) < SAMPLES_FOR_INTERVAL:
        return _too_few(cells[0][0].noun, doubt)
    return _shifted(means, math.log1p(limit_percent / 100), cells[0][0].noun, doubt)


def _too_few(noun: str, doubt: str) -> Finding:
    needed = f"At least {SAMPLES_FOR_INTERVAL} answered requests are needed on both sides."
    return Finding(measured="too few answers", is_within=False, p=1.0, noun=noun, doubt=doubt or needed)


def _pairwise(cell: CheckedCell, before: Before) -> list[float]:
    """Logarithms of how many times as long each request took as its neighbour on the other backend."""
    pairs = zip(cell.cell.samples_ms, before.last.cell.samples_ms, strict=False)
    return [_log(this) - _log(other) for this, other in pairs]


def _shifted(differences: Sequence[float], limit: float, noun: str, doubt: str) -> Finding:
    shift = shift_of(differences)
    return Finding(
        measured=_change(*shift),
        is_within=not doubt and shift.high <= limit,
        p=signed_rank_above([difference - limit for difference in differences]),
        samples=len(differences),
        noun=noun,
        doubt=doubt,
    )


def _with_reports(cell: CheckedCell, before: Before, limit: float, doubt: str) -> Finding:
    """The run's p50 among those of earlier runs."""
    p50s = [log_median(earlier.cell.samples_ms) for earlier in before.cells]
    change = log_median(cell.cell.samples_ms) - fmean(p50s)
    own_error = error_of_log_median(cell.cell.samples_ms)
    if len(p50s) >= REPORTS_FOR_DRIFT and before.drift_percent is None:
        spread, freedom = max(stdev(p50s), own_error), len(p50s) - 1  # of medians: repeats are in it
        error, reach = spread * math.sqrt(1 + 1 / len(p50s)), student_quantile(0.975, freedom)
        p = student_above((change - limit) / error, freedom) if error else float(change <= limit)
    else:
        drift = math.log1p((DRIFT_PERCENT if before.drift_percent is None else before.drift_percent) / 100)
        errors = [error_of_log_median(earlier.cell.samples_ms) for earlier in before.cells]
        samples_error = math.hypot(own_error, math.sqrt(fmean(error**2 for error in errors) / len(errors)))
        error, reach = math.hypot(samples_error, drift * math.sqrt(1 + 1 / len(errors))), SURE
        p = normal_above((change - limit) / error)
    return Finding(
        measured=_change(change, change - reach * error, change + reach * error),
        is_within=not doubt and change + reach * error <= limit,
        p=p,
        noun=cell.noun,
        doubt=doubt,
        advice=ASK,
    )


def _log(time_ms: float) -> float:
    return math.log(max(time_ms, RESOLUTION_MS))


def _change(*logs: float) -> str:
    """ "+5.1 % (+3.9 to +6.2)"."""
    middle, low, high = (100 * math.expm1(log) for log in logs)
    return f"{middle:+.1f} % ({low:+.1f} to {high:+.1f})"


def larger(cell: CheckedCell, before: Before, limit_percent: float) -> Finding:
    """Bytes are counted, not sampled."""
    now, then = cell.variant.size_bytes, before.last.variant.size_bytes
    percent = 100 * (now / max(then, 1) - 1)
    return fact(
        f"{now:,} bytes, {then:,} in the baseline ({percent:+.1f} %)", now <= then * (1 + limit_percent / 100)
    )


def lost(cell: CheckedCell, before: Before, limit_points: float) -> Finding:
    """Top-1 accuracy below the baseline's."""
    now, then = (_top1(side) for side in (cell, before.last))
    if before.between is not None and now.total == then.total == before.between.total:
        return _lost_pairwise(now, then, before.between, limit_points)
    points = 100 * (then.share - now.share)
    low, high = _unpaired(now, then)
    return Finding(
        measured=lost_words(points, low, high),
        is_within=high <= limit_points,
        p=_unpaired_by_chance(now, then, limit_points / 100),
        samples=min(now.total, then.total),
        noun="photo",
    )


def _top1(cell: CheckedCell) -> Share:
    over = cell.cell.over_photos
    if over is None or over.top1 is None:
        raise NotJudged(f"The accuracy of {cell.name} is not known: it needs a set of photos with labels.")
    return over.top1


def _lost_pairwise(now: Share, then: Share, between: Share, limit_points: float) -> Finding:
    """Photos that both backends answer alike are right on both or on neither, so at most the others differ.
    Counting all of those makes the comparison more careful than it has to be."""
    total, net = now.total, then.count - now.count
    differing = max(between.total - between.count, abs(net))
    differing += (differing - net) % 2
    lost_photos, gained = (differing + net) // 2, (differing - net) // 2
    both = max(then.count - lost_photos, 0)
    low, high = paired_difference(both, gained, lost_photos, max(total - both - gained - lost_photos, 0))
    return Finding(
        measured=lost_words(100 * net / total, -100 * high, -100 * low),
        is_within=-100 * low <= limit_points,
        p=lost_by_chance(gained, lost_photos, total, limit_points / 100),
        z=lost_z(gained, lost_photos, total, limit_points / 100),
        samples=total,
        noun="photo",
    )


def _unpaired(now: Share, then: Share) -> tuple[float, float]:
    """The 95 % interval of the points lost between independent shares. Newcombe 1998, method 10."""
    (low_now, high_now), (low_then, high_then) = (wilson(share.count, share.total) for share in (now, then))
    lost_share = then.share - now.share
    down = math.hypot(then.share - low_then, high_now - now.share)
    up = math.hypot(high_then - then.share, now.share - low_now)
    return 100 * (lost_share - down), 100 * (lost_share + up)


def _unpaired_by_chance(now: Share, then: Share, limit_share: float) -> float:
    """With one right and one wrong photo more on each side, which holds for few photos too. Agresti and Caffo
    2000, Amer. Statist. 54:280. The photos are the same, so the truth is surer than this says."""
    adjusted = [((share.count + 1) / (share.total + 2), share.total + 2) for share in (now, then)]
    error = math.sqrt(sum(share * (1 - share) / total for share, total in adjusted))
    return normal_above((adjusted[1][0] - adjusted[0][0] - limit_share) / error)


def same_answer(cell: CheckedCell, before: Before, limit: float) -> Finding:
    """One photo: the top answer is that of the baseline."""
    if cell.is_of_set:
        raise NotJudged(
            "same_answer is for runs of one photo. Use max_accuracy_lost_points for a set of photos."
        )
    now, then = answer_words(cell), answer_words(before.last)
    tops = [side.cell.top[0].label if side.cell.top else None for side in (cell, before.last)]
    return fact(f"{now}; {then} in the baseline", tops[0] == tops[1])


# Key of BASELINE_GOALS -> what says whether it is kept.
JUDGES: Final[Mapping[str, Callable[[CheckedCell, Before, float], Finding]]] = {
    "max_slower_percent": slower,
    "max_larger_percent": larger,
    "max_accuracy_lost_points": lost,
    "same_answer": same_answer,
}
