"""Latency by size of two runs in one plot: solid lines for this run, dashed ones for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.compare import Comparison, Pair
from experiment.figures.frame import Figure, base_layout, escaped, figure, hover_text, log_axis
from experiment.figures.palette import Palette, colour
from experiment.figures.points import size_axis
from experiment.figures.view import Point, Series
from experiment.wording import capitalised, count, kind_name, milliseconds, short_name, span

TITLE = "Latency by size, both runs"
HEIGHT_PX = 420
MOST_SERIES = 6  # each is two lines
SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "triangle-down", "star")
COLUMNS = (
    "Backend", "Format", "Size, px", "Run", "p50, ms", "95 % from, ms", "to, ms", "Samples",
)  # fmt: skip
THIS = "this run"


def compared(found: Comparison, other_name: str, palette: Palette) -> Figure:
    """p50 over the longest side, both logarithmic; bars are 95 % intervals. Only cells that both runs have.

    `other_name`: "older run" or "newer run".
    """
    by_key = {each.this.key: each for each in found.pairs}
    shared = [each for each in found.this.series if any(point.key in by_key for point in each.points)]
    shown = shared if len(shared) <= MOST_SERIES else [each for each in shared if not each.nth][:MOST_SERIES]
    lines = [line for nth, each in enumerate(shown) for line in _lines(each, nth, by_key, other_name)]
    lines += [line for each in found.this.references for line in _reference(each, by_key, other_name)]
    data = [_trace(*each, palette) for each in lines]
    points = [point for _, _, of_line, _ in lines for point in of_line]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(found.this, palette),
        "yaxis": log_axis(palette, "p50 latency, ms", [end for each in points for end in _ends(each)]),
    }
    rows = [_row(run, each) for _, run, of_line, _ in lines for each in of_line]
    caption = _caption(other_name, len(shared) - len(shown))
    return figure(data, layout, TITLE, caption, COLUMNS, rows)


Line = tuple[str, str, Sequence[Point], int]  # name, run, points, which shape


def _lines(series: Series, nth: int, by_key: Mapping[tuple[str, str], Pair], other_name: str) -> list[Line]:
    pairs = [by_key[each.key] for each in series.points if each.key in by_key]
    return [
        (f"{series.name}, {THIS}", THIS, [each.this for each in pairs], nth),
        (f"{series.name}, {other_name}", other_name, [each.other for each in pairs], nth),
    ]


def _reference(point: Point, by_key: Mapping[tuple[str, str], Pair], other_name: str) -> list[Line]:
    pair = by_key.get(point.key)
    if pair is None:
        return []
    name = f"{point.backend.name}, {kind_name(point.variant)}"
    place = len(SHAPES) - 1
    return [
        (f"{name}, {THIS}", THIS, [pair.this], place),
        (f"{name}, {other_name}", other_name, [pair.other], place),
    ]


def _trace(name: str, run: str, points: Sequence[Point], nth: int, palette: Palette) -> dict[str, Any]:
    """One shape for each way of making; the other run's are hollow, so that a point alone tells its run."""
    own = colour(palette, points[0].backend_index)
    is_reference = points[0].variant.is_reference
    look = SHAPES[nth % len(SHAPES)]
    return {
        "type": "scatter",
        "mode": "markers" if is_reference else "lines+markers",
        "x": [each.variant.size_px for each in points],
        "y": [each.p50_ms for each in points],
        "name": escaped(name),
        "showlegend": not is_reference,
        "line": {"color": own, "width": 2, "dash": "solid" if run == THIS else "dash"},
        "marker": {
            "size": 8,
            "color": own,
            "symbol": look if run == THIS else f"{look}-open",
            "line": {"width": 1.5, "color": own},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(_ends(each)[1] - each.p50_ms, 6) for each in points],
            "arrayminus": [round(each.p50_ms - _ends(each)[0], 6) for each in points],
            "color": own,
            "thickness": 1,
            "width": 3,
        },
        "hovertext": [_hover(run, each) for each in points],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _ends(point: Point) -> tuple[float, float]:
    """The 95 % interval of p50; the p50 itself where there is none."""
    low, high = point.cell.p50_low_ms, point.cell.p50_high_ms
    return point.p50_ms if low is None else low, point.p50_ms if high is None else high


def _hover(run: str, point: Point) -> str:
    name = short_name(point.variant)
    return hover_text(
        f"{capitalised(name)} on {point.backend.name}, {run}",
        f"p50 {milliseconds(point.p50_ms)} (95 %: {span(*_ends(point))})",
        count(point.cell.count, "sample"),
    )


def _row(run: str, point: Point) -> list[Any]:
    cell = point.cell
    return [
        point.backend.name, kind_name(point.variant), point.variant.size_px, run, point.p50_ms,
        cell.p50_low_ms, cell.p50_high_ms, cell.count,
    ]  # fmt: skip


def _caption(other_name: str, left_out: int) -> str:
    what = (
        f"Solid lines and filled symbols: {THIS}. Dashed and hollow: the {other_name}. "
        "Bars are 95 % intervals."
    )
    less = f" Not drawn, to stay readable: {count(left_out, 'more line')} of each run, in the table below."
    return what + (less if left_out else "")
