"""Twenty new versions of one model while requests come at a fixed rate, 70 % of what one core can do.

A version is put in place by renaming, as an exporter does; the server finds, loads and warms it beside the
old one. Targets: no request fails, and the p99 is at most 1.3 times that without switches. Each stretch with
switches has a steady one before it, and both a rate of their own: the machine may have changed meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.support import servables
from bench.support.callers import WARMUPS, asking, calling, p50_ms, request_of, times_ms
from bench.support.cores import client_and_server, on_core
from bench.support.figures import ratios
from bench.support.open_loop import OK, Outcome, offer
from bench.support.processes import server
from experiment.protocol import predict_pb2
from experiment.report.statistics import SAMPLES_FOR_P99, percentile

SWITCHES, STRETCHES = 20, 4  # so many switches in all, in so many stretches with a steady one before each
EVERY_S = 1.5
LOAD = 0.7
POLL_S = 0.2
TIMEOUT_S = 30.0
SETTLE_COUNT = 30
MOST_TIMES_STEADY = 1.3


def bench(switches: int = SWITCHES, stretches: int = STRETCHES) -> Iterator[str]:
    """The lines to print."""
    client, core = client_and_server()
    request = request_of(servables.photo_of())
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = servables.default() / "1"
        shutil.copytree(source, base / "1")
        served = stack.enter_context(server(base, core, f"--file_system_poll_wait_seconds={POLL_S}"))
        predict = stack.enter_context(calling(served.address))
        stack.enter_context(on_core(client))
        times_ms(asking(predict, request), WARMUPS)
        switches_each = switches // stretches
        steady, switching = [], []
        for stretch in range(stretches):
            rate_per_s = LOAD * 1e3 / p50_ms(asking(predict, request), SETTLE_COUNT)
            steady.append(_offered(predict, request, rate_per_s, switches_each))
            first = 2 + stretch * switches_each
            with _switching(base, source, range(first, first + switches_each)):
                switching.append(_offered(predict, request, rate_per_s, switches_each))
    yield from _lines(steady, switching)


def _offered(predict: Any, request: bytes, rate_per_s: float, switches: int) -> Outcome:
    return offer(predict, request, rate_per_s, (switches + 1) * EVERY_S, TIMEOUT_S, read=_version)


def _version(answer: bytes) -> int:
    return int(predict_pb2.PredictResponse.FromString(answer).model_spec.version.value)


@contextmanager
def _switching(base: Path, source: Path, numbers: range) -> Iterator[None]:
    """Meanwhile these versions appear one after another."""

    def put() -> None:
        for number in numbers:
            scratch = base / f".{number}"
            shutil.copytree(source, scratch)
            scratch.rename(base / str(number))
            stop.wait(EVERY_S)

    stop = threading.Event()
    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _lines(steady: list[Outcome], switching: list[Outcome]) -> Iterator[str]:
    quiet_ms, busy_ms = ([ms for part in parts for ms in part.latencies_ms] for parts in (steady, switching))
    codes = sum((outcome.codes for outcome in (*steady, *switching)), Counter[str]())
    failed = {code: count for code, count in codes.items() if code != OK}
    versions = {version for outcome in switching for version in outcome.others}
    p99s = [percentile(outcome.latencies_ms, 99) for outcome in (*steady, *switching)]
    half = len(p99s) // 2
    yield f"answered: {len(quiet_ms)} steady and {len(busy_ms)} while versions were switched"
    yield f"  failed: {failed or 0}, target 0; versions that answered: {len(versions)}"
    for name, times in (("steady", quiet_ms), ("switching", busy_ms)):
        yield f"  {name:9} p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms"
    enough = "" if len(busy_ms) >= SAMPLES_FOR_P99 else f" (too few for a p99: {SAMPLES_FOR_P99} needed)"
    ratio = percentile(busy_ms, 99) / percentile(quiet_ms, 99)
    shown = ", ".join(f"{value:.2f}" for value in sorted(ratios(p99s[half:], p99s[:half])))
    yield (
        f"  p99 while switching / steady: {ratio:.2f}, in each stretch {shown}, "
        f"target <= {MOST_TIMES_STEADY}{enough}"
    )
