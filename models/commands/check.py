"""`check`: say what a SavedModel directory holds, and whether Pixelcost can use it."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.check import look_into


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look into."""
    parser.add_argument("directory", type=Path)


def run(options: argparse.Namespace) -> int:
    """0: Pixelcost can use it; 1: a SavedModel, but Pixelcost can't send it images."""
    contents = look_into(options.directory)
    problems = contents.problems()
    verdict = ["Pixelcost can use it."] if not problems else ["Pixelcost can't use it as it is:", *problems]
    print("\n".join([*contents.lines(), *verdict]))
    return 1 if problems else 0
