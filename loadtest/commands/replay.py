"""replay: requests at the times of a recorded load, or of a file of intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiment.cli.session import Session
from loadtest.arrivals.files import from_intervals, is_json, read_intervals, read_recorded
from loadtest.arrivals.limits import check_schedule
from loadtest.arrivals.schedules import mean_rate
from loadtest.cli.options import add_result_arguments, any_number
from loadtest.cli.parts import Part, finished, measured_parts, only
from loadtest.cli.payload import add_payload_arguments, the_payload
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.errors import LoadRefused
from loadtest.send.load import offer

MOST_SPEED = 1000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `replay`."""
    what = "written by perf_analyzer --profile-export-file, a load.json or its folder, or intervals"
    parser.add_argument("file", type=Path, metavar="FILE", help=what)
    parser.add_argument("--speed", type=any_number, default=1.0, metavar="N", help="2: twice as fast (1)")
    add_target_arguments(parser)
    add_payload_arguments(parser)
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Send the load. Returns the exit code."""
    due_s = _due_s(options.file, options.speed)
    with the_target(options, session) as info:
        payload = the_payload(options, info, len(due_s), options.seed)
        limit_s = timeout_s(options, session)
        part = Part(
            title=options.file.name,
            send=lambda watch: offer(info, payload, due_s, limit_s, watch),
            arrivals="intervals",
            offered_per_s=mean_rate(due_s),
            planned_s=due_s[-1],
        )
        done = measured_parts("rate", info, payload, only(part), options, session)
    return finished(done, session)


def _due_s(file: Path, speed: float) -> list[float]:
    if not 1 / MOST_SPEED <= speed <= MOST_SPEED:
        raise LoadRefused(f"A load can't be replayed {speed:g} times as fast: choose 0.001 to 1,000.")
    file = file / "load.json" if file.is_dir() else file
    recorded = read_recorded(file) if is_json(file) else from_intervals(read_intervals(file))
    due_s = [due / speed for due in recorded]
    check_schedule(due_s, str(file))
    return due_s
