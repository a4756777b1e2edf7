"""rate: open loop, requests at a rate however long the answers take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from experiment.cli.session import Session
from loadtest.arrivals.files import from_intervals, read_intervals
from loadtest.arrivals.limits import check_rate, check_schedule, check_seconds
from loadtest.arrivals.schedules import Schedule, even, mean_rate, poisson
from loadtest.arrivals.steps import stepped, steps_of
from loadtest.cli.options import add_result_arguments, any_number
from loadtest.cli.parts import Part, finished, measured_parts, only
from loadtest.cli.payload import add_payload_arguments, the_payload
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.errors import LoadRefused
from loadtest.records import Arrivals
from loadtest.send.load import offer

SECONDS = 60.0


class Planned(NamedTuple):
    """A schedule, and what it is called."""

    title: str
    arrivals: Arrivals
    due_s: Schedule
    seconds: float
    rate_per_s: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rate`."""
    add_target_arguments(parser)
    add_payload_arguments(parser)
    add = parser.add_argument_group("schedule").add_argument
    add("--rate", type=any_number, metavar="N", help="requests per second")
    add("--seconds", type=any_number, metavar="S", help="for how long (60)")
    how = "even, poisson (independent users), or a file with microseconds between requests (even)"
    add("--arrivals", default="even", metavar="even|poisson|FILE", help=how)
    add("--steps", metavar="N:S,N:S", help="instead of --rate and --seconds: 10:5,100:1,10:5")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Send the load. Returns the exit code."""
    planned = plan(options)
    with the_target(options, session) as info:
        payload = the_payload(options, info, len(planned.due_s), options.seed)
        limit_s = timeout_s(options, session)
        part = Part(
            title=planned.title,
            send=lambda watch: offer(info, payload, planned.due_s, limit_s, watch),
            arrivals=planned.arrivals,
            offered_per_s=planned.rate_per_s,
            planned_s=planned.seconds,
        )
        done = measured_parts("rate", info, payload, only(part), options, session)
    return finished(done, session)


def plan(options: argparse.Namespace) -> Planned:
    """The schedule that the options ask for. Raises LoadRefused."""
    if options.steps is not None:
        return _steps(options)
    if options.arrivals not in {"even", "poisson"}:
        return _file(options)
    if options.rate is None:
        raise LoadRefused("Name the load: --rate 100 --seconds 60, or --steps 10:5,100:1,10:5.")
    seconds = SECONDS if options.seconds is None else options.seconds
    check_rate(options.rate, seconds)
    is_even = options.arrivals == "even"
    due_s = even(options.rate, seconds) if is_even else poisson(options.rate, seconds, options.seed)
    title = f"{options.rate:,g}/s"
    check_schedule(due_s, f"{title} for {seconds:g} s")
    return Planned(title, options.arrivals, due_s, seconds, len(due_s) / seconds)


def _steps(options: argparse.Namespace) -> Planned:
    if options.rate is not None or options.seconds is not None:
        raise LoadRefused("--steps has its own rates and times: leave out --rate and --seconds.")
    if options.arrivals not in {"even", "poisson"}:
        raise LoadRefused("--steps can't be combined with a file of --arrivals: choose one of them.")
    steps = steps_of(options.steps)
    due_s = stepped(steps, options.seed if options.arrivals == "poisson" else None)
    check_schedule(due_s, f"--steps {options.steps}")
    seconds = sum(step.seconds for step in steps)
    return Planned(options.steps, "steps", due_s, seconds, len(due_s) / seconds)


def _file(options: argparse.Namespace) -> Planned:
    if not Path(options.arrivals).exists():
        raise LoadRefused(f"--arrivals {options.arrivals} is neither even nor poisson, nor a file.")
    if options.rate is not None:
        raise LoadRefused(f"{options.arrivals} sets the rate: leave out --rate, or choose even or poisson.")
    if options.seconds is not None:
        check_seconds(options.seconds)
    due_s = from_intervals(read_intervals(Path(options.arrivals)), options.seconds)
    rate_per_s = len(due_s) / options.seconds if options.seconds else mean_rate(due_s)
    return Planned(Path(options.arrivals).name, "intervals", due_s, options.seconds or due_s[-1], rate_per_s)
