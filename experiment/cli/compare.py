"""`python -m experiment --compare older.json newer.json`: what changed between two exported reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from experiment.cli.table import titled
from experiment.decide.compare_section import compare_section
from experiment.export.import_report import load_report
from experiment.figures.palette import LIGHT
from experiment.wording import number


def print_comparison(older: Path, newer: Path, console: Console) -> None:
    """The newer report against the older one, as tables. Raises PixelcostError."""
    section = compare_section(load_report(newer), load_report(older), LIGHT)
    console.print(f"\n{section.title}", style="bold", markup=False, soft_wrap=True)
    console.print(section.sentence, markup=False, soft_wrap=True)
    for warning in section.warnings:
        console.print(f"Warning: {warning}", markup=False, soft_wrap=True)
    for content in section.tables:
        columns = {name: "right" if name.endswith(" ms") else "left" for name in content["columns"]}
        table = titled(content["title"], columns)
        for row in content["rows"]:
            table.add_row(*(Text(_words(value)) for value in row))
        console.print(table)
    for note in section.notes:
        console.print(note, markup=False, soft_wrap=True)


def _words(value: Any) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)
