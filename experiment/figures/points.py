"""How points are described, marked and set over sizes, alike in every figure that shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from experiment.axes import settings_words
from experiment.figures.frame import axis, hover_text
from experiment.figures.over_photos import describe_shares
from experiment.figures.palette import Palette, colour, dash, outline, symbol
from experiment.figures.view import Point, Series, View
from experiment.wording import (
    capitalised,
    milliseconds,
    percent,
    reference_name,
    short_label,
    short_name,
    size,
    span,
)

AFTER_THE_LINES = 2000  # legendrank of entries that explain; a line has plotly's 1000
TOO_CLOSE = 1.22  # ticks whose sizes differ by less would print over each other


def point_label(point: Point) -> str:
    """What stands beside a point of a trade-off."""
    if point.variant.is_reference:
        return reference_name(point.variant)
    return f"{point.variant.size_px}{settings_words(point.variant)}"


def unbeaten(points: Sequence[Point], cost: Callable[[Point], float]) -> list[Point]:
    """The points that no other beats in both cost and probability, cheapest first.

    A changed answer is never a good trade, however cheap and however sure it looks.
    """
    right = [point for point in points if point.score is not None and point.is_kept is not False]
    best: list[Point] = []
    for each in sorted(right, key=lambda point: (cost(point), -(point.score or 0))):
        if not best or (each.score or 0) > (best[-1].score or 0):
            best.append(each)
    return best


def band(best: Sequence[Point], x_values: Sequence[float], palette: Palette) -> dict[str, Any]:
    """The best trade-offs, stepped: between two points the cheaper one's answer is what one gets."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(x_values),
        "y": [point.percent for point in best],
        "name": "best trade-offs",
        "legendrank": AFTER_THE_LINES,
        "line": {"color": palette.halo, "width": 12, "shape": "hv"},
        "hoverinfo": "skip",
    }


def ring(point: Point, x: float, palette: Palette, position: str) -> dict[str, Any]:
    """Marks the recommended point; its label stands outside the ring."""
    look = {
        "size": 22,
        "color": palette.ink,
        "symbol": "circle-open",
        "line": {"width": 2, "color": palette.ink},
    }
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [x],
        "y": [point.percent],
        "name": "recommended",
        "legendrank": AFTER_THE_LINES,
        "marker": look,
        "text": [point_label(point)],
        "textposition": position,
        "textfont": {"size": 12, "color": palette.ink, "weight": "bold"},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def unmet_goal(limit: float, right_end: float, words: str, palette: Palette) -> dict[str, Any]:
    """A part of a layout: shades what lies over a limit of the x axis, which is logarithmic."""
    area = {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": limit,
        "x1": right_end,
        "y0": 0,
        "y1": 1,
        "fillcolor": palette.halo,
        "line": {"width": 0},
        "layer": "below",
    }
    note = {
        "text": words,
        "showarrow": False,
        "xref": "x",
        "yref": "paper",
        "x": math.log10(right_end),
        "y": 0,
        "xanchor": "right",
        "yanchor": "bottom",
        "font": {"size": 12, "color": palette.muted},
    }
    return {"shapes": [area], "annotations": [note]}


def describe(point: Point, view: View) -> str:
    """What a reader sees over a point: size, latency, answer, and whether to trust it."""
    cell = point.cell
    name = short_name(point.variant)
    return hover_text(
        f"{capitalised(name)} on {point.backend.name}",
        f"p50 {milliseconds(point.p50_ms)}" + _interval(point),
        _further(point, view),
        f"fastest {milliseconds(cell.min_ms or 0)}, slowest {milliseconds(cell.max_ms or 0)}, "
        f"{cell.count} samples" + (f", {cell.failures} failed" if cell.failures else ""),
        f"{size(point.variant.size_bytes)} ({_making(point)})",
        _answer(point, view),
        *describe_shares(point),
        f"{cell.validity}" if cell.validity != "VALID" else "",
    )


def _further(point: Point, view: View) -> str:
    """The latency that is drawn, where that is no p50 and not told anyway."""
    return f"{view.latency} {milliseconds(point.latency_ms)}" if view.latency in {"p90", "p99"} else ""


def _making(point: Point) -> str:
    resampler = point.variant.resampler
    return point.variant.encoder + (f"; resized: {resampler.capitalize()}" if resampler else "")


def _interval(point: Point) -> str:
    low, high = point.cell.p50_low_ms, point.cell.p50_high_ms
    return f" (95 %: {span(low, high)})" if low is not None and high is not None else ""


def _answer(point: Point, view: View) -> str:
    if not point.cell.top:
        return ""
    words = f"answer: {short_label(point.answer)}, {percent(point.cell.top[0].score)}"
    if point.is_kept is False:
        return words + (", changed" if view.true_label is None else ", wrong")
    return words


def markers(points: Sequence[Point], palette: Palette, size_px: int = 9) -> dict[str, Any]:
    """Symbols filled by format where the answer is right, crossed out where it changed."""
    place = points[0].backend_index
    own = colour(palette, place)
    return {
        "size": size_px,
        "color": own,
        "symbol": [symbol(place, point.variant.format, point.is_kept is not False) for point in points],
        "line": outline(palette, own, points[0].variant.format),
    }


def line(series: Series, palette: Palette) -> dict[str, Any]:
    """The line of a series: its backend's colour, and the dash of its format and way of making."""
    first = series.first
    look = dash(first.variant.format, series.nth)
    return {"color": colour(palette, first.backend_index), "width": 2, "dash": look}


def changed_mark(palette: Palette, words: str) -> dict[str, Any]:
    """A trace without points that explains hollow symbols in the legend."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": words,
        "legendrank": AFTER_THE_LINES,
        "hoverinfo": "skip",
        "marker": {
            "size": 9,
            "color": palette.ink,
            "symbol": "circle-x-open",
            "line": {"width": 1.5, "color": palette.ink},
        },
    }


def size_axis(view: View, palette: Palette) -> dict[str, Any]:
    """A logarithmic axis with ticks at the sizes that were measured, and nowhere else."""
    sizes = sorted({point.variant.size_px for point in view.points})
    originals = {
        point.variant.size_px: reference_name(point.variant).partition(" ")[0] for point in view.references
    }
    labels = {size_px: str(size_px) for size_px in apart(sizes)}
    labels |= {size_px: f"{labels.get(size_px, '')}<br>{name}" for size_px, name in originals.items()}
    return axis(
        palette,
        "Longest side, px",
        type="log",
        range=[math.log10(sizes[0] / 1.2), math.log10(sizes[-1] * (1.35 if originals else 1.2))],
        tickvals=list(labels),
        ticktext=list(labels.values()),
        tickangle=0,
    )


def apart(sizes: Sequence[int]) -> list[int]:
    """Of ascending sizes those whose labels have room; of two neighbours the smaller one stays."""
    kept: list[int] = []
    for size_px in sizes:
        if not kept or size_px / kept[-1] >= TOO_CLOSE:
            kept.append(size_px)
    return kept
