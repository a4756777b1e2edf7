"""burst: many requests at once, and how long it takes until all are answered."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from loadtest.arrivals.schedules import burst
from loadtest.cli.measured import Measured
from loadtest.cli.options import add_result_arguments, whole_numbers
from loadtest.cli.parts import Part, finished, measured_parts
from loadtest.cli.payload import add_payload_arguments, the_payload
from loadtest.cli.session import Session
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.send.load import offer
from loadtest.send.open_loop import MOST_IN_FLIGHT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `burst`."""
    add_target_arguments(parser)
    add_payload_arguments(parser)
    add = parser.add_argument_group("schedule").add_argument
    sizes = whole_numbers(1, MOST_IN_FLIGHT)
    add("--requests", type=sizes, default=[20, 40], metavar="N,N", help="one burst of each size (20,40)")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Send one burst after another. Returns the exit code."""
    with the_target(options, session) as info:
        payload = the_payload(options, info, max(options.requests), options.seed)
        limit_s = timeout_s(options, session)

        def next_part(done: Sequence[Measured]) -> Part | None:
            if len(done) == len(options.requests):
                return None
            due_s = burst(options.requests[len(done)])
            title = f"{len(due_s):,} at once"
            return Part(title, lambda watch: offer(info, payload, due_s, limit_s, watch), "burst")

        done = measured_parts("burst", info, payload, next_part, options, session)
    return finished(done, session, " ".join(map(_sentence, done.parts)))


def _sentence(part: Measured) -> str:
    answered = part.summary.count - part.summary.failures
    return f"{part.title}: {answered:,} answered within {part.load.taken.seconds:.2f} s."
