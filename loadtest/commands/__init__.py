"""The commands of `python -m loadtest`: one file and one row for every command."""

from __future__ import annotations

from collections.abc import Mapping

from experiment.cli.commands import Command
from loadtest.commands import burst, capacity, cross_check, ladder, questions, rate, replay, users

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
