"""`python -m models`: export the demo model, also for other runtimes, or look into a SavedModel directory."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from models.check import CheckFailed, look_into
from models.demo_formats import FORMATS, ConverterMissing, write_formats
from models.export import export_demo


def main(arguments: Sequence[str]) -> int:
    """0: done; 1: a SavedModel, but Pixelcost can't send it images; 2: it could not be done."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no page about CUDA where none is wanted
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        return _demo(asked.out, asked.formats) if asked.command == "demo" else _check(asked.directory)
    except (OSError, CheckFailed, ConverterMissing) as problem:
        print(f"python -m models: {problem}", file=sys.stderr)
        return 2


def _demo(out: Path, formats: Sequence[str]) -> int:
    exported = export_demo(out)
    print(f"demo model: {exported.directory}" + ("" if exported.is_new else " (was there already)"))
    for file in write_formats(exported.directory, formats):
        print(f"  {file.name}: {file.stat().st_size / 1e6:.1f} MB")
    return 0


def _check(directory: Path) -> int:
    contents = look_into(directory)
    problems = contents.problems()
    verdict = ["Pixelcost can use it."] if not problems else ["Pixelcost can't use it as it is:", *problems]
    print("\n".join([*contents.lines(), *verdict]))
    return 1 if problems else 0


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no format {unknown[0]!r}. There are {', '.join(FORMATS)}.")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="export the demo model as OUT/1")
    demo.add_argument("--out", type=Path, required=True)
    demo.add_argument("--formats", type=_formats, default=(), help=f"also write {','.join(FORMATS)}")
    check = commands.add_parser("check", help="say what a SavedModel directory holds")
    check.add_argument("directory", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
