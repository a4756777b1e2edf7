"""`demo`: export the demo model as OUT/1."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.demo_files import WEIGHTS
from models.export import export_demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and of which weights."""
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="other weights, as train-demo writes them"
    )


def run(options: argparse.Namespace) -> int:
    """Export, and say where it lies."""
    exported = export_demo(options.out, options.weights)
    print(f"demo model: {exported.directory}" + ("" if exported.is_new else " (was there already)"))
    return 0
