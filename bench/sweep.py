"""The sweep against stub servers of known service time, and our own overhead.

Wall time of measure() over three stubs of 10, 40 and 100 ms, divided by the slowest stub's
own service time: 1.00 is a run that adds nothing (target: at most 1.05). In-process stubs
show the run alone; gRPC stubs add the transport of real variant sizes, which is part of
every latency. Then a null backend in the process, and a gRPC stub that takes 0 ms.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.support.errors import CannotRun
from bench.support.fake_backends import FakeBackend, NullBackend
from experiment.backends.base import Backend
from experiment.backends.connect import connect
from experiment.measure.run import measure
from experiment.records import BackendInfo, Plan, Variant

SERVICE_MS = (10, 40, 100)
# The ten default variants of a 12 MP photo of a cat: PNG and JPEG at 2048, 1024, 512, 256 and 128 px.
SIZES_BYTES = (4_600_000, 499_000, 1_247_000, 136_000, 329_000, 38_000, 88_000, 12_000, 24_000, 4_000)
PLAN = Plan(warmups=1, repeats=4)


def bench() -> list[str]:
    """The lines to print."""
    variants = [_variant(size) for size in SIZES_BYTES]
    with ExitStack() as stack:
        backends = [stack.enter_context(_stub(service_ms)) for service_ms in SERVICE_MS]
        instant = stack.enter_context(_stub(0))
        wall_s, slowest_lane_s = _wall_s(backends, variants)
        requests = (PLAN.warmups + PLAN.repeats) * len(variants)
        slowest_s = max(SERVICE_MS) / 1e3 * requests
        null = NullBackend(BackendInfo(name="null", protocol="null"))
        alone, with_grpc = _in_process(variants), wall_s / slowest_s
        lines = [
            f"wall / slowest's service time, in-process stubs  {alone:.3f}   (target <= 1.05)",
            f"wall / slowest's service time, gRPC stubs        {with_grpc:.3f}   (transport included)",
            f"wall / sum of the slowest's latencies, gRPC      {wall_s / slowest_lane_s:.3f}",
            f"one backend after another instead, computed      {sum(SERVICE_MS) / max(SERVICE_MS):.3f}",
            f"our overhead, null backend, p50                  {_p50_ms(null, variants[3]) * 1e3:.1f} us",
        ]
        for variant in (variants[3], variants[0]):
            size = f"{variant.size_bytes / 1e6:.2f} MB"
            lines.append(
                f"gRPC round trip with a 0 ms stub, {size}, p50    {_p50_ms(instant, variant):.2f} ms"
            )
    return lines


def _in_process(variants: list[Variant]) -> float:
    """The ratio against stubs that need no transport: what is left is the run's own doing."""
    backends: list[Backend] = [FakeBackend(f"{service_ms} ms", service_ms) for service_ms in SERVICE_MS]
    wall_s, _ = _wall_s(backends, variants)
    return wall_s / (max(SERVICE_MS) / 1e3 * (PLAN.warmups + PLAN.repeats) * len(variants))


def _wall_s(backends: list[Backend], variants: list[Variant]) -> tuple[float, float]:
    """Seconds that the run took, and the sum of the latencies of the slowest backend."""
    started = time.perf_counter()
    taken = list(measure(PLAN, variants, backends))
    wall_s = time.perf_counter() - started
    if any(one.prediction is None for one in taken):
        raise CannotRun("A stub server did not answer.")
    slowest = [one for one in taken if one.backend_name == backends[-1].info.name]
    return wall_s, sum(one.latency_ms or 0.0 for one in slowest) / 1e3


def _p50_ms(backend: Backend, variant: Variant) -> float:
    taken = measure(Plan(warmups=20, repeats=100), [variant], [backend])
    return statistics.median(
        one.latency_ms for one in taken if not one.is_warmup and one.latency_ms is not None
    )


@contextmanager
def stub_server(service_ms: float) -> Iterator[int]:
    """A stub in a process of its own; yields its port."""
    command = [sys.executable, "-m", "bench.support.stub_server", str(service_ms / 1e3)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.stdout.read()


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
