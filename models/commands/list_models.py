"""`list`: the models of the catalogue, and which weights are installed or downloaded."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.catalogue.packaged import weights_file
from models.catalogue.table import CATALOGUE, DEFAULT, Row
from models.catalogue.weights import cache_dir, state_in_cache

COLUMNS = ("name", "model", "input px", "parameters", "download MB", "weights")
NUMBERS = {"input px", "parameters", "download MB"}
PIPE_WIDTH = 100  # characters, when the output is not a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the format and the cache folder."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--cache", type=Path, default=cache_dir(), metavar="DIR", help=f"({cache_dir()})")


def run(options: argparse.Namespace) -> int:
    """Print the table, or the same as JSON."""
    cache = options.cache.expanduser()
    if options.json:
        print(json.dumps([_facts(row, cache) for row in CATALOGUE]))
        return 0
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in NUMBERS else "left", overflow="fold")
    for row in CATALOGUE:
        is_installed = "installed" if weights_file(row) else "not installed"
        state = is_installed if row.package else state_in_cache(row, cache)
        table.add_row(*cells(row), state)
    console.print(table)
    console.print(f"The default is {DEFAULT}. The cache: {options.cache}", soft_wrap=True)
    return 0


def _facts(row: Row, cache: Path) -> dict[str, Any]:
    """A model for programs. `is_here`: its weights are installed or downloaded."""
    is_here = weights_file(row) is not None if row.package else (cache / row.file_name).is_file()
    facts = {key: getattr(row, key) for key in ("name", "title", "side_px", "parameters", "download_mb")}
    return facts | {"is_here": is_here}


def cells(row: Row) -> tuple[str, ...]:
    """A model's texts for the first five columns, from the catalogue."""
    download = str(row.download_mb) if row.download_mb else "none"
    return row.name, row.title, str(row.side_px), f"{row.parameters:,}".replace(",", " "), download
