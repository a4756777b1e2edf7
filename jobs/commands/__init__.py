"""The commands of `python -m jobs`: one file and one row for every command."""

from __future__ import annotations

from collections.abc import Mapping

from experiment.cli.commands import Command
from jobs.commands import bench, dead, list_jobs, quick_start, serve, stop

COMMANDS: Mapping[str, Command] = {
    "serve": serve,
    "stop": stop,
    "list": list_jobs,
    "dead": dead,
    "bench": bench,
    "quick_start": quick_start,
}
