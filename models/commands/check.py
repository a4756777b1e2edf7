"""`check`: say what kind of model a file or folder holds, and whether Pixelcost can use it."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from models.commands.describe import describe
from models.convert import cluster_serving
from models.formats.kinds import CLUSTER_SERVING, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look into."""
    parser.add_argument("path", type=Path, help="a model's file or folder")


def run(options: argparse.Namespace) -> int:
    """0: Pixelcost can use it; 1: a model, but Pixelcost can't send it images, and what to do."""
    found = find(options.path)
    if found.kind.name == CLUSTER_SERVING:
        found = find(cluster_serving.read(options.path, print).model)
    description = describe(found)
    verdict = ["Pixelcost can use it."]
    if description.problems:
        verdict = ["Pixelcost can't use it as it is:", *description.problems]
        if description.is_convertible:
            command = ["convert", str(options.path), "--out", f"var/models/{found.name}"]
            verdict.append(f"Convert it: .venv/bin/python -m models {shlex.join(command)}")
    print("\n".join([*description.lines, *found.remarks, *verdict]))
    return 1 if description.problems else 0
