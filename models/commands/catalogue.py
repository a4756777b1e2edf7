"""`list`: the models that can be had by name, and of which of them the weights are there."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.catalogue.packaged import weights_file
from models.catalogue.table import CATALOGUE, DEFAULT, Row
from models.catalogue.weights import cache_dir, state_in_cache

COLUMNS = ("name", "model", "input px", "parameters", "download MB", "weights are there")
NUMBERS = {"input px", "parameters", "download MB"}
PIPE_WIDTH = 100  # columns where there is no terminal to fit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to look for downloads."""
    parser.add_argument("--cache", type=Path, default=cache_dir(), metavar="DIR", help=f"({cache_dir()})")


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PIPE_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in NUMBERS else "left", overflow="fold")
    for row in CATALOGUE:
        table.add_row(*cells(row), _state(row, options.cache.expanduser()))
    console.print(table)
    console.print(f"The default is {DEFAULT}. The cache: {options.cache}", soft_wrap=True)
    return 0


def _state(row: Row, cache: Path) -> str:
    if row.package:
        return "installed" if weights_file(row) else "not installed"
    return state_in_cache(row, cache)


def cells(row: Row) -> tuple[str, ...]:
    """What the catalogue says of a model, for the first columns."""
    download = str(row.download_mb) if row.download_mb else "none"
    return row.name, row.title, str(row.side_px), f"{row.parameters:,}".replace(",", " "), download
