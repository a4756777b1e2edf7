"""What a request costs as it grows: a model that computes nothing, against the same bytes over plain TCP.

The answer is small. Beside it stands a gRPC server in Python that reads nothing and does nothing.
Target: a request of 4.8 MB, a photo of 2048 px as PNG, takes at most 2.5 times as long as over TCP.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from bench.support import servables
from bench.support.callers import asking, calling, p50_ms, request_of, sending
from bench.support.cores import client_and_server, on_core
from bench.support.figures import figure, ratios
from bench.support.processes import echoes, server
from bench.support.side_by_side import by_turns

SIZES_BYTES = (64_000, 256_000, 1_260_000, 4_800_000, 8_000_000)
PNG_BYTES = 4_800_000  # of these sizes the one with a target
BLOCKS = 20
COUNT = 5  # requests of each kind in a block
MOST_TIMES_TCP = 2.5

Ways = dict[str, Callable[[], object]]


def bench(sizes_bytes: Sequence[int] = SIZES_BYTES, blocks: int = BLOCKS) -> Iterator[str]:
    """The lines to print."""
    client, core = client_and_server()
    with ExitStack() as stack:
        served = stack.enter_context(server(servables.made("null"), core))
        predict = stack.enter_context(calling(served.address))
        answer_bytes = len(predict(request_of(b"any")))
        bare = stack.enter_context(echoes(core, answer_bytes))
        echo = stack.enter_context(calling(bare.grpc_address))
        stack.enter_context(on_core(client))
        for size_bytes in sizes_bytes:
            request = request_of(bytes(size_bytes))
            with sending(bare.tcp_port, request, answer_bytes) as send:
                ways: Ways = {
                    "tcp": send,
                    "echo": asking(echo, request),
                    "served": asking(predict, request),
                }
                timed = {name: functools.partial(p50_ms, way, COUNT) for name, way in ways.items()}
                yield from _lines(size_bytes, by_turns(timed, blocks))


def _lines(size_bytes: int, found: dict[str, list[float]]) -> Iterator[str]:
    tcp_ms, echo_ms, served_ms = (statistics.median(found[name]) for name in ("tcp", "echo", "served"))
    yield f"{size_bytes / 1e6:.2f} MB: TCP {tcp_ms:.3f}, bare gRPC {echo_ms:.3f}, served {served_ms:.3f} ms"
    target = MOST_TIMES_TCP if size_bytes == PNG_BYTES else None
    yield figure("  served / TCP", ratios(found["served"], found["tcp"]), at_most=target)
    yield figure("  served / bare gRPC", ratios(found["served"], found["echo"]))
