"""A report as a table for the terminal. Names appear as they are, [brackets] too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiment.records import Cell, Difference, OverPhotos, Report, Share, Variant
from experiment.wording import p_words

COLOURS = {"VALID": "green", "NOISY": "yellow", "INVALID": "red"}
# Column -> its alignment. "agrees" and "agrees %" are about the answer to the reference.
_OF_PHOTO: Mapping[str, str] = {
    **{"variant": "left", "bytes": "right", "backend": "left", "p50 ms": "right", "95 % ms": "right"},
    **{"slowest": "right", "cold": "right", "answer": "left", "agrees": "left", "validity": "left"},
}
_OF_SET: Mapping[str, str] = {
    **{"variant": "left", "bytes": "right", "backend": "left", "photos": "right", "top-1 % (95 %)": "right"},
    **{"top-5 %": "right", "difference, points": "right", "McNemar p": "right", "agrees %": "right"},
    **{"p50 ms": "right", "validity": "left"},
}


def print_report(report: Report, console: Console) -> None:
    """The recommendation and what the next lighter copy would cost, one row per cell, and the warnings."""
    recommendation = report.recommendation
    colour = COLOURS[recommendation.validity]
    first = Text.assemble("\n", (recommendation.sentence, "bold"), "  ", (recommendation.validity, colour))
    console.print(first, soft_wrap=True)
    for line in (recommendation.next_lighter, recommendation.why, *recommendation.why_not[:2]):
        if line:
            console.print(f"  {line}", soft_wrap=True, markup=False)
    console.print(_table(report))
    for warning in report.warnings:
        console.print(f"{warning.code}: {warning.message}", soft_wrap=True, markup=False)


def titled(title: str, columns: Mapping[str, str], *, no_wrap: bool = False, tight: bool = False) -> Table:
    """A table without rows; `columns` are heading -> "left" or "right". Nothing of it is read as markup."""
    look = Text(title, style="italic")
    table = Table(title=look, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=tight)
    for heading, side in columns.items():
        table.add_column(Text(heading), justify="right" if side == "right" else "left", no_wrap=no_wrap)
    return table


def _table(report: Report) -> Table:
    """One row for each cell that sent a request; in a set, bytes and p50 are medians over the photos."""
    facts, source = report.photo_set, report.source
    if facts is None:
        table = titled(f"{source.name}, {source.width_px} x {source.height_px} px", _OF_PHOTO, no_wrap=True)
    else:
        labelled = f"{facts.labelled:,} of them with a label the model knows"
        title = f"{facts.name}, {facts.measured:,} photos, {labelled}"
        table = titled(title, _OF_SET, no_wrap=True, tight=True)
    row = _row_of_photo if facts is None else _row_of_set
    variants = {variant.id: variant for variant in report.variants}
    for cell in report.cells:
        if cell.count or cell.unanswered:
            verdict = Text(cell.validity, style=COLOURS[cell.validity])
            table.add_row(*map(Text, row(variants[cell.variant_id], cell)), verdict)
    return table


def _row_of_photo(variant: Variant, cell: Cell) -> Sequence[str]:
    failure = cell.failure_reasons[0].code if cell.failure_reasons else "-"
    return (
        variant.id,
        f"{variant.size_bytes:,}",
        cell.backend_name,
        _ms(cell.p50_ms),
        "-" if cell.p50_low_ms is None else f"{_ms(cell.p50_low_ms)}-{_ms(cell.p50_high_ms)}",
        _ms(cell.max_ms),
        _ms(cell.cold_ms),
        f"{cell.top[0].label} {cell.top[0].score:.0%}" if cell.top else failure,
        {True: "yes", False: "no", None: "-"}[cell.same_top1],
    )


def _row_of_set(variant: Variant, cell: Cell) -> Sequence[str]:
    over = cell.over_photos or OverPhotos(None, None, None, None)
    return (
        variant.id,
        f"{variant.size_bytes:,}",
        cell.backend_name,
        f"{cell.count:,}",
        _share(over.top1),
        f"{over.top5.share * 100:.1f}" if over.top5 else "-",
        _difference(over.difference),
        p_words(over.difference.mcnemar_p) if over.difference else "-",
        f"{over.agreement.share * 100:.1f}" if over.agreement else "-",
        _ms(cell.p50_ms),
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _share(share: Share | None) -> str:
    return f"{share.share * 100:.1f} ({share.low * 100:.1f}-{share.high * 100:.1f})" if share else "-"


def _difference(found: Difference | None) -> str:
    return f"{found.points:+.1f} ({found.low_points:+.1f} to {found.high_points:+.1f})" if found else "-"
