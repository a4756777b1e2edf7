"""Latency over the rate of requests: where it begins to grow, and up to where it keeps within the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

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
from experiment.figures.palette import SYMBOLS, Palette, colour
from experiment.figures.view import View
from experiment.records import LoadCurve, LoadPoint
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from experiment.under_load.capacities import capacity_words, limit_words, upper_latency
from experiment.wording import capitalised, count, joined, listed, milliseconds, number, short_name

TITLE = "Latency under load"
HEIGHT_PX = 420
COLUMNS = (
    "Curve", "Offered, requests/s", "Answered, requests/s", "Right, requests/s", "p50, ms", "p90, ms",
    "p99, ms", "Slowest, ms", "Requests", "Failed", "Within the limit", "Validity",
)  # fmt: skip
FEW = f"A p99 needs {SAMPLES_FOR_P99} answers at a rate, a p90 {SAMPLES_FOR_P90}; not all rates have as many."
KNEE_PX, CAPACITY_PX = 15, 13
LEGEND_LETTERS = 40  # of one line, on a phone
AFTER_THE_LINES = 2000  # legendrank of entries that explain


def under_load(view: View, palette: Palette) -> Figure:
    """p50 and the slow end of latency over the offered rate, both logarithmic. One pair of lines a curve.

    At least one curve must have an answered point.
    """
    curves = [curve for curve in view.load if _answered(curve)]
    lines = [line for place, curve in enumerate(curves) for line in _lines(curve, place, view, palette)]
    data = [*lines, *_knees(curves, palette), *_capacities(curves, palette)]
    points = [point for curve in curves for point in _answered(curve)]
    rates = [point.offered_per_s for point in points]
    rates += [rate for curve in curves for rate in (curve.low_per_s, curve.high_per_s) if rate]
    times_ms = [time for curve in curves for point in _answered(curve) for time in _times_ms(curve, point)]
    times_ms += [curve.limit_ms for curve in curves]
    legend_rows = sum(1 + trace["name"].count("<br>") for trace in data)
    layout = base_layout(palette, HEIGHT_PX, legend_rows) | {
        "xaxis": log_axis(palette, "Offered rate, requests/s", rates, 0.001),
        "yaxis": log_axis(palette, "Latency, ms", times_ms),
    }
    layout |= _limits(curves, layout["xaxis"]["range"], palette)
    rows = [_row(curve, point, view) for curve in curves for point in _sorted(curve.points)]
    return figure(data, layout, TITLE, _caption(curves), COLUMNS, rows)


def curve_name(curve: LoadCurve, view: View) -> str:
    """ "256 px JPEG q85 on 8 CPU"."""
    variant = next(variant for variant in view.variants if variant.id == curve.variant_id)
    return f"{capitalised(short_name(variant))} on {curve.backend_name}"


def _sorted(points: Sequence[LoadPoint]) -> list[LoadPoint]:
    return sorted(points, key=lambda point: point.offered_per_s)


def _answered(curve: LoadCurve) -> list[LoadPoint]:
    return [point for point in _sorted(curve.points) if point.p50_ms is not None]


def _times_ms(curve: LoadCurve, point: LoadPoint) -> list[float]:
    """What is drawn of a point: p50, and the slow end where it is known."""
    known = point.p50_ms, getattr(point, upper_latency(curve)[1])
    return [time_ms for time_ms in known if time_ms is not None]


def _lines(curve: LoadCurve, place: int, view: View, palette: Palette) -> list[dict[str, Any]]:
    """p50 solid, the slow end dashed. Points that can't be relied on are hollow."""
    own, shape = colour(palette, place), SYMBOLS[place % len(SYMBOLS)]
    name, (upper, field) = curve_name(curve, view), upper_latency(curve)
    lines = []
    for words, key, dash in (("p50", "p50_ms", "solid"), (upper, field, "dash")):
        points = [point for point in _answered(curve) if getattr(point, key) is not None]
        symbols = [f"{shape}-open" if point.validity == "INVALID" else shape for point in points]
        lines.append(
            dots(
                [point.offered_per_s for point in points],
                [getattr(point, key) for point in points],
                [_hover(name, curve, point) for point in points],
                mode="lines+markers",
                name="<br>".join(map(escaped, wrap(f"{name}, {words}", LEGEND_LETTERS))),
                line={"color": own, "width": 2, "dash": dash},
                marker={"size": 8, "color": own, "symbol": symbols, "line": {"width": 1.5, "color": own}},
            )
        )
    return lines


def _hover(name: str, curve: LoadCurve, point: LoadPoint) -> str:
    times = [("p50", point.p50_ms), ("p90", point.p90_ms), ("p99", point.p99_ms), ("slowest", point.max_ms)]
    return hover_text(
        name,
        f"{number(point.offered_per_s)} requests/s offered, {number(point.achieved_per_s)} answered",
        ", ".join(f"{words} {milliseconds(value)}" for words, value in times if value is not None),
        f"{count(point.count, 'request')}, {point.over_limit:,} over {milliseconds(curve.limit_ms)}"
        + (f", {point.failures:,} of them failed" if point.failures else ""),
        "" if point.validity == "VALID" else point.validity,
    )


