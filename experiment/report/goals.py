"""What a recommended cell must fulfil: the user's goals, which can say why a cell lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiment.codec import from_dict
from experiment.copies import NOTHING, Extra, extra, is_made_there
from experiment.labels import same_thing
from experiment.records import (
    RESOLUTION_MS,
    BackendInfo,
    BreakingPoint,
    Cell,
    Copies,
    Plan,
    RunState,
    Variant,
    is_live,
)
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

MARGIN_POINTS = 5.0  # by which the probability of one photo's answer may fall, unless the plan says otherwise


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell that answered at least once, with what it stands for."""

    variant: Variant
    backend: BackendInfo
    cell: Cell
    p50_ms: float
    reference: Cell | None = None  # the original's cell on the same backend; None: there is none
    extra: Extra = NOTHING  # what a request takes beside p50_ms, as copies are made where the plan says
    is_made_there: bool = True  # as the plan says, or in the only place where this run made copies

    @property
    def extra_ms(self) -> float:
        """Making and uploading, as far as they count; making that is not known counts as none."""
        return (self.extra.making_ms or 0.0) + self.extra.upload_ms

    @property
    def total_ms(self) -> float:
        """p50 and what a request takes beside it: what goals and choice are about. Digits as exported."""
        return self.with_extra(self.p50_ms)

    def with_extra(self, latency_ms: float) -> float:
        """A latency of this cell as it counts where copies are made as the plan says."""
        return round(latency_ms + self.extra_ms, 6)

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        """The 95 % interval of `total_ms`: that of p50, as making was timed once. None: too few samples."""
        low, high = self.cell.p50_low_ms, self.cell.p50_high_ms
        return None if low is None or high is None else (self.with_extra(low), self.with_extra(high))

    @property
    def rank(self) -> tuple[int, float]:
        """Lower is better."""
        return self.variant.size_bytes, self.total_ms

    @property
    def place(self) -> str:
        """ "256 px JPEG on 8 CPU"."""
        return f"{short_name(self.variant)} on {self.backend.name}"

    @property
    def full_place(self) -> str:
        """ "256 px JPEG q85 on 8 CPU"."""
        return f"{full_name(self.variant)} on {self.backend.name}"

    @property
    def unanswered_share(self) -> float:
        """Of the cell's requests, 0..1."""
        return self.cell.unanswered / (self.cell.unanswered + self.cell.count)

    @property
    def label(self) -> str:
        """The top label, short: the first of its synonyms."""
        return short_label(self.cell.top[0].label) if self.cell.top else "nothing"


class Goal(ABC):
    """One thing that a recommended cell must fulfil."""

    @abstractmethod
    def is_met(self, candidate: Candidate) -> bool:
        """Whether the candidate fulfils it."""

    @abstractmethod
    def overshoot(self, candidate: Candidate) -> float:
        """How far the candidate is from meeting it; 0 is met."""

    @abstractmethod
    def lack(self, candidate: Candidate) -> str:
        """Why a candidate lost: "its p50 of 60 ms is above your 26 ms"."""

    @abstractmethod
    def nobody(self, candidates: Sequence[Candidate]) -> str:
        """When no candidate meets it: "no p50 is below 5.0 ms"."""

    def advice(self, candidates: Sequence[Candidate]) -> str:
        """A sentence: what to do then."""
        return ""

    def below(self, candidate: Candidate, at: str, unmet: Sequence[Goal]) -> str:
        """What is lost with a smaller candidate, whose name is `at`, and which misses all of `unmet`."""
        return f"a goal is missed: at {at} {listed([goal.lack(candidate) for goal in unmet])}"


@dataclass(frozen=True, slots=True)
class Results:
    """The part of a report that recommendation and figures need: the plan's goals, and what was measured."""

    plan: Plan
    state: RunState
    variants: Sequence[Variant]
    backends: Sequence[BackendInfo]
    cells: Sequence[Cell]
    true_label: str | None = None  # of one photo; None also: a set
    original_bytes: int | None = None  # of the photo as it would be uploaded; None: as it is sent
    breaking_points: Sequence[BreakingPoint] = ()  # of searches after the run

    @property
    def is_running(self) -> bool:
        """Whether more answers may come."""
        return is_live(self.state)


