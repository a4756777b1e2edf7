"""The sweep against stub servers of known service time, and our own overhead.

Wall time of measure() over three gRPC stubs of 10, 40 and 100 ms, divided by the slowest
stub's own service time: 1.00 is a run that adds nothing (target: at most 1.05). Then the
latency that is ours alone: a null backend in the process, and a gRPC stub that takes 0 ms.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from experiment.backends import Backend, connect
from experiment.records import BackendInfo, Plan, Variant
from experiment.run import measure

SERVICE_MS = (10, 40, 100)
SIZES_BYTES = (4_800_000, 1_260_000, 350_000, 110_000, 11_000)
PLAN = Plan(warmups=1, repeats=6)


def bench() -> list[str]:
    """The lines to print."""
    variants = [_variant(size) for size in SIZES_BYTES]
    with ExitStack() as stack:
        backends = [stack.enter_context(_stub(service_ms)) for service_ms in SERVICE_MS]
        instant = stack.enter_context(_stub(0))
        wall_s = _wall_s(backends, variants)
        requests = (PLAN.warmups + PLAN.repeats) * len(variants)
        slowest_s = max(SERVICE_MS) / 1e3 * requests
        null = connect(BackendInfo(name="null", protocol="null"))
        lines = [
            f"wall time / slowest backend's own service time   {wall_s / slowest_s:.3f}   (target <= 1.05; "
            f"{len(SERVICE_MS)} stubs, {requests} requests each, {wall_s:.2f} s / {slowest_s:.2f} s)",
            f"the same one backend after another, computed      {sum(SERVICE_MS) / max(SERVICE_MS):.3f}",
            f"our overhead, null backend, p50                  {_p50_ms(null, variants[3]) * 1e3:.1f} us",
        ]
        for variant in (variants[3], variants[0]):
            size = f"{variant.size_bytes / 1e6:.2f} MB"
            lines.append(
                f"gRPC round trip with a 0 ms stub, {size}, p50    {_p50_ms(instant, variant):.2f} ms"
            )
    return lines


def _wall_s(backends: list[Backend], variants: list[Variant]) -> float:
    started = time.perf_counter()
    count = sum(measurement.prediction is not None for measurement in measure(PLAN, variants, backends))
    wall_s = time.perf_counter() - started
    if count != (PLAN.warmups + PLAN.repeats) * len(variants) * len(backends):
        raise RuntimeError(f"only {count} requests were answered")
    return wall_s


def _p50_ms(backend: Backend, variant: Variant) -> float:
    taken = measure(Plan(warmups=20, repeats=100), [variant], [backend])
    return statistics.median(
        each.latency_ms for each in taken if not each.is_warmup and each.latency_ms is not None
    )


@contextmanager
def stub_server(service_ms: float) -> Iterator[int]:
    """A stub in a process of its own; yields its port."""
    command = [sys.executable, "-m", "bench.stub_server", str(service_ms / 1e3)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


@contextmanager
def _stub(service_ms: float) -> Iterator[Backend]:
    with stub_server(service_ms) as port:
        backend = connect(BackendInfo(name=f"{service_ms} ms", address=f"127.0.0.1:{port}", state="ready"))
        try:
            yield backend
        finally:
            backend.close()


def _variant(size_bytes: int) -> Variant:
    data = bytes(size_bytes)
    return Variant(
        id=f"{size_bytes}",
        size_px=1,
        width_px=1,
        height_px=1,
        format="png",
        quality=None,
        encoder="zeros",
        size_bytes=size_bytes,
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=None,
        resize_ms=None,
        encode_ms=None,
        data=data,
    )


if __name__ == "__main__":
    print("\n".join(bench()))
