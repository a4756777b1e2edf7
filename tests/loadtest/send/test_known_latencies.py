"""Latencies that are known exactly beforehand: a stopped server, and a queue with one server.

The machine may be busy. What can never be is asserted of every try: a latency below the known one, a request
that was left out. Latencies above the known ones by more than the tolerance have three tries.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence

from experiment.report.statistics import percentile
from loadtest.arrivals.schedules import even, poisson
from loadtest.cross_check.stub import running_stub
from loadtest.payloads.images import image_payload
from loadtest.records import Taken
from loadtest.send.load import offer
from loadtest.send.recording import Watch
from tests.support.load.queues import latencies_s, latencies_with_a_stop_s

TRIES = 3
STOP_S = 1.4
CLOCK_MS = 2.0  # between this process's clocks and the moments at which a signal takes effect
EDGE_S = 0.1  # after the stop, in which a request may still have been answered
PERCENTS = (50, 90, 99)

# What was taken, the known latencies in seconds, and those below which no latency can be.
Measured = tuple[Taken, Sequence[float], Sequence[float]]


def payload_for(info):
    return image_payload(info, [b"a picture"], ["a"])


def assert_known(measure: Callable[[], Measured], within: float, within_ms: float) -> None:
    """The percentiles lie within a share of the known ones, or within some ms, in one of the tries.

    On a busy machine requests are sent late, which is measured, and answered late as well: the tolerance is
    wider by three times that.
    """
    for left in reversed(range(TRIES)):
        taken, known_s, least_s = measure()
        assert all(sample.ok for sample in taken.samples)
        for sample, least in zip(taken.samples, least_s, strict=True):
            assert sample.latency_ms >= 1e3 * least - CLOCK_MS
        latencies_ms = [sample.latency_ms for sample in taken.samples]
        known_ms = [1e3 * each for each in known_s]
        busy_ms = 3 * percentile([1e3 * (sample.sent_s - sample.due_s) for sample in taken.samples], 99)
        found = [(percentile(latencies_ms, each), percentile(known_ms, each)) for each in PERCENTS]
        if all(abs(ours - known) <= max(within * known, within_ms) + busy_ms for ours, known in found):
            return
        assert left, (found, busy_ms)


class Stopping:
    """Stops a process for STOP_S, some time after its first answer."""

    def __init__(self, pid: int, after_s: float):
        self._pid, self._after_s = pid, after_s
        self.answered = threading.Event()
        self._thread = threading.Thread(target=self._stop)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._thread.join()

    def _stop(self):
        self.answered.wait(60)
        time.sleep(self._after_s)
        os.kill(self._pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._pid, os.WSTOPPED)
        self.began_at = time.time()
        time.sleep(STOP_S)
        self.ended_at = time.time()
        os.kill(self._pid, signal.SIGCONT)


def test_a_server_that_stands_still_has_the_p99_that_the_schedule_dictates():
    due_s = even(
        100, 4
    )  # in 3 s the stop and the queue behind it would be half of all, and the p50 at its edge

    def measure():
        with running_stub(service_ms=20) as stub:
            with Stopping(stub.pid, after_s=0.8) as stopping:
                watch = Watch(on_sample=lambda sample: stopping.answered.set())
                taken = offer(stub.grpc, payload_for(stub.grpc), due_s, 30, watch)
            stop_s, go_on_s = (at - taken.started_at for at in (stopping.began_at, stopping.ended_at))
        known_s = latencies_with_a_stop_s(due_s, 0.020, stop_s, go_on_s)
        return taken, known_s, latencies_with_a_stop_s(due_s, 0.020, stop_s + EDGE_S, go_on_s)

    assert_known(measure, within=0.05, within_ms=10)


def test_a_queue_with_one_server_has_the_latencies_of_lindleys_recursion(tmp_path):
    due_s = poisson(45, 3, seed=5)
    generator = random.Random(5)
    service_ms = [generator.choice((10.0, 15.0, 25.0)) for _ in due_s]
    (tmp_path / "times").write_text("\n".join(map(str, service_ms)))
    known_s = latencies_s(due_s, [each / 1e3 for each in service_ms])
    assert max(known_s) > 0.060  # a queue forms
    # A busy machine may write two requests in the other order: then one takes the other's turn.
    ends_s = [due + known for due, known in zip(due_s, known_s, strict=True)]
    least_s = [max(0.010, before - due) for before, due in zip([0.0, *ends_s], due_s, strict=False)]

    def measure():
        with running_stub(times=tmp_path / "times", one_at_a_time=True) as stub:
            # One HTTP/2 connection, in which requests stay in the order in which they were written.
            taken = offer(stub.grpc, payload_for(stub.grpc), due_s, timeout_s=30, warmups=0)
        return taken, known_s, least_s

    assert_known(measure, within=0.05, within_ms=5)