def results_of(report: Mapping[str, Any]) -> Results:
    """The results in an exported report. Unknown keys, of later minor versions, are ignored."""
    return Results(
        from_dict(Plan, report["plan"]),
        report["state"],
        tuple(from_dict(Variant, variant) for variant in report["variants"]),
        tuple(from_dict(BackendInfo, info) for info in report["backends"]),
        tuple(from_dict(Cell, cell) for cell in report["cells"]),
        report["source"]["true_label"],
        (report["source"].get("original") or report["source"])["size_bytes"],
        tuple(from_dict(BreakingPoint, found) for found in report.get("breaking_points", ())),  # from 1.3 on
    )


def candidates_among(results: Results) -> list[Candidate]:
    """The cells that answered at least once."""
    variants = {variant.id: variant for variant in results.variants}
    backends = {info.name: info for info in results.backends}
    references = {cell.backend_name: cell for cell in results.cells if variants[cell.variant_id].is_reference}
    return [
        Candidate(
            variants[cell.variant_id],
            backends[cell.backend_name],
            cell,
            cell.p50_ms,
            references.get(cell.backend_name),
            extra(variants[cell.variant_id], results.plan, results.original_bytes),
            is_made_there(variants[cell.variant_id], results.plan.copies, results.variants),
        )
        for cell in results.cells
        if cell.p50_ms is not None
    ]


def unmet_by(candidate: Candidate, goals: Sequence[Goal]) -> str:
    """Why a candidate lost: "but the answer changes to lynx and its 28 KB are above your 9.0 KB"."""
    return f"but {listed([goal.lack(candidate) for goal in goals if not goal.is_met(candidate)])}"


def goals_of(plan: Plan, true_label: str | None, is_running: bool) -> list[Goal]:
    """The goals of a run, those that rule out most first. `is_running`: more answers may come."""
    goals: list[Goal] = [AnswersAlways()]
    if plan.keep_top1:
        goals.append(KeepsAnswer(is_running) if true_label is None else IsRight(true_label))
        goals.append(StaysAsSure(allowed_fall_points(plan), true_label))
    return [*goals, *limits_of(plan)]


def limits_of(plan: Plan) -> list[Goal]:
    """The goals that one photo and a set share."""
    goals: list[Goal] = [] if plan.copies == "in_advance" else [MadeAsChosen(plan.copies)]
    if plan.max_p50_ms is not None:
        goals.append(FastEnough(plan.max_p50_ms, plan.copies))
    if plan.max_size_bytes is not None:
        goals.append(SmallEnough(plan.max_size_bytes))
    return goals


class AnswersAlways(Goal):
    """Every request was answered."""

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.cell.unanswered == 0

    def overshoot(self, candidate: Candidate) -> float:
        return candidate.unanswered_share

    def lack(self, candidate: Candidate) -> str:
        cell = candidate.cell
        asked = count(cell.unanswered + cell.count, "request")
        if cell.not_sent:
            return f"{cell.unanswered:,} of {asked} got no answer or were not sent"
        return f"{cell.failures:,} of {asked} failed"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return "some requests failed for every variant"


@dataclass(frozen=True, slots=True)
class KeepsAnswer(Goal):
    """The top label is that of the original on the same backend."""

    is_running: bool  # the original's turn may come yet

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.cell.same_top1 is True

    def overshoot(self, candidate: Candidate) -> float:
        return 0.0 if candidate.cell.same_top1 else 1.0

    def lack(self, candidate: Candidate) -> str:
        if candidate.cell.same_top1 is not None:
            return f"the answer changes to {candidate.label}"
        if self.is_running:
            return "the original has not been measured there yet"
        return "the original got no answer there"

    def below(self, candidate: Candidate, at: str, unmet: Sequence[Goal]) -> str:
        if candidate.cell.same_top1 is None:
            return f"nothing can be compared: at {at} {self.lack(candidate)}"
        return f'the answer changes: at {at} it is "{candidate.label}"'

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        if _is_uncompared(candidates):
            return "the original got no answer, so the smaller copies can't be compared with it"
        return "no variant that was answered keeps the original's answer"

    def advice(self, candidates: Sequence[Candidate]) -> str:
        if not _is_uncompared(candidates):
            return ""
        return 'Give the true label, or switch "same top answer" off, to choose without it.'


def _is_uncompared(candidates: Sequence[Candidate]) -> bool:
    return all(candidate.cell.same_top1 is None for candidate in candidates)


