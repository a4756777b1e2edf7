"""python -m experiment --compare older.json newer.json: what changed between two exported reports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiment.cli.set_table import title_of
from experiment.decide.compare_section import compare_section
from experiment.errors import PixelcostError
from experiment.export.import_report import read_report
from experiment.figures.palette import LIGHT
from experiment.wording import number


def print_comparison(older: Path, newer: Path, console: Console) -> None:
    """The newer report against the older one, as tables. Raises PixelcostError."""
    section = compare_section(_read(newer), _read(older), LIGHT)
    console.print(f"\n{section.title}", style="bold", markup=False, soft_wrap=True)
    console.print(section.sentence, markup=False, soft_wrap=True)
    for warning in section.warnings:
        console.print(f"Warning: {warning}", markup=False, soft_wrap=True)
    for table in section.tables:
        console.print(_table(table))
    for note in section.notes:
        console.print(note, markup=False, soft_wrap=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PixelcostError(f"{path} can't be read: {error.strerror}.") from None
    return read_report(data, path.name)


def _table(told: Mapping[str, Any]) -> Table:
    table = Table(title=title_of(told["title"]), box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in told["columns"]:
        table.add_column(Text(heading), justify="right" if heading.endswith(" ms") else "left")
    for row in told["rows"]:
        table.add_row(*(Text(_words(each)) for each in row))
    return table


def _words(value: Any) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)
