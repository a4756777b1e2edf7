"""The commands of `python -m models`: one file and one row for every command. That of `install` is in
`models/remote`, so that an image runs it without TensorFlow.

A command's module has a docstring (its help), `add_arguments(parser)` and `run(options)`, which returns the
exit code. All modules are imported at every start, so they import what is slow (TensorFlow, converters) only
when they run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Protocol

from models.commands import check, convert, export, fetch, list_models
from models.remote import command as install


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace) -> int: ...


COMMANDS: Mapping[str, Command] = {
    "list": list_models,
    "fetch": fetch,
    "export": export,
    "check": check,
    "convert": convert,
    "install": install,
}