@dataclass(frozen=True, slots=True)
class IsRight(Goal):
    """The top label is what the photo shows."""

    true_label: str

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.cell.correct_top1 is True

    def overshoot(self, candidate: Candidate) -> float:
        return 0.0 if candidate.cell.correct_top1 else 0.5 if candidate.cell.correct_top5 else 1.0

    def lack(self, candidate: Candidate) -> str:
        return f"its answer is {candidate.label}, not {self.true_label}"

    def below(self, candidate: Candidate, at: str, unmet: Sequence[Goal]) -> str:
        return f'the answer is wrong: at {at} it is "{candidate.label}"'

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"no variant is recognised as {self.true_label}"

    def advice(self, candidates: Sequence[Candidate]) -> str:
        """Where the label stands in the answer to the original; else it may be spelled otherwise."""
        for original in (candidate for candidate in candidates if candidate.variant.is_reference):
            for place, guess in enumerate(original.cell.top, start=1):
                if same_thing(guess.label, self.true_label):
                    place_words = f"{self.true_label} is its {ordinal(place)} guess ({percent(guess.score)})"
                    return f"The model's answer is {original.label}; {place_words}."
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
    """Whether a fall is above the margin. An unknown one is not, and the recommendation says so."""
    return fall is not None and fall > margin + 100 * SAME_SCORE


def fall_words(fall: float, margin: float) -> str:
    """ "16 points (5 allowed)", with as many decimals as show on which side of the margin it is."""
    counted = fall if is_too_far(fall, margin) else min(fall, margin)
    decimals = len(f"{margin:g}".partition(".")[2])
    figure = beside(counted, margin, decimals)
    allowed = f"{margin:g}" if margin else "none"
    return f"{figure} point{'' if figure == '1' else 's'} ({allowed} allowed)"


@dataclass(frozen=True, slots=True)
class StaysAsSure(Goal):
    """The probability of an answer that is kept falls by no more than the margin."""

    margin: float  # percentage points
    true_label: str | None

    def _fall(self, candidate: Candidate) -> float:
        return fall_points(candidate.cell, candidate.reference, self.true_label) or 0.0

    def is_met(self, candidate: Candidate) -> bool:
        return not is_too_far(self._fall(candidate), self.margin)

    def overshoot(self, candidate: Candidate) -> float:
        return max(0.0, self._fall(candidate) - self.margin) / 100

    def lack(self, candidate: Candidate) -> str:
        return f"confidence drops by {fall_words(self._fall(candidate), self.margin)}"

    def below(self, candidate: Candidate, at: str, unmet: Sequence[Goal]) -> str:
        return f"the answer gets less sure: at {at} {self.lack(candidate)}"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"confidence drops by more than {margin_words(self.margin)} for every variant"


@dataclass(frozen=True, slots=True)
class MadeAsChosen(Goal):
    """How long making it takes is known, and was measured where copies are to be made."""

    copies: Copies

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.is_made_there and candidate.extra.making_ms is not None

    def overshoot(self, candidate: Candidate) -> float:
        return 0.0 if self.is_met(candidate) else 1.0

    def lack(self, candidate: Candidate) -> str:
        if candidate.is_made_there:
            return "how long making it takes is not known"
        return f"it was made {'on the server' if self.copies == 'client' else 'in the browser'}"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return "how long making the variants takes is not known"


TIME_NAMES: dict[Copies, str] = {
    "in_advance": "p50",
    "per_request": "time with making the copy",
    "client": "time end to end (modelled)",
}


@dataclass(frozen=True, slots=True)
class FastEnough(Goal):
    """A p50 of at most so much, with all that counts beside the request."""

    limit_ms: float  # 0 in an old or changed report
    copies: Copies = "in_advance"

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.total_ms <= self.limit_ms

    def overshoot(self, candidate: Candidate) -> float:
        return max(0.0, candidate.total_ms / max(self.limit_ms, RESOLUTION_MS) - 1)

    def lack(self, candidate: Candidate) -> str:
        total, limit = above(candidate.total_ms, self.limit_ms, milliseconds, "ms")
        return f"its {TIME_NAMES[self.copies]} of {total} is above your {limit}"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"no {TIME_NAMES[self.copies]} is below {milliseconds(self.limit_ms)}"


@dataclass(frozen=True, slots=True)
class SmallEnough(Goal):
    """At most so many bytes."""

    limit_bytes: int

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.variant.size_bytes <= self.limit_bytes

    def overshoot(self, candidate: Candidate) -> float:
        return max(0.0, candidate.variant.size_bytes / max(self.limit_bytes, 1) - 1)

    def lack(self, candidate: Candidate) -> str:
        bytes_, limit = above(candidate.variant.size_bytes, self.limit_bytes, size, "B")
        return f"its {bytes_} are above your {limit}"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"no variant is below {size(self.limit_bytes)}"
