"""What traces do to measured latencies: the same requests with and without, in turns.

Two servers have no traces ("off" and "again"): how far their ratio is from 1 is what chance does on this
machine. The other two have traces on, with a collector that takes spans and with one that hangs.
"""

from __future__ import annotations

import os
import random
import statistics
import timeit
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from bench.support import servables
from bench.support.cores import client_and_server, on_core
from bench.support.figures import figure, ratios
from bench.support.processes import MODEL, server
from common import traces
from experiment.backends.connect import connected
from experiment.measure.run import measure
from experiment.records import BackendInfo, Plan, Variant

BLOCKS, REQUESTS = 40, 25
RUN = traces.SpanContext(1, 2)
MOST_RATIO = 1.02


def bench() -> Iterator[str]:
    """The lines to print."""
    client, core = client_and_server()
    photo = servables.photo_of()
    variant = Variant("photo", 224, 224, 224, "jpeg", 85, "", len(photo), "", 0.0, None, 0.0, data=photo)
    found: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        hangs, takes = (stack.enter_context(collector(hangs=each)) for each in (True, False))
        environs = {"off": {}, "again": {}, "on": takes, "hangs": hangs}
        infos = {}
        for name, environ in environs.items():
            with set_in_environ(environ):
                address = stack.enter_context(server(servables.default(), core)).address
            infos[name] = BackendInfo(name, address=address, model=MODEL, state="ready")
        stack.enter_context(on_core(client))  # last, because a child may use no more cores than its parent
        backends = {info.name: stack.enter_context(connected([info]))[0] for info in infos.values()}
        shuffled = random.Random(0)
        for _ in range(BLOCKS):
            for name in shuffled.sample(list(environs), len(environs)):
                traces.follow(RUN.traceparent if environs[name] else None)
                plan = Plan(repeats=REQUESTS, warmups=3)
                taken = [each for each in measure(plan, [variant], [backends[name]]) if not each.is_warmup]
                found[name].append(statistics.median(each.latency_ms or 0.0 for each in taken))
    traces.follow(None)
    p50_ms = statistics.median(found["off"])
    yield f"requests of {p50_ms:.2f} ms, {BLOCKS} blocks of {REQUESTS} each"
    yield figure("latency, off again / off", ratios(found["again"], found["off"]))
    yield figure("latency, traces on / off", ratios(found["on"], found["off"]), at_most=MOST_RATIO)
    yield figure("latency, collector hangs / off", ratios(found["hangs"], found["off"]), at_most=MOST_RATIO)
    off_us = min(timeit.repeat(one_request_off, number=10_000, repeat=5)) * 100
    share = off_us / p50_ms / 10
    yield f"traces off cost the client {off_us:.2f} us for each request, {share:.4f} % of it"


def one_request_off() -> None:
    """What a lane and a backend do for traces with each request."""
    traces.announce_request("1 CPU", 1.5)
    traces.outgoing()


@contextmanager
def set_in_environ(variables: dict[str, str]) -> Iterator[None]:
    """For the children that start within the block."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


@contextmanager
def collector(*, hangs: bool) -> Iterator[dict[str, str]]:
    """The variables that lead to a collector on loopback which takes everything, or never answers."""
    ended = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if hangs:
                ended.wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    Thread(target=listening.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{listening.server_port}"
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    finally:
        ended.set()
        listening.shutdown()
        listening.server_close()
