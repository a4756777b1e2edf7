"""The one interface that every backend has, how its failures are worded, and two backends without a server.

The null backend measures our own overhead; the fake has a known service time, for tests. Those
with a server are in grpc_backend.py and rest_backend.py; connect.py gives the one that is wanted.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from experiment.records import BackendInfo, Failure, Label, Prediction, Variant
from experiment.wording import size, sized_name, told

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
CONNECT_S = 5.0  # a server 600 ms away needs two round trips, 2.4 s, before the first request can go
LONGEST_MESSAGE = 600  # characters; part of it is the server's own text

log = logging.getLogger(__name__)

_logged: set[tuple[str, type[Exception]]] = set()


class RequestFailed(Exception):
    """One request failed in an expected way. run.py turns it into a Measurement."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.failure = Failure(code, told(message, LONGEST_MESSAGE))


class Backend(Protocol):
    """Something that classifies an encoded image."""

    info: BackendInfo

    def open(self, timeout_s: float) -> None:
        """Connect, so that no latency holds the time for it. Never raises: the first request tells."""

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Classify `variant.data`. Builds the message, sends it, waits and parses.

        Raises RequestFailed for everything a backend can do wrong.
        """

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Have `variant.data` only decoded and resized: a prediction without labels.

        Asked only where `info.decode_signature` is there. Raises RequestFailed.
        """

    def close(self) -> None:
        """Give back the connection. The backend can't be used afterwards."""


@contextlib.contextmanager
def reading_answers_of(info: BackendInfo) -> Iterator[None]:
    """Make whatever an answer makes our code raise a failure of that backend alone.

    The exception is a bug of ours all the same, so it is logged: once for each backend and kind, for it
    may come with every request.
    """
    try:
        yield
    except RequestFailed:
        raise
    except Exception as bug:
        if (info.name, type(bug)) not in _logged:
            _logged.add((info.name, type(bug)))
            log.exception("an answer of %s could not be read", info.name)
        raise RequestFailed(
            "bad_answer", f"{info.name} answered something that can't be read ({type(bug).__name__})."
        ) from bug


def describe(variant: Variant) -> str:
    """The variant as error messages name it: "2048 px PNG (2.4 MB)"."""
    return f"{sized_name(variant)} ({size(variant.size_bytes)})"


def too_late(info: BackendInfo, variant: Variant, timeout_s: float) -> RequestFailed:
    """The failure of a request whose deadline passed."""
    return RequestFailed(
        "deadline",
        f"{info.name} did not answer within {timeout_s:g} s for {describe(variant)}. "
        "Other results are unaffected.",
    )


def short_cause(details: str) -> str:
    """The part of a transport's message that a person can use."""
    lowered = details.lower()
    for known in ("connection refused", "connection reset", "no route to host", "timed out"):
        if known in lowered:
            return known
    if "dns" in lowered or "name or service not known" in lowered or "resolve" in lowered:
        return "the host name is not known"
    if "tcp handshaker shutdown" in lowered:  # gRPC's words when its time to connect is over
        return "no connection in time"
    return told(details, 200) or "no reason given"


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
            raise too_late(self.info, variant, timeout_s)

    def close(self) -> None:
        """Nothing to give back."""
