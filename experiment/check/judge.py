"""judge(): each goal of a budget on each of its cells, and what follows for the run as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from common.json_values import quoted
from experiment.check import against, limits
from experiment.check.against import Before
from experiment.check.budget import Baseline, Block, Budget
from experiment.check.cells import CheckedCell, CheckedRun, NotJudged, asked_cells, chosen_cells
from experiment.check.findings import ALARM_SHARE, Finding
from experiment.check.goals import BASELINE_GOALS, GOALS, GoalKind
from experiment.decide.compare import NotComparable
from experiment.decide.differences import differences
from experiment.errors import PixelcostError
from experiment.figures.view import View
from experiment.records import Share
from experiment.report.contention import rivals_for_machine
from experiment.report.proportions import holm
from experiment.wording import listed

SLOWER = "max_slower_percent"
ONE_AFTER_ANOTHER = (
    "The backends were measured one after another, so a drift of the machine looks like a difference. "
    "Measure with --order in_turns."
)
UNUSABLE_PHOTOS = "W14"  # which nothing else here tells: they are in no number
Outcome = Literal["pass", "fail", "unclear", "not judged"]
KEPT, FAILED, NOT_JUDGED = 0, 1, 2  # exit codes


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal on one cell."""

    cell: str  # "512-jpeg-85 on 8 CPU"; of a whole block that can't be judged its name
    goal: str  # "p50 at most 50 ms"
    outcome: Outcome
    measured: str
    reason: str = ""  # a sentence; "" where the numbers say it


@dataclass(frozen=True, slots=True)
class Judgement:
    """A run judged."""

    run: CheckedRun
    budget: Budget
    verdicts: tuple[Verdict, ...]
    comparisons: int  # goals that chance could fail: Holm's correction counts them
    notes: tuple[str, ...]  # what else a reader must know

    def of(self, outcome: Outcome) -> list[Verdict]:
        """The verdicts with that outcome."""
        return [verdict for verdict in self.verdicts if verdict.outcome == outcome]

    @property
    def failed(self) -> list[Verdict]:
        """Goals that count as failed, those that are not clear too if the budget says so."""
        return self.of("fail") + (self.of("unclear") if self.budget.unclear == "fail" else [])

    @property
    def exit_code(self) -> int:
        """0: all goals are kept; 1: one failed; 2: none failed, but one could not be judged."""
        return FAILED if self.failed else NOT_JUDGED if self.of("not judged") else KEPT


@dataclass(frozen=True, slots=True)
class _Open:
    """A goal with its finding, before all are looked at together."""

    cell: str
    goal: str
    finding: Finding | str  # a sentence: why it can't be judged


def judge(run: CheckedRun, budget: Budget, earlier: Sequence[CheckedRun] = ()) -> Judgement:
    """The run, and reports of `earlier` runs if the budget has goals against a baseline.

    Raises PixelcostError if the budget and the baselines don't fit together, or the run.
    """
    refuse_baselines(budget, earlier)
    _refuse_other_photos(run, earlier)
    opened = [each for block in budget.blocks for each in _opened(block, GOALS, run.view, _on_its_own)]
    if budget.baseline is not None:
        opened += _against(run, budget.baseline, earlier)
    tested = [
        each.finding.p for each in opened if isinstance(each.finding, Finding) and each.finding.p is not None
    ]
    corrected = iter(holm(tested))
    verdicts = [_verdict(each, corrected, len(tested)) for each in opened]
    if why := _ended_early(run):
        verdicts.append(Verdict("the run", "all requests sent", "not judged", "", why))
    return Judgement(run, budget, tuple(verdicts), len(tested), tuple(_notes(run, budget, earlier)))


def _verdict(each: _Open, corrected: Iterator[float], comparisons: int) -> Verdict:
    found = each.finding
    if isinstance(found, str):
        return Verdict(each.cell, each.goal, "not judged", "", found)
    p = None if found.p is None else next(corrected)
    outcome: Outcome = "pass" if found.is_within else "fail" if p is None else "unclear"
    if p is not None and p <= ALARM_SHARE and not found.doubt:
        outcome = "fail"
    reason = found.unclear_words(comparisons) if outcome == "unclear" else ""
    return Verdict(each.cell, each.goal, outcome, found.measured, reason)


def _on_its_own(cell: CheckedCell, key: str, limit: float) -> Finding:
    return limits.JUDGES[key](cell, limit)


def _opened(
    block: Block,
    kinds: Mapping[str, GoalKind],
    view: View,
    find: Callable[[CheckedCell, str, float], Finding],
    but: str | None = None,
) -> Iterator[_Open]:
    """Each goal of a block on each of its cells, but on none of the backend `but`."""
    try:
        cells = [cell for cell in chosen_cells(block, view) if cell.backend.name != but]
        if not cells:
            raise NotJudged(f"None of its cells is on another backend than {quoted(but)}.")
    except NotJudged as why:
        yield from (_Open(block.name, kinds[key].said(limit), str(why)) for key, limit in block.goals.items())
        return
    for cell in cells:
        for key, limit in block.goals.items():
            try:
                found: Finding | str = find(cell, key, limit)
            except NotJudged as why:
                found = str(why)
            yield _Open(cell.name, kinds[key].said(limit), found)


