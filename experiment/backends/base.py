"""The interface that every backend has, and how its failures are worded.

grpc.py and rest.py implement it; connect() of connect.py opens the one that a BackendInfo names.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Protocol

from experiment.records import BackendInfo, Failure, Prediction, Variant
from experiment.wording import one_line, size, sized_name

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
CONNECT_S = 5.0  # a server 600 ms away needs two round trips, 2.4 s, before the first request can go
LONGEST_MESSAGE = 600  # characters; part of it is the server's own text

log = logging.getLogger(__name__)

_logged: set[tuple[str, type[Exception]]] = set()


class RequestFailed(Exception):
    """A request failed in an expected way: `failure` says how. lane.py makes a Measurement of it.

    It never leaves measure(), so it is not part of the tree in errors.py.

    >>> RequestFailed("deadline", "GPU did not answer within 60 s.").failure.code
    'deadline'
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.failure = Failure(code, one_line(message, LONGEST_MESSAGE))


class Backend(Protocol):
    """Something that classifies an encoded image."""

    info: BackendInfo

    def open(self, timeout_s: float) -> None:
        """Connect, so that no latency includes connecting. Never raises: the first request fails instead."""

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Classify `variant.data`: build the message, send it, wait, parse the answer.

        Raises RequestFailed for everything a backend can do wrong.
        """

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Have `variant.data` only decoded and resized: a prediction without labels.

        Called only if `info.decode_signature` is set. Raises RequestFailed.
        """

    def close(self) -> None:
        """Close the connection. The backend can't be used afterwards."""


@contextlib.contextmanager
def reading_answers_of(info: BackendInfo) -> Iterator[None]:
    """Turn any exception raised while an answer is parsed into RequestFailed("bad_answer").

    So an odd answer fails one request of one backend, never the run. The exception is still a bug of ours:
    it is logged once per backend and exception type, as it may come with every request.
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


def too_late(info: BackendInfo, what: str, timeout_s: float) -> RequestFailed:
    """The failure of a request for `what` whose deadline passed."""
    return RequestFailed("deadline", f"{info.name} did not answer within {timeout_s:g} s for {what}.")


def short_cause(details: str) -> str:
    """What a person can use of a network error: "connection refused", "the host name is not known"."""
    lowered = details.lower()
    for known in ("connection refused", "connection reset", "no route to host", "timed out"):
        if known in lowered:
            return known
    if "dns" in lowered or "name or service not known" in lowered or "resolve" in lowered:
        return "the host name is not known"
    if "tcp handshaker shutdown" in lowered:  # what gRPC says when its time to connect is over
        return "no connection in time"
    return one_line(details, 200) or "no reason given"
