"""The search for the breaking point on real backends: copies are made as they are asked for.

One request for each copy: it tells an answer, and no latency that would be worth showing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from experiment.axes import values_of
from experiment.backends.base import Backend, RequestFailed, reading_answers_of
from experiment.images.variants import make_copy
from experiment.labels import same_thing
from experiment.measure.breaking_point import Found, search, sizes_to_try
from experiment.measure.breaking_words import (
    at_once_words,
    cancelled_words,
    failed_words,
    flickers,
    found_words,
    never_changes,
    not_right_words,
)
from experiment.records import BreakingPoint, Label, Plan, SearchStep, SourceImage, Variant

# Both bisections with their neighbours, and the original: what a search takes at most, nearly always less.
NEIGHBOUR_REQUESTS = 12

OnStep = Callable[[str, SearchStep], None]


class Stopped(Exception):
    """Somebody asked for the end of the search."""


def find_breaking_points(
    source: SourceImage,
    reference: Variant,
    plan: Plan,
    backends: Sequence[Backend],
    cancel: threading.Event,
    on_step: OnStep = lambda name, step: None,
) -> Iterator[BreakingPoint]:
    """One backend after the other. `source` holds the pixels, `reference` its bytes as they were sent.

    JPEG in the plan's first quality, subsampling and filter. What is kept is the answer to the reference,
    or the source's true label.
    """
    copies = _Copies(source, plan)
    for backend in backends:
        yield _Search(copies, reference, plan, backend, cancel, on_step).outcome()


def most_requests(longest_px: int) -> int:
    """What the search on one backend takes at most, about: for a progress bar."""
    sizes = len(sizes_to_try(longest_px))
    return 1 + 2 + sizes.bit_length() + 7 + NEIGHBOUR_REQUESTS


class _Copies:
    """Copies of one photo, each made once."""

    def __init__(self, source: SourceImage, plan: Plan):
        self.source = source
        self.quality: int = values_of(plan, "jpeg_qualities")[0]
        self._subsampling: str = plan.subsamplings[0]
        self._resampler: str = values_of(plan, "resamplers")[0]
        self._made: dict[tuple[int, int], Variant] = {}

    @property
    def longest_px(self) -> int:
        return max(self.source.width_px, self.source.height_px)

    def copy(self, size_px: int, quality: int) -> Variant:
        key = (size_px, quality)
        if key not in self._made:
            settings = {"quality": quality, "subsampling": self._subsampling}
            self._made[key] = make_copy(self.source, size_px, self._resampler, "jpeg", settings)
        return self._made[key]


class _Search:
    """The search on one backend."""

    def __init__(
        self,
        copies: _Copies,
        reference: Variant,
        plan: Plan,
        backend: Backend,
        cancel: threading.Event,
        on_step: OnStep,
    ):
        self._copies = copies
        self._reference = reference
        self._timeout_s = plan.timeout_s
        self._backend = backend
        self._cancel = cancel
        self._on_step = on_step
        self._true_label = copies.source.true_label
        self._label: str | None = self._true_label
        self._steps: list[SearchStep] = []
        self._asked_reference = 0

    def outcome(self) -> BreakingPoint:
        """Whatever happens, as data."""
        try:
            return self._found_out()
        except RequestFailed as error:
            sentence = failed_words(self._backend.info.name, error.failure)
            return self._made("failed", sentence, failure=error.failure)
        except Stopped:
            return self._made("cancelled", cancelled_words(self._requests))

    def _found_out(self) -> BreakingPoint:
        answer = self._answer(self._reference)
        self._asked_reference = 1
        if self._true_label is None:
            self._label = answer.label
        elif not same_thing(answer.label, self._true_label):
            return self._made("not_right", not_right_words(answer.label, self._true_label))
        assert self._label is not None  # noqa: S101  set in either case
        found = search(self._copies.longest_px, self._copies.quality, self._step)
        if found.size_px is None:
            return self._made("at_once", at_once_words(self._steps[0], self._label))
        return self._place(found, self._label)

    def _place(self, found: Found, label: str) -> BreakingPoint:
        assert found.size_px is not None and found.quality is not None  # noqa: S101
        return self._made(
            "never" if never_changes(found) else "found",
            found_words(found, label, self._copies.quality),
            size_px=found.size_px,
            quality=found.quality,
            size_bytes=self._copies.copy(found.size_px, found.quality).size_bytes,
            flickers=flickers(found),
        )

    def _step(self, size_px: int, quality: int) -> SearchStep:
        """One copy asked for; the same one is not asked for again."""
        known = next((s for s in self._steps if (s.size_px, s.quality) == (size_px, quality)), None)
        if known is not None:
            return known
        variant = self._copies.copy(size_px, quality)
        answer = self._answer(variant)
        step = SearchStep(
            size_px, quality, variant.size_bytes, self._keeps(answer), answer.label, round(answer.score, 6)
        )
        self._steps.append(step)
        self._on_step(self._backend.info.name, step)
        return step

    def _keeps(self, answer: Label) -> bool:
        if self._true_label is not None:
            return same_thing(answer.label, self._true_label)
        return answer.label == self._label

    def _answer(self, variant: Variant) -> Label:
        if self._cancel.is_set():
            raise Stopped
        with reading_answers_of(self._backend.info):
            top = self._backend.predict(variant, self._timeout_s).top
        if not top:
            raise RequestFailed("bad_answer", f"{self._backend.info.name} answered without a label.")
        return top[0]

    @property
    def _requests(self) -> int:
        return self._asked_reference + len(self._steps)

    def _made(self, outcome: Any, sentence: str, **more: Any) -> BreakingPoint:
        return BreakingPoint(
            backend_name=self._backend.info.name,
            outcome=outcome,
            sentence=sentence,
            label=self._label,
            by_true_label=self._true_label is not None,
            requests=self._requests,
            steps=tuple(self._steps),
            **more,
        )
