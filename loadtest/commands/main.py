"""python -m loadtest: load tests of model servers on the command line.

Exit codes: 0 a valid result; 1 it is INVALID, or requests failed; 2 wrong input or settings, a target that is
not ready, or a file that could not be written; 130 interrupted (what was measured is still written).
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Sequence

from experiment.cli.commands import run_command
from loadtest.cli.payload import check_payload
from loadtest.commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and run a command. Returns the exit code."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each request in flight
    return run_command("python -m loadtest", (__doc__ or "").splitlines()[0], COMMANDS, arguments, _check)


def _check(options: argparse.Namespace) -> None:
    if hasattr(options, "distinct"):  # of add_payload_arguments()
        check_payload(options)
