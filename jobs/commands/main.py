"""python -m jobs: queue serving, for clients of Cluster Serving and others.

Exit codes: 0 it ended as asked; 1 jobs failed; 2 wrong input or settings, or Redis, a model or an engine that
can't be used; 130 interrupted. No job is lost by that: what a worker had claimed is delivered again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from experiment.cli.commands import run_command
from jobs.commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and run a command. Returns the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    return run_command("python -m jobs", (__doc__ or "").splitlines()[0], COMMANDS, arguments)
