"""What a recommended cell must fulfil: the user's goals, each a row that can say why a cell lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiment.labels import same_thing
from experiment.records import BackendInfo, Cell, Plan, Variant
from experiment.report.agreement import SAME_SCORE
from experiment.wording import (
    above,
    beside,
    count,
    full_name,
    listed,
    margin_words,
    milliseconds,
    ordinal,
    percent,
    short_label,
    short_name,
    size,
)

LEAST_MS = 0.001  # what a limit of 0 stands for, which an old or changed report may hold
MARGIN_POINTS = 5.0  # by which the probability of one photo's answer may fall, unless the plan says otherwise


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell that answered at least once, with what it stands for."""

    variant: Variant
    backend: BackendInfo
    cell: Cell
    p50_ms: float
    reference: Cell | None = None  # the original's cell on the same backend; None: there is none

    @property
    def rank(self) -> tuple[int, float]:
        """Lower is better."""
        return self.variant.size_bytes, self.p50_ms

    @property
    def place(self) -> str:
        """ "256 px JPEG on 8 CPU"."""
        return f"{short_name(self.variant)} on {self.backend.name}"

    @property
    def full_place(self) -> str:
        """ "JPEG q85 at 256 px on 8 CPU"."""
        return f"{full_name(self.variant)} on {self.backend.name}"

    @property
    def label(self) -> str:
        """The top label, short: the first of its synonyms."""
        return short_label(self.cell.top[0].label) if self.cell.top else "nothing"


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that a recommended cell must fulfil."""

    met: Callable[[Candidate], bool]
    overshoot: Callable[[Candidate], float]  # how far from being met; 0 is met
    lack: Callable[[Candidate], str]  # why a candidate lost: "its p50 of 60 ms is above your 26 ms"
    nobody: Callable[[Sequence[Candidate]], str]  # when no candidate meets it: "no p50 is below 5.0 ms"
    advice: Callable[[Sequence[Candidate]], str] = lambda all_: ""  # a sentence: what to do then


def candidates_among(
    variants: Sequence[Variant], backends: Sequence[BackendInfo], cells: Sequence[Cell]
) -> list[Candidate]:
    """The cells that answered at least once."""
    by_id = {each.id: each for each in variants}
    by_name = {each.name: each for each in backends}
    references = {cell.backend_name: cell for cell in cells if by_id[cell.variant_id].is_reference}
    return [
        Candidate(
            by_id[cell.variant_id],
            by_name[cell.backend_name],
            cell,
            cell.p50_ms,
            references.get(cell.backend_name),
        )
        for cell in cells
        if cell.p50_ms is not None
    ]


def unmet_by(each: Candidate, goals: Sequence[Goal]) -> str:
    """Why a candidate lost: "but the answer changes to lynx and its 28 KB are above your 9.0 KB"."""
    return f"but {listed([goal.lack(each) for goal in goals if not goal.met(each)])}"


def goals_of(plan: Plan, true_label: str | None, so_far: bool) -> list[Goal]:
    """The goals of a run, those that rule out most first. `so_far`: more answers may come."""
    goals = [_answers_always()]
    if plan.keep_top1:
        goals.append(_keeps_answer(so_far) if true_label is None else _is_right(true_label))
        goals.append(_stays_as_sure(allowed_fall_points(plan), true_label))
    if plan.max_p50_ms is not None:
        goals.append(fast_enough(plan.max_p50_ms))
    if plan.max_size_bytes is not None:
        goals.append(small_enough(plan.max_size_bytes))
    return goals


def _answers_always() -> Goal:
    return Goal(
        met=lambda each: each.cell.unanswered == 0,
        overshoot=lambda each: each.cell.unanswered / (each.cell.unanswered + each.cell.count),
        lack=_unanswered_words,
        nobody=lambda all_: "some requests failed for every variant",
    )


def _unanswered_words(each: Candidate) -> str:
    cell = each.cell
    asked = count(cell.unanswered + cell.count, "request")
    if cell.not_sent:
        return f"{cell.unanswered:,} of {asked} got no answer or were not sent"
    return f"{cell.failures:,} of {asked} failed"


def _keeps_answer(so_far: bool) -> Goal:
    missing = "the original's turn there has not come yet" if so_far else "the original got no answer there"
    return Goal(
        met=lambda each: each.cell.same_top1 is True,
        overshoot=lambda each: 0.0 if each.cell.same_top1 else 1.0,
        lack=lambda each: missing if each.cell.same_top1 is None else f"the answer changes to {each.label}",
        nobody=_nobody_keeps,
        advice=_without_original,
    )


def _nobody_keeps(candidates: Sequence[Candidate]) -> str:
    if all(each.cell.same_top1 is None for each in candidates):
        return "the original got no answer, so nobody can tell whether the smaller copies keep it"
    return "no variant that was answered keeps the original's answer"


def _without_original(candidates: Sequence[Candidate]) -> str:
    if any(each.cell.same_top1 is not None for each in candidates):
        return ""
    return 'Give the true label, or switch "same top answer" off, to choose without it.'


def _is_right(true_label: str) -> Goal:
    return Goal(
        met=lambda each: each.cell.correct_top1 is True,
        overshoot=lambda each: 0.0 if each.cell.correct_top1 else 0.5 if each.cell.correct_top5 else 1.0,
        lack=lambda each: f"its answer is {each.label}, not {true_label}",
        nobody=lambda all_: f"no variant is recognised as {true_label}",
        advice=lambda all_: _about_label(true_label, all_),
    )


def _about_label(true_label: str, candidates: Sequence[Candidate]) -> str:
    """Where the label stands in the answer to the original; else it may be spelled otherwise."""
    for each in candidates:
        for place, guess in enumerate(each.cell.top if each.variant.is_reference else (), start=1):
            if same_thing(guess.label, true_label):
                place_words = f"{true_label} is its {ordinal(place)} guess ({percent(guess.score)})"
                return f"The model's answer is {each.label}; {place_words}."
    return "Check how the model spells that label, or choose another model."


def allowed_fall_points(plan: Plan) -> float:
    """By how many percentage points the probability of one photo's answer may fall."""
    return MARGIN_POINTS if plan.margin_points is None else plan.margin_points


