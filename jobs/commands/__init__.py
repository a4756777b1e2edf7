"""The commands of `python -m jobs`: one file and one row for every command.

A command's module has a docstring (its help), `add_arguments(parser)` and `run(options, session)`, which
returns the exit code. All modules are imported at every start, so they import what is slow when they run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Protocol

from jobs.commands import bench, dead, list_jobs, quick_start, serve, stop
from jobs.commands.session import Session


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, session: Session) -> int: ...


COMMANDS: Mapping[str, Command] = {
    "serve": serve,
    "stop": stop,
    "list": list_jobs,
    "dead": dead,
    "bench": bench,
    "quick_start": quick_start,
}
