"""Compared with another run: the section, for the page and for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.decide.compare import (
    Comparison,
    Pair,
    by_chance,
    changed_words,
    compare,
    conclusion,
    left_out,
)
from experiment.figures.frame import (
    Figure,
    base_layout,
    dots,
    error_bars,
    escaped,
    figure,
    hover_text,
    log_axis,
)
from experiment.figures.palette import Palette, colour
from experiment.figures.points import size_axis
from experiment.figures.section import Section, table_of
from experiment.figures.view import Point, Series
from experiment.records import Copies
from experiment.under_load.comparison import capacity_table, compared_capacities, doubts
from experiment.wording import (
    capitalised,
    count,
    kind_name,
    milliseconds,
    percent,
    short_label,
    short_name,
    span,
)

CELL_COLUMNS = ("Variant", "Backend", "Other run, p50 ms", "This run, p50 ms", "Difference", "Answer")
TIMES: dict[Copies, str] = {  # what stands for p50
    "in_advance": "p50",
    "per_request": "making and p50",
    "client": "end to end (modelled)",
}
AXES: dict[Copies, str] = {
    "in_advance": "p50 latency, ms",
    "per_request": "Making and p50, ms",
    "client": "End to end (modelled), ms",
}
DIFFERENCE_COLUMNS = ("What differs", "Other run", "This run")
MOST_NAMED = 5  # answers that changed; the table has them all
METHOD = (
    "The interval is that of the ratio of the two medians and "
    "assumes no distribution (Price and Bonett 2002)."
)
OF_SETS = (
    "In photo sets a sample is one photo's latency, so photos that differ among themselves make the "
    "intervals wide. Shares of right or unchanged answers stand side by side; whether they differ by more "
    "than chance is not tested."
)


def compare_section(this: Mapping[str, Any], other: Mapping[str, Any], palette: Palette) -> Section:
    """Two exported reports. Raises NotComparable."""
    found = compare(this, other)
    title = f"Compared with {other['source']['name']}, {moment(other)}"
    warnings = tuple(difference.warning for difference in found.differences if difference.warning)
    answers = tuple(changed_words(pair) for pair in found.changed[:MOST_NAMED])
    capacities = compared_capacities(found.this, found.other)
    under_load = [f"{pair.name}: {pair.words}." for pair in capacities[:MOST_NAMED]]
    of_sets = OF_SETS if found.this.photo_set else ""
    notes = (*answers, *doubts(capacities), METHOD, by_chance(found), of_sets, left_out(found))
    return Section(
        title,
        " ".join([conclusion(found), *under_load]),
        warnings,
        tuple(note for note in notes if note),
        {"compared": compared(found, older_or_newer(this, other), palette)},
        (*tables_of(found), *([capacity_table(capacities)] if capacities else [])),
    )


def tables_of(found: Comparison) -> tuple[dict[str, Any], ...]:
    """All cells that both have; and what else differs between the runs, where anything does."""
    of_cells = [_row(pair) for pair in found.pairs]
    columns = [column.replace("p50", TIMES[found.this.plan.copies]) for column in CELL_COLUMNS]
    cells = table_of("Every cell that both runs have", columns, of_cells, is_main=True)
    rows = [[difference.what, difference.other, difference.this] for difference in found.differences]
    if not rows:
        return (cells,)
    return cells, table_of("What else differs between the runs", DIFFERENCE_COLUMNS, rows)


def older_or_newer(this: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What the other run is called."""
    return "newer run" if other["created_at"] > this["created_at"] else "older run"


def moment(report: Mapping[str, Any]) -> str:
    """ "2026-05-04 10:20 UTC"."""
    day, _, time = report["created_at"].partition("T")
    return f"{day} {time[:5]} UTC"


def _row(pair: Pair) -> list[Any]:
    return [
        capitalised(short_name(pair.this.variant)), pair.this.backend.name,
        pair.other.total_ms, pair.this.total_ms, pair.words, _answer(pair),
    ]  # fmt: skip


def _answer(pair: Pair) -> str | None:
    """What became of the answer; None: nothing to compare."""
    if pair.this.cell.over_photos is not None:
        shares = (pair.other.score, pair.this.score)
        return None if None in shares else " → ".join(percent(share or 0.0) for share in shares)
    if not pair.before or not pair.after:
        return None
    before, after = short_label(pair.before), short_label(pair.after)
    return f"{before} → {after}" if pair.is_changed else "same"


