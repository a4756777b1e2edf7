"""Lane: sends the requests of one backend, one after another.

Its Patience decides when to stop sending to a backend that does not answer. A Turnstile lets the lanes of
backends that share cores take turns.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace

from common import traces
from experiment.backends.base import CONNECT_S, Backend, RequestFailed, reading_answers_of
from experiment.measure.schedule import Request
from experiment.records import NOT_SENT, Failure, Measurement, Prediction, Variant
from experiment.wording import format_name

# Once a backend has not answered for this long, or this often, the rest of its requests are recorded as not
# sent, so that the run can end.
PATIENCE_S = 20.0  # an embedded server restarts and loads its model within about 10 s
DEADLINES_IN_A_ROW = 3


def plausible_ms(server_ms: Mapping[str, float], latency_ms: float) -> dict[str, float]:
    """A server's stage times without those that are longer than the whole request."""
    return {name: time_ms for name, time_ms in server_ms.items() if time_ms <= latency_ms}


class Lane:
    """The stream of requests to one backend. `turnstile` is None if it shares no cores with others."""

    def __init__(
        self,
        backend: Backend,
        requests: Iterator[Request],
        timeout_s: float,
        turnstile: Turnstile | None,
        stop: threading.Event,
    ):
        self._backend = backend
        self._requests = requests
        self._timeout_s = timeout_s
        self._turnstile = turnstile
        self._stop = stop
        self._patience = Patience(PATIENCE_S, DEADLINES_IN_A_ROW, is_on_trial=not backend.info.answers)

    def measurements(self) -> Iterator[Measurement]:
        """Connect, then send requests until the schedule ends, the run is stopped or patience is used up."""
        self._backend.open(min(CONNECT_S, self._timeout_s))
        for request in self._requests:
            if self._stop.is_set():
                return
            if self._patience.why:
                name = self._backend.info.name
                message = f"Not sent: {name} had stopped answering. {self._patience.why}"
                yield self._record(request, time.time(), failure=Failure(NOT_SENT, message))
                continue
            if not self._backend.info.reads_format(request.variant.format):
                yield self._record(request, time.time(), failure=self._unread(request.variant))
                continue
            with self._turnstile or contextlib.nullcontext():
                measurement = self._send(request)
            yield measurement
            self._stop.wait(self._patience.pause_s(measurement.failure))

    def _unread(self, variant: Variant) -> Failure:
        message = f"Not sent: {self._backend.info.name} can't read {format_name(variant.format)}."
        return Failure(NOT_SENT, message)

    def _send(self, request: Request) -> Measurement:
        prediction: Prediction | None = None
        failure: Failure | None = None
        started_at = time.time()
        traces.announce_request(self._backend.info.name, started_at)
        started = time.perf_counter()
        try:
            send = self._backend.predict if request.asked_for == "predict" else self._backend.decode
            with reading_answers_of(self._backend.info):
                prediction = send(request.variant, self._timeout_s)
        except RequestFailed as error:
            failure = error.failure
            if failure.code == "deadline":
                failure = replace(failure, message=f"{failure.message} Other results are unaffected.")
        latency_ms = (time.perf_counter() - started) * 1e3
        if prediction is not None:
            prediction = replace(prediction, server_ms=plausible_ms(prediction.server_ms, latency_ms))
        return self._record(request, started_at, latency_ms, prediction, failure)

    def _record(
        self,
        request: Request,
        started_at: float,
        latency_ms: float | None = None,
        prediction: Prediction | None = None,
        failure: Failure | None = None,
    ) -> Measurement:
        return Measurement(
            variant_id=request.variant.id,
            backend_name=self._backend.info.name,
            attempt=request.attempt,
            is_warmup=request.is_warmup,
            started_at=started_at,
            latency_ms=latency_ms,
            prediction=prediction,
            failure=failure,
            asked_for=request.asked_for,
        )


class Patience:
    """How long to go on sending to a backend that does not answer. `why` says why it is used up, if it is.

    `is_on_trial`: it did not answer before the run, so its first failure is enough.
    """

    def __init__(self, patience_s: float, deadlines_in_a_row: int, *, is_on_trial: bool = False):
        self._is_on_trial = is_on_trial
        self._patience_s = patience_s
        self._deadlines_allowed = deadlines_in_a_row
        self._deadlines = 0
        self._silent_since: float | None = None
        self._pause_s = 0.0
        self.why = ""

    def pause_s(self, failure: Failure | None) -> float:
        """Seconds to wait before the next request, after one that failed (or not: None)."""
        if self._is_on_trial and failure is not None:
            self.why = f"It did not answer before the run either. {failure.message}"
            return 0.0
        self._is_on_trial = False
        if failure is None or failure.code not in {"unreachable", "deadline"}:
            self._deadlines, self._silent_since, self._pause_s = 0, None, 0.0
            return 0.0
        if failure.code == "deadline":
            self._deadlines += 1
            if self._deadlines >= self._deadlines_allowed:
                passed = f"{self._deadlines} requests in a row" if self._deadlines > 1 else "A request"
                self.why = f"{passed} passed the time limit."
            return 0.0
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= self._patience_s:
            self.why = f"It could not be reached for {now - self._silent_since:.0f} s."
            return 0.0
        self._pause_s = min(2.0, max(0.25, self._pause_s * 2))
        return self._pause_s


class Turnstile:
    """A fair lock: waiting lanes get it in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            my_turn = threading.Event()
            self._waiting.append(my_turn)
        my_turn.wait()

    def __exit__(self, *exc: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
