"""What a recommended cell must fulfil: the user's goals, each a row that can say why a cell lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiment.records import BackendInfo, Cell, Plan, Variant
from experiment.wording import count, milliseconds, short_label, short_name, size


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell that answered at least once, with what it stands for."""

    variant: Variant
    backend: BackendInfo
    cell: Cell
    p50_ms: float

    @property
    def rank(self) -> tuple[int, float]:
        """Lower is better."""
        return self.variant.size_bytes, self.p50_ms

    @property
    def place(self) -> str:
        """ "256 px JPEG on 8 CPU"."""
        return f"{short_name(self.variant)} on {self.backend.name}"

    @property
    def label(self) -> str:
        """The top label, short: the first of its synonyms."""
        return short_label(self.cell.top[0].label) if self.cell.top else "nothing"


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that a recommended cell must fulfil."""

    met: Callable[[Candidate], bool]
    overshoot: Callable[[Candidate], float]  # how far from being met; 0 is met
    but: Callable[[Candidate], str]  # "but ...": why a candidate lost
    nobody: Callable[[Sequence[Candidate]], str]  # a sentence, for when no candidate meets it


def candidates_among(
    variants: Sequence[Variant], backends: Sequence[BackendInfo], cells: Sequence[Cell]
) -> list[Candidate]:
    """The cells that answered at least once."""
    by_id = {each.id: each for each in variants}
    by_name = {each.name: each for each in backends}
    return [
        Candidate(by_id[cell.variant_id], by_name[cell.backend_name], cell, cell.p50_ms)
        for cell in cells
        if cell.p50_ms is not None
    ]


def goals_of(plan: Plan, true_label: str | None) -> list[Goal]:
    """The goals of a run, those that rule out most first."""
    goals = [_answers_always()]
    if plan.keep_top1:
        goals.append(_keeps_answer() if true_label is None else _is_right(true_label))
    if plan.max_p50_ms is not None:
        goals.append(_fast_enough(plan.max_p50_ms))
    if plan.max_size_bytes is not None:
        goals.append(_small_enough(plan.max_size_bytes))
    return goals


def _answers_always() -> Goal:
    return Goal(
        met=lambda each: each.cell.failures == 0,
        overshoot=lambda each: each.cell.failures / (each.cell.failures + each.cell.count),
        but=lambda each: (
            f"but {each.cell.failures:,} of {count(each.cell.failures + each.cell.count, 'request')} failed"
        ),
        nobody=lambda all_: "some requests failed for every variant.",
    )


def _keeps_answer() -> Goal:
    return Goal(
        met=lambda each: each.cell.same_top1 is True,
        overshoot=lambda each: 0.0 if each.cell.same_top1 else 1.0,
        but=lambda each: (
            "but the original got no answer there to compare with"
            if each.cell.same_top1 is None
            else f"but the answer changes to {each.label}"
        ),
        nobody=_nobody_keeps,
    )


def _nobody_keeps(candidates: Sequence[Candidate]) -> str:
    if all(each.cell.same_top1 is None for each in candidates):
        return (
            "the original got no answer, so nobody can tell whether the smaller copies keep it. "
            'Give the true label, or switch "same top answer" off, to choose without it.'
        )
    return "no variant that was answered keeps the original's answer."


def _is_right(true_label: str) -> Goal:
    return Goal(
        met=lambda each: each.cell.correct_top1 is True,
        overshoot=lambda each: 0.0 if each.cell.correct_top1 else 0.5 if each.cell.correct_top5 else 1.0,
        but=lambda each: f"but its answer is {each.label}, not {true_label}",
        nobody=lambda all_: (
            f"no variant is recognised as {true_label}. "
            "Check how the model spells that label, or choose another model."
        ),
    )


def _fast_enough(limit_ms: float) -> Goal:
    return Goal(
        met=lambda each: each.p50_ms <= limit_ms,
        overshoot=lambda each: max(0.0, each.p50_ms / limit_ms - 1),
        but=lambda each: f"but its p50 of {milliseconds(each.p50_ms)} is above your {milliseconds(limit_ms)}",
        nobody=lambda all_: f"no p50 is below {milliseconds(limit_ms)}.",
    )


def _small_enough(limit_bytes: int) -> Goal:
    return Goal(
        met=lambda each: each.variant.size_bytes <= limit_bytes,
        overshoot=lambda each: max(0.0, each.variant.size_bytes / limit_bytes - 1),
        but=lambda each: f"but {size(each.variant.size_bytes)} is above your {size(limit_bytes)}",
        nobody=lambda all_: f"no variant is below {size(limit_bytes)}.",
    )
