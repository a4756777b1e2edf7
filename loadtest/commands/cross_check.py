"""cross-check: the same load by MLPerf LoadGen, ab, wrk, hey, locust and ghz, and how much ours differs.

They run in turn against a server with known service times that is started for it, on this machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common.arguments import argument
from common.checks import whole_text
from experiment.cli.session import Session
from loadtest.cli.parts import LOADS
from loadtest.cross_check.tools import TOOLS
from loadtest.results.folder import new_file

RESULT = "cross_check.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cross-check`."""
    add = parser.add_argument
    pairs = argument(whole_text(1, 1000))
    add("--pairs", type=pairs, default=10, metavar="N", help="runs of every tool and of ours (10)")
    add("--tools", type=_names, default=tuple(TOOLS), metavar="A,B", help=f"which of {','.join(TOOLS)} (all)")
    add("--stall", action="store_true", help="also stop the server for 1.4 s in a minute: who notices?")
    where = "folder for the results; if it has something in it, a new one inside (loads/DATE-cross-check)"
    add("--out", type=Path, metavar="DIR", help=where)


def run(options: argparse.Namespace, session: Session) -> int:
    """Compare. Returns 0; 130 after Ctrl-C."""
    from loadtest.cross_check.run import cross_check  # noqa: PLC0415  imports gRPC and HdrHistogram
    from loadtest.cross_check.tables import as_dict, markdown  # noqa: PLC0415

    tools = [TOOLS[name] for name in options.tools]
    folder, progress = new_file(options.out, "cross-check", Path(LOADS), "progress.txt")

    def say(line: str) -> None:
        session.console.print(line, style="dim")
        progress.write(f"{line}\n")
        progress.flush()

    with progress:
        found = cross_check(
            tools, folder, options.pairs, tools if options.stall else None, say, session.cancel
        )
    (folder / RESULT).write_text(json.dumps(as_dict(found), indent=2) + "\n", "utf-8")
    for line in markdown(found):
        session.output.print(line, soft_wrap=True)
    session.console.print(f"Results are in {folder}", soft_wrap=True)
    return 130 if session.cancel.is_set() else 0


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(","))
    if unknown := [name for name in names if name not in TOOLS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: the tools are {', '.join(TOOLS)}")
    return tuple(dict.fromkeys(names))
