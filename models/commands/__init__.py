"""The commands of `python -m models`: one file each, one row each.

A command's module has a docstring (its help), `add_arguments(parser)` and `run(options) -> int`, the exit
code. All are imported at every start, so what is slow to import (TensorFlow, converters) they import when
they run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Protocol

from models.commands import catalogue, check, convert, export, fetch


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace) -> int: ...


COMMANDS: Mapping[str, Command] = {
    "list": catalogue,
    "fetch": fetch,
    "export": export,
    "check": check,
    "convert": convert,
}