def _knees(curves: Sequence[LoadCurve], palette: Palette) -> list[dict[str, Any]]:
    """A hollow triangle on each p50 line, at the rate with the most answers for their time."""
    known = [(place, curve) for place, curve in enumerate(curves) if curve.knee_per_s is not None]
    if not known:
        return []
    places = [(curve.knee_per_s or 0.0, _p50_at(curve, curve.knee_per_s or 0.0)) for _, curve in known]
    return [
        dots(
            [rate for rate, _ in places],
            [time_ms for _, time_ms in places],
            [hover_text("Knee", f"{number(rate)} requests/s") for rate, _ in places],
            name="knee",
            legendrank=AFTER_THE_LINES,
            marker=_mark("triangle-up-open", KNEE_PX, [place for place, _ in known], palette),
        )
    ]


def _p50_at(curve: LoadCurve, per_s: float) -> float:
    """On the drawn line: straight between two points where both axes are logarithmic."""
    points = _answered(curve)
    below = [point for point in points if point.offered_per_s <= per_s]
    above = [point for point in points if point.offered_per_s > per_s]
    if not below or not above:
        return (below[-1] if below else points[0]).p50_ms or 0.0
    low, high = below[-1], above[0]
    part = math.log(per_s / low.offered_per_s) / math.log(high.offered_per_s / low.offered_per_s)
    return math.exp((1 - part) * math.log(low.p50_ms or 1e-3) + part * math.log(high.p50_ms or 1e-3))


def _capacities(curves: Sequence[LoadCurve], palette: Palette) -> list[dict[str, Any]]:
    """A star where each capacity meets its limit, with its 95 % interval; one entry of the legend for all."""
    known = [(place, curve) for place, curve in enumerate(curves) if curve.outcome == "found"]
    return [
        dots(
            [curve.per_s or 0.0],
            [curve.limit_ms],
            [hover_text("Capacity", capacity_words(curve) or "", limit_words(curve))],
            name="capacity",
            showlegend=(place, curve) == known[0],
            legendrank=AFTER_THE_LINES,
            error_x=error_bars(*_arms(curve), colour(palette, place), cap_px=5 + 3 * place),
            marker=_mark("star", CAPACITY_PX, [place], palette),
        )
        for place, curve in known
    ]


def _arms(curve: LoadCurve) -> tuple[list[float], list[float]]:
    """How far the interval of a known capacity reaches up and down."""
    per_s = curve.per_s or 0.0
    high, low = (per_s if end is None else end for end in (curve.high_per_s, curve.low_per_s))
    return [round(high - per_s, 6)], [round(per_s - low, 6)]


def _mark(symbol: str, size_px: int, places: Sequence[int], palette: Palette) -> dict[str, Any]:
    own = [colour(palette, place) for place in places]
    return {"size": size_px, "symbol": symbol, "color": own, "line": {"width": 1.5, "color": own}}


def _limits(curves: Sequence[LoadCurve], ends: Sequence[float], palette: Palette) -> dict[str, Any]:
    """A part of the layout: a line at each limit, with its words."""
    limits = sorted({curve.limit_ms for curve in curves})
    line = {"color": palette.muted, "width": 1.5, "dash": "dot"}
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "line": line}
    notes = [
        {
            "text": f"limit {limit:,.15g} ms",
            "showarrow": False,
            "x": ends[0],
            "xanchor": "left",
            "y": math.log10(limit),
            "yanchor": "bottom",
            "font": {"size": 12, "color": palette.muted},
        }
        for limit in limits
    ]
    return {"shapes": [across | {"y0": limit, "y1": limit} for limit in limits], "annotations": notes}


def _row(curve: LoadCurve, point: LoadPoint, view: View) -> list[Any]:
    kept = "yes" if point.keeps_limit else "no"
    return [
        curve_name(curve, view), point.offered_per_s, point.achieved_per_s, point.goodput_per_s, point.p50_ms,
        point.p90_ms, point.p99_ms, point.max_ms, point.count, point.failures, kept, point.validity,
    ]  # fmt: skip


def _caption(curves: Sequence[LoadCurve]) -> str:
    uppers = list(dict.fromkeys(upper_latency(curve)[0] for curve in curves))
    marks = ["star: the capacity"] if any(curve.outcome == "found" for curve in curves) else []
    marks += ["triangle: the knee"] if any(curve.knee_per_s is not None for curve in curves) else []
    points = [point for curve in curves for point in _answered(curve)]
    return joined(
        f"Solid: p50, dashed: {listed(uppers)}, from when each request was due.",
        f"{capitalised(', '.join(marks))}." if marks else "",
        FEW if any(point.p99_ms is None for point in points) else "",
        "Hollow points are not to be relied on." if any(p.validity == "INVALID" for p in points) else "",
    )