FIGURE_TITLE = "Latency by size, both runs"
HEIGHT_PX = 420
MOST_SERIES = 6  # each is two lines
SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "triangle-down", "star")
FIGURE_COLUMNS = (
    "Backend", "Format", "Size, px", "Run", "p50, ms", "95 % from, ms", "to, ms", "Samples",
)  # fmt: skip
THIS = "this run"


def compared(found: Comparison, other_name: str, palette: Palette) -> Figure:
    """p50 over the longest side, both logarithmic; bars are 95 % intervals. Only cells that both runs have.

    `other_name`: "older run" or "newer run".
    """
    by_key = {pair.this.key: pair for pair in found.pairs}
    shared = [series for series in found.this.series if any(point.key in by_key for point in series.points)]
    shown = (
        shared
        if len(shared) <= MOST_SERIES
        else [series for series in shared if not series.nth][:MOST_SERIES]
    )
    lines = [line for nth, series in enumerate(shown) for line in _lines(series, nth, by_key, other_name)]
    last = len(SHAPES) - 1
    for series in found.this.originals:
        lines += _lines(series, last, by_key, other_name) if series.first.key in by_key else []
    data = [_trace(*line, palette) for line in lines]
    points = [point for _, _, of_line, _ in lines for point in of_line]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(replace(found.this, points=tuple(points)), palette),
        "yaxis": log_axis(
            palette,
            AXES[found.this.plan.copies],
            [end for point in points for end in _ends(point)],
        ),
    }
    rows = [_figure_row(run, point) for _, run, of_line, _ in lines for point in of_line]
    columns = [column.replace("p50", TIMES[found.this.plan.copies]) for column in FIGURE_COLUMNS]
    caption = _figure_caption(other_name, len(shared) - len(shown))
    return figure(data, layout, FIGURE_TITLE, caption, columns, rows)


Line = tuple[str, str, Sequence[Point], int]  # name, run, points, which shape


def _lines(series: Series, nth: int, by_key: Mapping[tuple[str, str], Pair], other_name: str) -> list[Line]:
    pairs = [by_key[point.key] for point in series.points if point.key in by_key]
    return [
        (f"{series.name}, {THIS}", THIS, [pair.this for pair in pairs], nth),
        (f"{series.name}, {other_name}", other_name, [pair.other for pair in pairs], nth),
    ]


def _trace(name: str, run: str, points: Sequence[Point], nth: int, palette: Palette) -> dict[str, Any]:
    """One shape for each way of making; the other run's points are hollow, to be recognised one by one."""
    own = colour(palette, points[0].backend_index)
    is_reference = points[0].variant.is_reference
    look = SHAPES[nth % len(SHAPES)]
    up = [round(_ends(point)[1] - point.total_ms, 6) for point in points]
    down = [round(point.total_ms - _ends(point)[0], 6) for point in points]
    return dots(
        [point.variant.size_px for point in points],
        [point.total_ms for point in points],
        [_hover(run, point) for point in points],
        mode="markers" if is_reference else "lines+markers",
        name=escaped(name),
        showlegend=not is_reference,
        line={"color": own, "width": 2, "dash": "solid" if run == THIS else "dash"},
        marker={
            "size": 8,
            "color": own,
            "symbol": look if run == THIS else f"{look}-open",
            "line": {"width": 1.5, "color": own},
        },
        error_y=error_bars(up, down, own),
    )


def _ends(point: Point) -> tuple[float, float]:
    """The 95 % interval of the time; the time itself where there is none."""
    return point.interval_ms or (point.total_ms, point.total_ms)


def _hover(run: str, point: Point) -> str:
    return hover_text(
        f"{capitalised(short_name(point.variant))} on {point.backend.name}, {run}",
        f"{milliseconds(point.total_ms)} (95 %: {span(*_ends(point))})",
        count(point.cell.count, "sample"),
    )


def _figure_row(run: str, point: Point) -> list[Any]:
    cell = point.cell
    return [
        point.backend.name, kind_name(point.variant), point.variant.size_px, run, point.total_ms,
        *(point.interval_ms or (None, None)), cell.count,
    ]  # fmt: skip


def _figure_caption(other_name: str, left_out: int) -> str:
    what = (
        f"Solid lines and filled symbols: {THIS}. Dashed and hollow: the {other_name}. "
        "Bars: 95 % interval of the median."
    )
    if not left_out:
        return what
    lines = count(left_out, "line")
    return f"{what} Left out to keep the plot readable: {lines} of each run. The table is complete."
