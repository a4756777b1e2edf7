"""Command lines with several commands, such as `python -m loadtest` and `python -m jobs`.

A command is a module with a docstring (its help), `add_arguments(parser)` and `run(options, session)`, which
returns the exit code. All modules are imported at every start, so they import what is slow when they run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from typing import Protocol

from rich.console import Console

from common.installed import as_typed
from experiment.cli.session import Session
from experiment.embedded.models_cli import StartStopped
from experiment.errors import PixelcostError
from experiment.settings import SharedSettings, read_settings

INTERRUPTED = 130
LEAVE_S = 3.0  # after a second Ctrl-C, for what can be closed
PIPE_WIDTH = 132  # columns of a table if stdout is not a terminal


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, session: Session) -> int: ...


def run_command(
    program: str,
    about: str,
    commands: Mapping[str, Command],
    arguments: Sequence[str] | None,
    check: Callable[[argparse.Namespace], None] = lambda options: None,
) -> int:
    """Read the arguments and run a command. Returns its exit code: 2 for a PixelcostError, whose message is
    printed, also for one of `check`; 130 if it was interrupted."""
    options = parser_of(as_typed(program), about, commands).parse_args(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # its encoding may lack characters of names
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    try:
        check(options)
        return commands[options.command].run(options, _session(options, console))
    except (StartStopped, KeyboardInterrupt):
        return INTERRUPTED
    except PixelcostError as error:
        console.print(error.message, style="bold red", soft_wrap=True)
        return 2


def _session(options: argparse.Namespace, console: Console) -> Session:
    servers = {"TF_SERVERS": options.servers} if getattr(options, "servers", None) else {}
    settings = read_settings(SharedSettings, os.environ | servers)
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    output = Console(highlight=False, markup=False, emoji=False, width=width)
    cancel = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _stop(cancel))
    return Session(settings, console, output, cancel)


def _stop(cancel: threading.Event) -> None:
    """The first time a command finishes what is under way; the second time it does not.

    Then nothing may keep the program: a gRPC channel that is interrupted while it opens never closes.
    """
    if cancel.is_set():
        leave = threading.Timer(LEAVE_S, os._exit, (INTERRUPTED,))
        leave.daemon = True
        leave.start()
        raise KeyboardInterrupt
    cancel.set()


def parser_of(program: str, about: str, commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of a program with these commands."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    added = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in commands.items():
        about = (module.__doc__ or "").splitlines()[0].partition(": ")[2]
        module.add_arguments(added.add_parser(name, help=about, description=about))
    return parser
