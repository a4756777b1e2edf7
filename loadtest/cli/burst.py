"""burst: many requests at once, and how long it takes until all are answered, by replicas and hosts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from common.arguments import argument
from common.checks import whole_text
from loadtest.arrivals.schedules import burst
from loadtest.cli.burst_replicas import run_on_replicas
from loadtest.cli.measured import Measured
from loadtest.cli.options import add_result_arguments, whole_numbers
from loadtest.cli.parts import Part, finished, measured_parts
from loadtest.cli.payload import add_payload_arguments, the_payload
from loadtest.cli.session import Session
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.errors import LoadRefused
from loadtest.send.load import offer
from loadtest.send.open_loop import MOST_IN_FLIGHT

MOST_REPLICAS = 1000
BURSTS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `burst`."""
    add_target_arguments(parser, required=False)
    add_payload_arguments(parser)
    add = parser.add_argument_group("schedule").add_argument
    sizes = whole_numbers(1, MOST_IN_FLIGHT)
    add("--requests", type=sizes, default=[20, 40], metavar="N,N", help="one burst of each size (20,40)")
    add = parser.add_argument_group("replicas").add_argument
    replicas = whole_numbers(1, MOST_REPLICAS)
    add(
        "--replicas",
        type=replicas,
        metavar="N,N",
        help="on each host; without --target embedded ones (1,2,4)",
    )
    add("--service", metavar="NAME", help="of Docker swarm or Kubernetes: it is scaled to each of --replicas")
    bursts = argument(whole_text(1, 1000))
    add("--bursts", type=bursts, default=BURSTS, metavar="N", help=f"of each size and number ({BURSTS})")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Send one burst after another. Returns the exit code."""
    if options.replicas or options.service or "," in (options.target or ""):
        return run_on_replicas(options, session)
    if options.target is None:
        raise LoadRefused("Name the server with --target, or how many embedded ones with --replicas 1,2,4.")
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