def _against(run: CheckedRun, baseline: Baseline, earlier: Sequence[CheckedRun]) -> Iterator[_Open]:
    runs = earlier if baseline.backend is None else [run]
    there = [{cell.key: cell for cell in asked_cells(each.view)} for each in runs]

    def before(cell: CheckedCell) -> Before:
        other = baseline.backend or cell.backend.name
        cells = [each[cell.variant.id, other] for each in there if (cell.variant.id, other) in each]
        if not cells:
            raise NotJudged(f"The baseline has no {cell.variant.id} on {other}.")
        if baseline.backend is None:
            return Before(cells, is_same_run=False, drift_percent=baseline.drift_percent)
        between = _between(run.view, cell.variant.id, cell.backend.name, other)
        in_turns = run.view.plan.order != "one_at_a_time" or cell.is_of_set
        return Before(cells, is_same_run=True, between=between, doubt="" if in_turns else ONE_AFTER_ANOTHER)

    def find(cell: CheckedCell, key: str, limit: float) -> Finding:
        return against.JUDGES[key](cell, before(cell), limit)

    yield from _opened(baseline.block, BASELINE_GOALS, run.view, find, but=baseline.backend)
    if baseline.backend is not None and SLOWER in baseline.block.goals:
        yield from _together(run.view, baseline, before)


def _together(view: View, baseline: Baseline, before: Callable[[CheckedCell], Before]) -> Iterator[_Open]:
    """All cells of each backend at once, where there are several."""
    limit = baseline.block.goals[SLOWER]
    by_backend: dict[str, list[tuple[CheckedCell, Before]]] = {}
    with suppress(NotJudged):  # each of them says so itself
        for cell in chosen_cells(baseline.block, view):
            if cell.backend.name != baseline.backend:
                by_backend.setdefault(cell.backend.name, []).append((cell, before(cell)))
    for name, cells in by_backend.items():
        if len(cells) > 1:
            found = against.all_slower(cells, limit)
            yield _Open(f"all {len(cells)} variants on {name}", BASELINE_GOALS[SLOWER].said(limit), found)


def _between(view: View, variant_id: str, *backend_names: str) -> Share | None:
    rows = view.photo_set.between_backends if view.photo_set else ()
    return next(
        (
            row.agreement
            for row in rows
            if row.variant_id == variant_id and set(row.backend_names) == set(backend_names)
        ),
        None,
    )


def refuse_baselines(budget: Budget, earlier: Sequence[CheckedRun]) -> None:
    """Raises PixelcostError where the budget and the reports don't belong together."""
    baseline = budget.baseline
    if earlier and baseline is None:
        raise PixelcostError(
            f"{budget.name} has no goals against a baseline. Add a table [baseline], for example with "
            "max_slower_percent = 2, or leave --baseline out."
        )
    if earlier and baseline is not None and baseline.backend is not None:
        raise PixelcostError(
            f"{budget.name} compares with the backend {quoted(baseline.backend)} of the same run. "
            "Leave --baseline out, or backend in [baseline]."
        )
    if baseline is not None and baseline.backend is None and not earlier:
        raise PixelcostError(
            f"{budget.name} has goals against a baseline. Give its report with --baseline, or name a backend "
            "of the same run as backend in [baseline]."
        )


def _refuse_other_photos(run: CheckedRun, earlier: Sequence[CheckedRun]) -> None:
    for other in earlier:
        if (other.view.photo_set is None) != (
            run.view.photo_set is None
        ) or other.photo_sha256 != run.photo_sha256:
            there, here = other.photo_words, run.photo_words
            raise NotComparable(
                f"{other.name} is about other photos: {f'another {there}' if there == here else there}, and "
                f"{run.name} is about {here}. Measure the same photos for the baseline."
            )


def _ended_early(run: CheckedRun) -> str:
    state = run.report["state"]
    if state == "done":
        return ""
    failure = run.report.get("failure")
    return f"The run ended early ({state}). {failure['message'] if failure else ''}".strip()


def _notes(run: CheckedRun, budget: Budget, earlier: Sequence[CheckedRun]) -> Iterator[str]:
    baseline = budget.baseline
    if baseline is not None and baseline.backend is not None and SLOWER in baseline.block.goals:
        rivals = rivals_for_machine(run.view.backends, run.view.plan.order).get(baseline.backend)
        if rivals:
            yield (
                f"{listed([baseline.backend, *rivals])} worked on one machine at the same time, which hides "
                "a part of how much slower one is. Measure with --order in_turns."
            )
    yield from (each["message"] for each in run.report["warnings"] if each["code"] == UNUSABLE_PHOTOS)
    absent = [info.name for info in run.view.backends if not info.takes_photos]
    if absent:
        yield f"Not measured: {listed(absent)}."
    doubts: dict[str, list[str]] = {}
    for other in earlier:
        for difference in differences(run.report, other.report):
            if difference.warning:
                doubts.setdefault(difference.warning, []).append(other.name)
    yield from (f"{listed(names)}: {warning}" for warning, names in doubts.items())
