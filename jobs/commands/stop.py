"""stop: finish the jobs under way and end what `serve` runs from this data folder."""

from __future__ import annotations

import argparse

from experiment.cli.session import Session
from experiment.errors import PixelcostError
from experiment.wording import listed
from jobs.serving.running import all_running, stop

WAIT_S = 90.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `stop`."""
    parser.add_argument("name", nargs="?", help="of the queue (all)")
    parser.add_argument("--name", dest="name_option", metavar="NAME", help=argparse.SUPPRESS)


def run(options: argparse.Namespace, session: Session) -> int:
    """Stop them; 1 if one did not end in time."""
    name = options.name_option or options.name
    running = all_running(session.data_dir)
    chosen = [each for each in running if name in {None, each.stream}]
    if name and not chosen:
        known = f"Served are {listed([each.stream for each in running])}." if running else "None is served."
        raise PixelcostError(f"The queue {name} is not served from {session.data_dir}. {known}")
    if not chosen:
        session.say(f"Nothing is served from {session.data_dir}.")
    code = 0
    for each in chosen:
        if stop(session.data_dir, each, WAIT_S):
            session.output.print(f"{each.stream}: process {each.pid} has ended.")
        else:
            code = 1
            session.say(f"{each.stream}: process {each.pid} has not ended in {WAIT_S:.0f} s.")
    return code
