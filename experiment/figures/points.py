"""How points are described, marked and set over sizes, alike in every figure that shows them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiment.figures.frame import axis, dots, error_bars, escaped, hover_text
from experiment.figures.label_places import Spot, place_labels
from experiment.figures.over_photos import describe_shares
from experiment.figures.palette import Palette, colour, dash, outline, symbol
from experiment.figures.view import Point, Series, View
from experiment.records import RESOLUTION_MS
from experiment.wording import (
    capitalised,
    count,
    made_as,
    milliseconds,
    percent,
    reference_name,
    short_label,
    short_name,
    size,
    span,
)

BARS = "Bars: 95 % interval of the median."
AFTER_THE_LINES = 2000  # legendrank of entries that explain; a line has plotly's 1000
Key = tuple[str, str]  # of a point: variant id and backend name
FEW_OPACITY = 0.55  # of points of few photos
TOO_CLOSE = 1.22  # ticks whose sizes differ by less would print over each other


def point_label(point: Point) -> str:
    """What stands beside a point of a trade-off."""
    if point.variant.is_reference:
        return reference_name(point.variant)
    return f"{point.variant.size_px} {made_as(point.variant)}"


def label_positions(
    points: Sequence[Point],
    x_of: Callable[[Point], float],
    ends: tuple[Sequence[float], Sequence[float]],
    recommended: Point | None = None,
    lines: Sequence[Sequence[Point]] = (),
) -> dict[Key, str]:
    """Where the labels of points stand, by key; those that find no room have none. The first choose first.

    `ends`: of the x axis, which is logarithmic, and of the y axis. `recommended` has a ring around it; no
    label stands on one of `lines`.
    """
    known = [point for point in points if point.percent is not None]
    (left, right), (bottom, top) = ends

    def place(point: Point) -> tuple[float, float]:
        x = (math.log10(max(x_of(point), RESOLUTION_MS)) - left) / (right - left)
        return x, ((point.percent or 0.0) - bottom) / (top - bottom)

    spots = [
        Spot(*place(point), point_label(point), radius_px=12.0 if point is recommended else 6.0)
        for point in known
    ]
    strokes = [
        (place(one), place(other))
        for line_ in lines
        for one, other in itertools.pairwise(point for point in line_ if point.percent is not None)
    ]
    positions = zip(known, place_labels(spots, strokes), strict=True)
    return {point.key: position for point, position in positions if position is not None}


def labelled(
    points: Sequence[Point], labels: Mapping[Key, str], view: View, palette: Palette
) -> dict[str, Any]:
    """The labels of a trace. That of the recommended point belongs to its ring."""
    ringed = view.recommended()
    shown = [point.key in labels and point is not ringed for point in points]
    return {
        "text": [
            point_label(point) if is_shown else "" for point, is_shown in zip(points, shown, strict=True)
        ],
        "textposition": [labels.get(point.key, "top center") for point in points],
        "textfont": {"size": 12, "color": palette.ink},
    }


def unbeaten(points: Sequence[Point], cost: Callable[[Point], float]) -> list[Point]:
    """The points that no other beats in both cost and probability, cheapest first.

    A changed answer is never a good trade, however cheap and however sure it looks; nor is what few photos
    say.
    """
    right = [
        point
        for point in points
        if point.score is not None and point.is_kept is not False and not point.is_few
    ]
    best: list[Point] = []
    right.sort(key=lambda point: (cost(point), -(point.score or 0)))
    for point in right:
        if not best or (point.score or 0) > (best[-1].score or 0):
            best.append(point)
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


def ring(
    view: View, x_of: Callable[[Point], float], labels: Mapping[Key, str], palette: Palette
) -> list[dict[str, Any]]:
    """Marks the recommended point, if it is drawn; its label stands outside the ring."""
    point = view.recommended()
    if point is None or point.percent is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [x_of(point)],
            "y": [point.percent],
            "name": "recommended",
            "legendrank": AFTER_THE_LINES,
            "marker": {
                "size": 22,
                "color": palette.ink,
                "symbol": "circle-open",
                "line": {"width": 2, "color": palette.ink},
            },
            "text": [point_label(point)],
            "textposition": labels.get(point.key, "top center"),
            "textfont": {"size": 12, "color": palette.ink, "weight": "bold"},
            "hoverinfo": "skip",
            "cliponaxis": False,
        }
    ]


def unmet_goal(limit: float | None, right_end: float, words: str, palette: Palette) -> dict[str, Any]:
    """A part of a layout: shades what lies above a limit (None: there is none) on a logarithmic x axis."""
    if limit is None or limit >= right_end:
        return {}
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
    """What a point shows when pointed at: size, latency, answer, and whether to trust it."""
    cell, resampler = point.cell, point.variant.resampler
    low, high = cell.p50_low_ms, cell.p50_high_ms
    resized = f"; resized: {resampler.capitalize()}" if resampler else ""
    return hover_text(
        f"{capitalised(short_name(point.variant))} on {point.backend.name}",
        f"p50 {milliseconds(point.p50_ms)}"
        + (f" (95 %: {span(low, high)})" if low is not None and high is not None else ""),
        f"{view.latency} {milliseconds(point.latency_ms)}" if view.latency in {"p90", "p99"} else "",
        *_extra(point, view),
        f"fastest {milliseconds(cell.min_ms or 0)}, slowest {milliseconds(cell.max_ms or 0)}, "
        + count(cell.count, "sample" if point.photos is None else "photo")
        + (f", {cell.failures} failed" if cell.failures else ""),
        f"{size(point.variant.size_bytes)} ({point.variant.encoder}{resized})",
        _answer(point, view),
        *describe_shares(point),
        f"{cell.validity}" if cell.validity != "VALID" else "",
    )


def _extra(point: Point, view: View) -> list[str]:
    """What counts beside the request, and the whole."""
    making_ms, upload_ms = point.extra.making_ms, point.extra.upload_ms
    made = [f"making the copy {milliseconds(making_ms)}"] if making_ms else []
    at = f"at {view.plan.uplink_mbit_s:,g} Mbit/s"
    sent = [f"uploading {at} {milliseconds(upload_ms)} (modelled)"] if upload_ms else []
    return [*made, *sent, *([f"together {milliseconds(point.shown_ms)}"] if made or sent else [])]


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


def without_few(trace: dict[str, Any], points: Sequence[Point]) -> list[dict[str, Any]]:
    """The trace of `points`, with those of few photos in one of their own: hollow, pale and not joined."""
    few = [point.is_few for point in points]
    if not any(few):
        return [trace]
    many = _only(trace, [not is_few for is_few in few])
    apart_ = _only(trace, few)
    symbols = apart_["marker"]["symbol"]
    hollow = [_hollow(each) for each in ([symbols] * sum(few) if isinstance(symbols, str) else symbols)]
    text = "+text" if "text" in trace["mode"] else ""
    look = {
        "mode": f"markers{text}",
        "showlegend": False,
        "marker": apart_["marker"] | {"symbol": hollow, "opacity": FEW_OPACITY},
    }
    return [each for each in (many, apart_ | look) if each["x"]]


def _hollow(symbol_: str) -> str:
    return f"{symbol_.partition('-open')[0].removesuffix('-dot')}-open"


def _only(value: Any, kept: Sequence[bool]) -> Any:
    """A trace, or a part of it, with only some of its points: lists of one value for each point."""
    if isinstance(value, dict):
        return {key: _only(each, kept) for key, each in value.items()}
    if isinstance(value, list) and len(value) == len(kept):
        return [each for each, is_kept in zip(value, kept, strict=True) if is_kept]
    return value


def few_mark(points: Sequence[Point], palette: Palette) -> list[dict[str, Any]]:
    """A trace without points that explains pale ones in the legend, where there are some."""
    if not any(point.is_few for point in points):
        return []
    trace = changed_mark(palette, "under a quarter of the photos")
    return [trace | {"marker": trace["marker"] | {"symbol": "circle-open", "opacity": FEW_OPACITY}}]


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


def size_traces(
    lines: Sequence[Series],
    palette: Palette,
    y_of: Callable[[Point], tuple[float, float, float]],
    hover: Callable[[Point], str],
) -> list[dict[str, Any]]:
    """Traces over the longest side. `y_of` gives a point's value and how far its bar goes up and down."""
    traces = []
    for series in lines:
        points, first = series.points, series.first
        plain, heights = markers(points, palette), [y_of(point) for point in points]
        up, down = [up for _, up, _ in heights], [down for _, _, down in heights]
        look = {"mode": "lines+markers", "line": line(series, palette)}
        trace = dots(
            [point.variant.size_px for point in points],
            [y for y, _, _ in heights],
            [hover(point) for point in points],
            name=escaped(series.name),
            error_y=error_bars(up, down, plain["color"]),
            marker=plain | {"symbol": symbol(first.backend_index, first.variant.format)},
        )
        traces += without_few(trace | ({"showlegend": False} if first.variant.is_reference else look), points)
    return traces + few_mark([point for series in lines for point in series.points], palette)


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