def fall_points(cell: Cell, reference: Cell | None, true_label: str | None) -> float | None:
    """By how many percentage points the kept answer is less likely than for the original; negative: more.

    `reference` is the original's cell on the same backend. None: the answer is not kept, or the original's
    probability of it is not known.
    """
    if true_label is None:
        change = cell.reference_score_change if cell.same_top1 else None
        return None if change is None else -change
    if not cell.correct_top1 or not cell.top or reference is None:
        return None
    before = (guess.score for guess in reference.top if same_thing(guess.label, true_label))
    score = next(before, None)
    return None if score is None else 100 * (score - cell.top[0].score)


def is_too_far(fall: float | None, margin: float) -> bool:
    """Whether a fall is above the margin. One that nobody can know is not: the recommendation says so."""
    return fall is not None and fall > margin + 100 * SAME_SCORE


def fall_words(fall: float, margin: float) -> str:
    """ "16 points (5 allowed)", with as many decimals as show on which side of the margin it is."""
    counted = fall if is_too_far(fall, margin) else min(fall, margin)
    decimals = len(f"{margin:g}".partition(".")[2])
    figure = beside(counted, margin, decimals)
    allowed = f"{margin:g}" if margin else "none"
    return f"{figure} point{'' if figure == '1' else 's'} ({allowed} allowed)"


def _stays_as_sure(margin: float, true_label: str | None) -> Goal:
    """Of an answer that is kept."""

    def fall(each: Candidate) -> float:
        return fall_points(each.cell, each.reference, true_label) or 0.0

    return Goal(
        met=lambda each: not is_too_far(fall(each), margin),
        overshoot=lambda each: max(0.0, fall(each) - margin) / 100,
        lack=lambda each: f"the probability falls by {fall_words(fall(each), margin)}",
        nobody=lambda all_: f"the probability falls by more than {margin_words(margin)} for every variant",
    )


def fast_enough(limit_ms: float) -> Goal:
    """A p50 of at most so much."""
    return Goal(
        met=lambda each: each.p50_ms <= limit_ms,
        overshoot=lambda each: max(0.0, each.p50_ms / max(limit_ms, LEAST_MS) - 1),
        lack=lambda each: "its p50 of {} is above your {}".format(
            *above(each.p50_ms, limit_ms, milliseconds, "ms")
        ),
        nobody=lambda all_: f"no p50 is below {milliseconds(limit_ms)}",
    )


def small_enough(limit_bytes: int) -> Goal:
    """At most so many bytes."""
    return Goal(
        met=lambda each: each.variant.size_bytes <= limit_bytes,
        overshoot=lambda each: max(0.0, each.variant.size_bytes / max(limit_bytes, 1) - 1),
        lack=lambda each: "its {} are above your {}".format(
            *above(each.variant.size_bytes, limit_bytes, size, "B")
        ),
        nobody=lambda all_: f"no variant is below {size(limit_bytes)}",
    )
