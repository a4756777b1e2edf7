"""The goals that a budget may name: key -> what it allows, and how it reads in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from common.checks import Expected, number, number_above, whole
from experiment.measure.plan import RANGES


@dataclass(frozen=True, slots=True)
class GoalKind:
    """One goal. `words` hold its limit in braces."""

    key: str
    check: Callable[[Any], Any]
    words: str

    def said(self, limit: float) -> str:
        """ "p50 at most 50 ms"."""
        return self.words.format(limit)


def _only_true(value: Any) -> bool:
    if value is not True:
        raise Expected("true; leave it out if it is not a goal")
    return True


def _table(*kinds: GoalKind) -> Mapping[str, GoalKind]:
    return {kind.key: kind for kind in kinds}


_LOST = number(0, 100, "percentage points")

GOALS: Final = _table(
    GoalKind("max_p50_ms", number_above(*RANGES["max_p50_ms"]), "p50 at most {:g} ms"),
    GoalKind("max_p90_ms", number_above(*RANGES["max_p50_ms"]), "p90 at most {:g} ms"),
    GoalKind("max_size_bytes", whole(*RANGES["max_size_bytes"]), "at most {:,} bytes"),
    GoalKind("min_agreement_percent", number_above(0, 100), "the original's answer for {:g} % of photos"),
    GoalKind("min_top1_percent", number_above(0, 100), "top-1 accuracy at least {:g} %"),
    GoalKind("max_accuracy_lost_points", _LOST, "accuracy at most {:g} points below the original's"),
    GoalKind("same_answer", _only_true, "same answer as the original"),
    GoalKind("right_answer", _only_true, "the true label is the answer"),
)  # fmt: skip

# Against another run, or another backend of the same run.
BASELINE_GOALS: Final = _table(
    GoalKind("max_slower_percent", number(0, 1000), "p50 at most {:g} % above the baseline's"),
    GoalKind("max_larger_percent", number(0, 1000), "at most {:g} % more bytes than the baseline"),
    GoalKind("max_accuracy_lost_points", _LOST, "accuracy at most {:g} points below the baseline's"),
    GoalKind("same_answer", _only_true, "same answer as the baseline"),
)
