"""The report as a table for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiment.cli.set_table import COLOURS, table_of_set, title_of, verdict
from experiment.records import Cell, Report, Variant

_NUMBERS = ("bytes", "p50 ms", "95 % ms", "slowest", "cold")
_COLUMNS = ("variant", "bytes", "backend", *_NUMBERS[1:], "answer", "agrees", "validity")


def print_report(report: Report, console: Console) -> None:
    """The recommendation and what the next lighter copy would cost, one row per cell, and the warnings."""
    recommendation = report.recommendation
    colour = COLOURS[recommendation.validity]
    first = Text.assemble("\n", (recommendation.sentence, "bold"), "  ", (recommendation.validity, colour))
    console.print(first, soft_wrap=True)
    for line in (recommendation.next_lighter, recommendation.why, *recommendation.why_not[:2]):
        if line:
            console.print(f"  {line}", soft_wrap=True, markup=False)
    console.print(table_of_set(report, report.photo_set) if report.photo_set else _table(report))
    for warning in report.warnings:
        console.print(f"{warning.code}: {warning.message}", soft_wrap=True, markup=False)


def _table(report: Report) -> Table:
    title = title_of(f"{report.source.name}, {report.source.width_px} x {report.source.height_px} px")
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in _COLUMNS:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    variants = {variant.id: variant for variant in report.variants}
    for cell in report.cells:
        if cell.count or cell.unanswered:  # nothing was asked of a backend that this machine lacks
            table.add_row(*_row(variants[cell.variant_id], cell))
    return table


def _row(variant: Variant, cell: Cell) -> list[Text]:
    answer = f"{cell.top[0].label} {cell.top[0].score:.0%}" if cell.top else _why_empty(cell)
    texts = (
        variant.id,
        f"{variant.size_bytes:,}",
        cell.backend_name,
        _ms(cell.p50_ms),
        "-" if cell.p50_low_ms is None else f"{_ms(cell.p50_low_ms)}-{_ms(cell.p50_high_ms)}",
        _ms(cell.max_ms),
        _ms(cell.cold_ms),
        answer,
        {True: "yes", False: "no", None: "-"}[cell.same_top1],
    )
    return [*map(Text, texts), verdict(cell)]


def _why_empty(cell: Cell) -> str:
    return cell.failure_reasons[0].code if cell.failure_reasons else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
