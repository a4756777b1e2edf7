"""`python -m models`: export the demo model, or look into a SavedModel directory."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from models.check import CheckFailed, look_into
from models.export import export_demo


def main(arguments: Sequence[str]) -> int:
    """0: done; 1: a SavedModel, but Pixelcost can't send it images; 2: it could not be done."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no page about CUDA where none is wanted
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        return _demo(asked.out) if asked.command == "demo" else _check(asked.directory)
    except (OSError, CheckFailed) as problem:
        print(f"python -m models: {problem}", file=sys.stderr)
        return 2


def _demo(out: Path) -> int:
    exported = export_demo(out)
    print(f"demo model: {exported.directory}" + ("" if exported.is_new else " (was there already)"))
    return 0


def _check(directory: Path) -> int:
    contents = look_into(directory)
    problems = contents.problems()
    verdict = ["Pixelcost can use it."] if not problems else ["Pixelcost can't use it as it is:", *problems]
    print("\n".join([*contents.lines(), *verdict]))
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="export the demo model as OUT/1")
    demo.add_argument("--out", type=Path, required=True)
    check = commands.add_parser("check", help="say what a SavedModel directory holds")
    check.add_argument("directory", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
