"""python -m jobs: queue serving, for clients of Cluster Serving and others.

Exit codes: 0 it ended as asked; 1 jobs failed; 2 wrong input or settings, or Redis, a model or an engine that
can't be used; 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper

from rich.console import Console

from experiment.embedded.models_cli import StartStopped
from experiment.errors import PixelcostError
from experiment.settings import SharedSettings, read_settings
from jobs.commands import COMMANDS
from jobs.commands.session import Session

INTERRUPTED = 130
LEAVE_S = 3.0  # after a second Ctrl-C, for what can be closed
PIPE_WIDTH = 132  # columns of a table if stdout is not a terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and run a command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # its encoding may lack characters of names
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    try:
        return COMMANDS[options.command].run(options, _session(options, console))
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
    """The first time jobs under way are finished; the second time everything ends at once, and no job is
    lost by that either: what a worker had claimed is delivered again."""
    if cancel.is_set():
        leave = threading.Timer(LEAVE_S, os._exit, (INTERRUPTED,))
        leave.daemon = True
        leave.start()
        raise KeyboardInterrupt
    cancel.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").splitlines()[0].partition(": ")[2]
        module.add_arguments(commands.add_parser(name, help=about, description=about))
    return parser
