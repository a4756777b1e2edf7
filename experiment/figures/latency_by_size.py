"""How long a request takes, by the size of the image: one line for each backend and way of making."""

from __future__ import annotations

from typing import Any

from experiment.figures.frame import Figure, base_layout, empty_figure, figure, log_axis
from experiment.figures.palette import Palette
from experiment.figures.points import describe, size_axis, size_traces
from experiment.figures.view import Point, Series, View, latency_words, making, missing_note
from experiment.wording import joined, kind_name, listed, made_as, ratio, times

TITLE = "Latency by size"
HEIGHT_PX = 380
LATENCY = "p50, ms"
COLUMNS = ("Backend", "Format", "Size, px", LATENCY, "Fastest, ms", "Slowest, ms", "Samples")


def latency_by_size(view: View, palette: Palette) -> Figure:
    """p50, or what was chosen, over the longest side, both logarithmic; bars from fastest to slowest."""
    view = view.uncrowded()
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    lines = [*view.series, *view.originals]
    data = size_traces(lines, palette, _arms, lambda point: describe(point, view))
    extremes = [value for point in view.points for value in _extremes(point)]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Latency, ms", extremes),
    }
    columns = [f"{view.latency}, ms" if column == LATENCY else column for column in COLUMNS]
    rows = [_row(point) for series in lines for point in series.points]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def _extremes(point: Point) -> tuple[float, float]:
    """The fastest and the slowest sample, in ms."""
    low, high = point.cell.min_ms, point.cell.max_ms
    return point.latency_ms if low is None else low, point.latency_ms if high is None else high


def _arms(point: Point) -> tuple[float, float, float]:
    low, high = _extremes(point)
    return point.latency_ms, round(high - point.latency_ms, 6), round(point.latency_ms - low, 6)


def _row(point: Point) -> list[Any]:
    variant, extremes = point.variant, _extremes(point)
    shown = [point.backend.name, kind_name(variant), variant.size_px, point.latency_ms]
    return [*shown, *extremes, point.cell.count]


def _caption(view: View) -> str:
    return joined(
        "" if view.latency == "p50" else f"Points are {latency_words(view.latency)}.",
        _fall(view),
        "Bars reach from the fastest to the slowest sample.",
        missing_note(view),
    )


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
