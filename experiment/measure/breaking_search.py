"""find_breaking_points(): searches for the breaking point on real backends.

Copies are made as they are needed, and every copy is sent once: a single request shows an answer, not a
latency.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from experiment.backends.base import Backend, RequestFailed, reading_answers_of
from experiment.images.variants import make_copy
from experiment.labels import same_thing
from experiment.measure.breaking_point import search, sizes_to_try
from experiment.measure.breaking_words import found_words
from experiment.records import BreakingPoint, Label, Plan, SearchStep, SourceImage, Variant
from experiment.wording import count, short_label

NEIGHBOUR_REQUESTS = 12  # at most, of both bisections

# Called after every request with the backend's name, the step and the copy that was sent.
OnStep = Callable[[str, SearchStep, Variant], None]
Copy = Callable[[int, int], Variant]  # size_px and quality -> a copy of the photo


class Stopped(Exception):
    """The search was cancelled."""


def find_breaking_points(
    source: SourceImage,
    reference: Variant,
    plan: Plan,
    backends: Sequence[Backend],
    cancel: threading.Event,
    on_step: OnStep = lambda name, step, copy: None,
) -> Iterator[BreakingPoint]:
    """The breaking point on one backend after the other. `source` must have pixels, `reference` its bytes.

    Copies are JPEGs in the plan's first quality, subsampling and filter. The answer to keep is that to the
    reference, or the source's true label.
    """

    @cache
    def copy(size_px: int, quality: int) -> Variant:
        settings = {"quality": quality, "subsampling": plan.subsamplings[0]}
        return make_copy(source, size_px, plan.resamplers[0], "jpeg", settings)

    for backend in backends:
        yield _Search(source, copy, reference, plan, backend, cancel, on_step).outcome()


def most_requests(longest_px: int) -> int:
    """About how many requests the search on one backend takes at most, for a progress bar."""
    return 1 + 2 + len(sizes_to_try(longest_px)).bit_length() + 7 + NEIGHBOUR_REQUESTS


class _Search:
    """The search on one backend."""

    def __init__(
        self,
        source: SourceImage,
        copy: Copy,
        reference: Variant,
        plan: Plan,
        backend: Backend,
        cancel: threading.Event,
        on_step: OnStep,
    ):
        self._longest_px = max(source.width_px, source.height_px)
        self._copy = copy
        self._reference = reference
        self._plan = plan
        self._backend = backend
        self._cancel = cancel
        self._on_step = on_step
        self._true_label = source.true_label
        self._label = source.true_label
        self._steps: dict[tuple[int, int], SearchStep] = {}
        self._requests = 0  # that were answered

    def outcome(self) -> BreakingPoint:
        """The breaking point; its `outcome` says if the search failed or was cancelled."""
        try:
            return self._found()
        except RequestFailed as error:
            sentence = f"The search on {self._backend.info.name} ended early: {error.failure.message}"
            return self._point("failed", sentence, failure=error.failure)
        except Stopped:
            requests = count(self._requests, "request")
            return self._point("cancelled", f"Stopped after {requests}, before the smallest copy was found.")

    def _found(self) -> BreakingPoint:
        answer = self._answer(self._reference)
        if self._true_label is None:
            self._label = answer.label
        elif not same_thing(answer.label, self._true_label):
            names = f"{short_label(answer.label)}, not {short_label(self._true_label)}"
            sentence = f"The answer to the original is {names}: there is no right answer to keep."
            return self._point("not_right", sentence)
        assert self._label is not None  # noqa: S101  set in either case
        first_quality = self._plan.jpeg_qualities[0]
        found = search(self._longest_px, first_quality, self._step)
        if found.size_px is None or found.quality is None:
            first = next(iter(self._steps.values()))
            copy = f"the largest copy ({first.size_px} px, JPEG q{first.quality})"
            names = f"{short_label(first.label)} instead of {short_label(self._label)}"
            return self._point("at_once", f"Changes already at {copy}: {names}.")
        return self._point(
            "never" if found.never_changes else "found",
            found_words(found, self._label, first_quality),
            size_px=found.size_px,
            quality=found.quality,
            size_bytes=self._copy(found.size_px, found.quality).size_bytes,
            flickers=found.flickers,
        )

    def _step(self, size_px: int, quality: int) -> SearchStep:
        """The answer to a copy, which is sent only once."""
        key = (size_px, quality)
        if key not in self._steps:
            variant = self._copy(size_px, quality)
            answer = self._answer(variant)
            if self._true_label is None:
                keeps = answer.label == self._label
            else:
                keeps = same_thing(answer.label, self._true_label)
            score = round(answer.score, 6)
            self._steps[key] = SearchStep(size_px, quality, variant.size_bytes, keeps, answer.label, score)
            self._on_step(self._backend.info.name, self._steps[key], variant)
        return self._steps[key]

    def _answer(self, variant: Variant) -> Label:
        if self._cancel.is_set():
            raise Stopped
        with reading_answers_of(self._backend.info):
            top = self._backend.predict(variant, self._plan.timeout_s).top
        if not top:
            raise RequestFailed("bad_answer", f"{self._backend.info.name} answered without a label.")
        self._requests += 1
        return top[0]

    def _point(self, outcome: Any, sentence: str, **more: Any) -> BreakingPoint:
        return BreakingPoint(
            backend_name=self._backend.info.name,
            outcome=outcome,
            sentence=sentence,
            label=self._label,
            by_true_label=self._true_label is not None,
            requests=self._requests,
            steps=tuple(self._steps.values()),
            **more,
        )
