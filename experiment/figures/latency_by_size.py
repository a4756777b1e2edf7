"""How long a request takes, by the size of the image: one line for each backend and way of making."""

from __future__ import annotations

from typing import Any

from experiment.figures.frame import Figure, base_layout, empty_figure, figure, log_axis
from experiment.figures.palette import Palette
from experiment.figures.points import BARS, describe, size_axis, size_traces
from experiment.figures.view import Point, Series, View, latency_words, making, missing_note
from experiment.wording import joined, kind_name, listed, made_as, ratio, times

TITLE = "Latency by size"
HEIGHT_PX = 380
LATENCY = "p50, ms"
COLUMNS = (
    "Backend",
    "Format",
    "Size, px",
    LATENCY,
    "95 % from, ms",
    "to, ms",
    "Fastest, ms",
    "Slowest, ms",
    "Samples",
)


def latency_by_size(view: View, palette: Palette) -> Figure:
    """p50, or what was chosen, over the longest side, both logarithmic; bars are the 95 % interval of p50.

    Of another latency there is no interval, and no bar.
    """
    view = view.uncrowded()
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    lines = [*view.series, *view.originals]
    data = size_traces(lines, palette, _arms, lambda point: describe(point, view))
    ends = [value for point in view.points for value in _ends(point)]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Latency, ms", ends),
    }
    names = {LATENCY: f"{view.latency}, ms", "Samples": "Samples" if view.photo_set is None else "Photos"}
    columns = [names.get(column, column) for column in COLUMNS]
    rows = [_row(point) for series in lines for point in series.points]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def _interval(point: Point) -> tuple[float | None, float | None]:
    """The 95 % interval of what is drawn, where that is p50 of enough samples."""
    if point.latency_ms != point.p50_ms:
        return None, None
    return point.cell.p50_low_ms, point.cell.p50_high_ms


def _ends(point: Point) -> tuple[float, float]:
    low, high = _interval(point)
    return point.latency_ms if low is None else low, point.latency_ms if high is None else high


def _arms(point: Point) -> tuple[float, float, float]:
    low, high = _ends(point)
    return point.latency_ms, round(high - point.latency_ms, 6), round(point.latency_ms - low, 6)


def _row(point: Point) -> list[Any]:
    variant, cell = point.variant, point.cell
    shown = [point.backend.name, kind_name(variant), variant.size_px, point.latency_ms]
    return [*shown, *_interval(point), cell.min_ms, cell.max_ms, cell.count]


def _caption(view: View) -> str:
    return joined(
        "" if view.latency == "p50" else f"Points are {latency_words(view.latency)}.",
        _fall(view),
        BARS if view.latency == "p50" else "",
        "" if view.plan.copies == "in_advance" else "The request alone, without making the copy.",
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
        and _sizes(series) == _sizes(steepest)
    ]
    small, large = _sizes(steepest)
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


def _sizes(series: Series) -> tuple[int, int]:
    return series.points[-1].variant.size_px, series.points[0].variant.size_px


def _factor(series: Series) -> float:
    return ratio(series.points[0].latency_ms, series.points[-1].latency_ms)
