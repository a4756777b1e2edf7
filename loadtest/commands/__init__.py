"""The commands of `python -m loadtest`: one file and one row for every command.

A command's module has a docstring (its help), `add_arguments(parser)` and `run(options, session)`, which
returns the exit code. All modules are imported at every start, so they import what is slow when they run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Protocol

from loadtest.cli.session import Session
from loadtest.commands import burst, capacity, cross_check, ladder, questions, rate, replay, users


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, session: Session) -> int: ...


COMMANDS: Mapping[str, Command] = {
    "rate": rate,
    "burst": burst,
    "ladder": ladder,
    "capacity": capacity,
    "replay": replay,
    "cross-check": cross_check,
    "questions": questions,
    "users": users,
}
