"""Backends without a server, for benchmarks, tests and fuzzing.

NullBackend shows our own overhead; FakeBackend has a known service time and known answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from experiment.backends.base import describe, too_late
from experiment.records import BackendInfo, Label, Prediction, Variant


class NullBackend:
    """Answers at once, without a network: what remains is our own overhead."""

    def __init__(self, info: BackendInfo):
        self.info = info

    def open(self, timeout_s: float) -> None:
        """Nothing to connect to."""

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Answer with an empty prediction."""
        return Prediction(top=(), request_bytes=variant.size_bytes, response_bytes=0)

    decode = predict

    def close(self) -> None:
        """Nothing to give back."""


class FakeBackend:
    """An honest fake: its service time, answers and failures are what the test says.

    `service_ms` and `answer` may depend on the variant; `answer` may raise RequestFailed.
    Decoding alone takes half the service time. It waits on the clock, so latencies are real,
    but nothing is sent.
    """

    def __init__(
        self,
        name: str = "fake",
        service_ms: float | Mapping[str, float] = 0.0,
        answer: Callable[[Variant], tuple[Label, ...]] = lambda variant: (Label("tabby", 0.7),),
        info: BackendInfo | None = None,
    ):
        self.info = info or BackendInfo(name=name, protocol="fake", address="nowhere", state="ready")
        self._service_ms = service_ms
        self._answer = answer
        self.asked: list[str] = []  # ids of the variants, in the order of the requests

    def open(self, timeout_s: float) -> None:
        """Nothing to connect to."""

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Wait the service time, then answer; past `timeout_s` fail as a deadline does."""
        self.asked.append(variant.id)
        self._serve(self._service_s(variant), variant, timeout_s)
        return Prediction(self._answer(variant), request_bytes=variant.size_bytes, response_bytes=0)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Wait half the service time."""
        self._serve(self._service_s(variant) / 2, variant, timeout_s)
        return Prediction((), request_bytes=variant.size_bytes, response_bytes=0)

    def _service_s(self, variant: Variant) -> float:
        service = self._service_ms
        return (service if isinstance(service, int | float) else service[variant.id]) / 1e3

    def _serve(self, service_s: float, variant: Variant, timeout_s: float) -> None:
        time.sleep(min(service_s, timeout_s))
        if service_s > timeout_s:
            raise too_late(self.info, describe(variant), timeout_s)

    def close(self) -> None:
        """Nothing to give back."""
