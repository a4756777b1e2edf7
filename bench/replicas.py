"""Two replicas of one core each behind one address, against one server on one core: does the rate double?

Both are kept busy by eight callers in alternate blocks (target: at least 1.9 times the rate). On a machine
of two cores the callers and the front, which is not pinned, take from the very cores that are measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

from bench.support import servables
from bench.support.callers import WARMUPS, asking, calling, rate_per_s, request_of
from bench.support.cores import client_and_server
from bench.support.figures import figure
from bench.support.processes import server

BLOCKS = 20
CALLERS, COUNT = 8, 80  # requests of a block
LEAST = 1.9


def bench(blocks: int = BLOCKS) -> Iterator[str]:
    """The lines to print."""
    first, last = client_and_server()
    request = request_of(servables.photo_of())
    with ExitStack() as stack:
        one = stack.enter_context(server(servables.default(), last))
        two = stack.enter_context(
            server(servables.default(), last, "--replicas=2", "--cpus=1", f"--cores={first},{last}")
        )
        ask_one = asking(stack.enter_context(calling(one.address)), request)
        ask_two = asking(stack.enter_context(calling(two.address)), request)
        for ask in (ask_one, ask_two):
            rate_per_s(ask, CALLERS, WARMUPS)
        ratios = []
        for block in range(blocks):
            order = (ask_one, ask_two) if block % 2 else (ask_two, ask_one)
            rates = {ask: rate_per_s(ask, CALLERS, COUNT) for ask in order}
            ratios.append(rates[ask_two] / rates[ask_one])
    cores = len(os.sched_getaffinity(0))
    yield f"{CALLERS} callers, {cores} cores for them, the front and the replicas together"
    yield figure("  rate of two replicas / rate of one server", ratios, at_least=LEAST)
