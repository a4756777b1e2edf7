"""The report of a set as a table for the terminal. Names are shown as they are, [brackets] too."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiment.records import Cell, Difference, OverPhotos, PhotoSetFacts, Report, Share, Variant
from experiment.wording import p_words

_TEXTS = ("variant", "backend", "validity")
_COLUMNS = (
    "variant",
    "bytes",
    "backend",
    "photos",
    "top-1 % (95 %)",
    "top-5 %",
    "difference, points",
    "McNemar p",
    "agrees %",
    "p50 ms",
    "validity",
)
COLOURS = {"VALID": "green", "NOISY": "yellow", "INVALID": "red"}


def table_of_set(report: Report, facts: PhotoSetFacts) -> Table:
    """One row for each cell that was asked for something; bytes and p50 are medians over the photos."""
    title = (
        f"{facts.name}, {facts.measured:,} photos, {facts.labelled:,} of them with a label the model knows"
    )
    table = Table(
        title=title_of(title), box=SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for heading in _COLUMNS:
        table.add_column(heading, justify="left" if heading in _TEXTS else "right", no_wrap=True)
    variants = {variant.id: variant for variant in report.variants}
    for cell in report.cells:
        if cell.count or cell.unanswered:
            table.add_row(*_row(variants[cell.variant_id], cell))
    return table


def title_of(text: str) -> Text:
    """A table's title, in the style that texts of titles have."""
    return Text(text, style="italic")


def verdict(cell: Cell) -> Text:
    """The last column."""
    return Text(cell.validity, style=COLOURS[cell.validity])


def _row(variant: Variant, cell: Cell) -> list[Text]:
    over = cell.over_photos or OverPhotos(None, None, None, None)
    texts = (
        variant.id,
        f"{variant.size_bytes:,}",
        cell.backend_name,
        f"{cell.count:,}",
        _share(over.top1),
        f"{over.top5.share * 100:.1f}" if over.top5 else "-",
        _difference(over.difference),
        p_words(over.difference.mcnemar_p) if over.difference else "-",
        f"{over.agreement.share * 100:.1f}" if over.agreement else "-",
        "-" if cell.p50_ms is None else f"{cell.p50_ms:.1f}",
    )
    return [*map(Text, texts), verdict(cell)]


def _share(share: Share | None) -> str:
    return f"{share.share * 100:.1f} ({share.low * 100:.1f}-{share.high * 100:.1f})" if share else "-"


def _difference(found: Difference | None) -> str:
    return f"{found.points:+.1f} ({found.low_points:+.1f} to {found.high_points:+.1f})" if found else "-"
