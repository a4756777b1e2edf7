"""`demo`: export the demo model as OUT/1, also in the formats of other runtimes."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.demo_files import WEIGHTS
from models.demo_formats import FORMATS, write_formats
from models.export import export_demo
from models.problems import ModelProblem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and what else."""
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="other weights, as train-demo writes them"
    )
    parser.add_argument("--formats", type=_formats, default=(), help=f"also write {','.join(FORMATS)}")


def run(options: argparse.Namespace) -> int:
    """Export, and say where it lies."""
    if options.formats and options.weights != WEIGHTS:
        raise ModelProblem(
            "--formats writes the project's own weights only. Leave out --weights or --formats."
        )
    exported = export_demo(options.out, options.weights)
    print(f"demo model: {exported.directory}" + ("" if exported.is_new else " (was there already)"))
    for file in write_formats(exported.directory, options.formats):
        print(f"  {file.name}: {file.stat().st_size / 1e6:.1f} MB")
    return 0


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no format {unknown[0]!r}. There are {', '.join(FORMATS)}.")
    return names
