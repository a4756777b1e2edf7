"""How long a request takes, by the size of the image: one line for each backend and way of making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.figures.frame import Figure, base_layout, empty_figure, escaped, figure, log_axis
from experiment.figures.palette import Palette, symbol
from experiment.figures.points import describe, line, markers, size_axis
from experiment.figures.view import Point, Series, View, latency_words, making, missing_note
from experiment.wording import kind_name, listed, made_as, ratio, times

TITLE = "Latency by size"
HEIGHT_PX = 380
LATENCY = "p50, ms"
COLUMNS = ("Backend", "Format", "Size, px", LATENCY, "Fastest, ms", "Slowest, ms", "Samples")


def latency_by_size(view: View, palette: Palette) -> Figure:
    """p50, or what was chosen, over the longest side, both logarithmic; bars from fastest to slowest."""
    view = view.uncrowded()
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    data = [_line(series, view, palette) for series in view.series]
    data += [_original(point, view, palette) for point in view.references]
    extremes = [value for point in view.points for value in (_low(point), _high(point))]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Latency, ms", extremes),
    }
    columns = [f"{view.latency}, ms" if column == LATENCY else column for column in COLUMNS]
    return figure(data, layout, TITLE, _caption(view), columns, [_row(point) for point in _in_order(view)])


def _line(series: Series, view: View, palette: Palette) -> dict[str, Any]:
    return _trace(series.points, view, palette) | {
        "mode": "lines+markers",
        "name": escaped(series.name),
        "line": line(series, palette),
    }


def _original(point: Point, view: View, palette: Palette) -> dict[str, Any]:
    """Stands alone: it may be of another format and quality than the lines beside it."""
    return _trace([point], view, palette) | {
        "mode": "markers",
        "name": escaped(f"{point.backend.name}, {kind_name(point.variant)}"),
        "showlegend": False,
    }


def _trace(points: Sequence[Point], view: View, palette: Palette) -> dict[str, Any]:
    plain = markers(points, palette)
    return {
        "type": "scatter",
        "x": [point.variant.size_px for point in points],
        "y": [point.latency_ms for point in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(_high(point) - point.latency_ms, 6) for point in points],
            "arrayminus": [round(point.latency_ms - _low(point), 6) for point in points],
            "color": plain["color"],
            "thickness": 1,
            "width": 3,
        },
        "marker": plain | {"symbol": symbol(points[0].backend_index, points[0].variant.format)},
        "hovertext": [describe(point, view) for point in points],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _low(point: Point) -> float:
    return point.latency_ms if point.cell.min_ms is None else point.cell.min_ms


def _high(point: Point) -> float:
    return point.latency_ms if point.cell.max_ms is None else point.cell.max_ms


def _in_order(view: View) -> list[Point]:
    """Every point that is drawn, in the order of the lines."""
    return [point for series in view.series for point in series.points] + view.references


def _row(point: Point) -> list[Any]:
    return [
        point.backend.name,
        kind_name(point.variant),
        point.variant.size_px,
        point.latency_ms,
        _low(point),
        _high(point),
        point.cell.count,
    ]


def _caption(view: View) -> str:
    parts = [
        _points(view),
        _fall(view),
        "Bars reach from the fastest to the slowest sample.",
        missing_note(view),
    ]
    return " ".join(part for part in parts if part)


def _points(view: View) -> str:
    return "" if view.latency == "p50" else f"Points are {latency_words(view.latency)}."


def _fall(view: View) -> str:
    """From the largest to the smallest size, for the format in which that matters most."""
    lines = [series for series in view.series if len(series.points) > 1]
    if not lines:
        return ""
    steepest = max(lines, key=_factor)
    like_it = [
        series
        for series in lines
        if making(series.points[-1].variant) == making(steepest.points[-1].variant)
        and _ends(series) == _ends(steepest)
    ]
    small, large = _ends(steepest)
    if _factor(steepest) < 1.05:
        return f"From {large} to {small} px, {_what(view)} hardly changes."
    falls = [
        f"{times(_factor(series))} on {series.first.backend.name}"
        for series in like_it
        if _factor(series) >= 1.05
    ]
    kind = made_as(steepest.points[-1].variant)
    return f"From {large} to {small} px {kind}, {_what(view)} falls {listed(falls)}."


def _what(view: View) -> str:
    return "the slowest sample" if view.latency == "slowest" else view.latency


def _ends(series: Series) -> tuple[int, int]:
    return series.points[-1].variant.size_px, series.points[0].variant.size_px


def _factor(series: Series) -> float:
    return ratio(series.points[0].latency_ms, series.points[-1].latency_ms)
