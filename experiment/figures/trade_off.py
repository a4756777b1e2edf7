"""The decision: what each variant costs in time, and how sure the answer stays.

x is latency, not bytes, since bytes are the same on every backend and could not tell
them apart; the size in bytes stands in the table and over each point, and over_bytes.py
shows the same over bytes. y is the same probability as in agreement_by_size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence, Set
from typing import Any

from experiment.figures.agreement_by_size import changed_words, percent_axis
from experiment.figures.frame import Figure, base_layout, empty_figure, escaped, figure, log_axis
from experiment.figures.label_places import Spot, place_labels
from experiment.figures.over_photos import bars, score_column, what_is_shown
from experiment.figures.palette import Palette
from experiment.figures.points import (
    band,
    changed_mark,
    describe,
    line,
    markers,
    point_label,
    ring,
    unbeaten,
    unmet_goal,
)
from experiment.figures.view import Point, Series, View, missing_note
from experiment.records import RESOLUTION_MS
from experiment.wording import format_name, full_name, kind_name, milliseconds, sentence

TITLE = "Trade-off"
HEIGHT_PX = 440
SCORE = "Probability, %"  # of a set of photos it is a share
LATENCY = "p50, ms"
COLUMNS = (
    "Backend",
    "Format",
    "Size, px",
    LATENCY,
    SCORE,
    "Size, bytes",
    "Kept",
    "Best trade-off",
)


def trade_off(view: View, palette: Palette) -> Figure:
    """Probability over p50 or what was chosen (logarithmic). The band marks what none beats in both.

    Where there are too many lines, there are none: points of one backend and format look alike,
    and each says over it how it was made.
    """
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    best = frontier(view.points)
    x_axis = log_axis(palette, _x_title(view), [point.latency_ms for point in view.points])
    y_axis = percent_axis(view, palette)
    labels = _labels(view, best, x_axis["range"], y_axis["range"])
    lines = [
        *(_clouds(view) if view.is_crowded else view.series),
        *(Series(f"{point.backend.name}, {kind_name(point.variant)}", (point,)) for point in view.references),
    ]
    data = [band(best, [point.latency_ms for point in best], palette)] if len(best) > 1 else []
    data += [_trace(series, view, palette, labels) for series in lines]
    if any(point.is_kept is False for point in view.points):
        data.append(changed_mark(palette, changed_words(view)))
    data += _ring(view, palette, labels)
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {"xaxis": x_axis, "yaxis": y_axis}
    layout |= _unmet_goal(view, palette, 10 ** x_axis["range"][1])
    best_keys = {point.key for point in best}
    rows = [_row(point, best_keys) for series in lines for point in series.points]
    names = {SCORE: score_column(view), LATENCY: f"{view.latency}, ms"}
    columns = [names.get(column, column) for column in COLUMNS]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def _x_title(view: View) -> str:
    return "Slowest of all samples, ms" if view.latency == "slowest" else f"{view.latency} latency, ms"


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both latency and probability, fastest first.

    One that can't be told faster than the next, surer one is left out: there is nothing to trade.
    """
    best = unbeaten(points, lambda point: point.latency_ms)
    followed = [
        point for point, surer in itertools.pairwise(best) if (point.cell.p50_high_ms or 0) < surer.latency_ms
    ]
    return [*followed, *best[-1:]]


def _clouds(view: View) -> list[Series]:
    """All points of one backend and format together."""
    clouds: dict[tuple[str, str], dict[tuple[str, str], Point]] = {}
    for series in view.series:
        for point in series.points:  # a copy that was not resized is on the line of each filter
            clouds.setdefault((point.backend.name, point.variant.format), {}).setdefault(point.key, point)
    return [
        Series(f"{name}, {format_name(key)}", tuple(cloud.values())) for (name, key), cloud in clouds.items()
    ]


def _trace(
    series: Series, view: View, palette: Palette, labels: dict[tuple[str, str], str]
) -> dict[str, Any]:
    points = series.points
    is_reference = series.first.variant.is_reference
    is_line = not is_reference and not view.is_crowded
    ringed = view.recommended()
    return {
        "type": "scatter",
        "mode": "lines+markers+text" if is_line else "markers+text",
        "x": [point.latency_ms for point in points],
        "y": [point.percent for point in points],
        "name": escaped(series.name),
        "showlegend": not is_reference,
        "line": line(series, palette) | {"width": 1.5},
        "marker": markers(points, palette, 10),
        "text": [
            point_label(point) if point.key in labels and point is not ringed else "" for point in points
        ],
        "textposition": [labels.get(point.key, "top center") for point in points],
        "textfont": {"size": 12, "color": palette.ink},
        "hovertext": [describe(point, view) for point in points],
        "hoverinfo": "text",
        "cliponaxis": False,
        **bars(points, line(series, palette)["color"]),
    }


def _labels(
    view: View, best: Sequence[Point], x_range: Sequence[float], y_range: Sequence[float]
) -> dict[tuple[str, str], str]:
    """Where labels stand, by point. The recommended point and the best trade-offs choose first."""
    drawn = [point for point in view.points if point.percent is not None]
    recommended, best_keys = view.recommended(), {point.key for point in best}
    ordered = sorted(
        drawn,
        key=lambda point: (point is not recommended, point.key not in best_keys, -point.variant.size_px),
    )
    spots = [
        Spot(
            _share(math.log10(max(point.latency_ms, RESOLUTION_MS)), x_range),
            _share(point.percent or 0.0, y_range),
            point_label(point),
            radius_px=12.0 if point is recommended else 6.0,
        )
        for point in ordered
    ]
    positions = zip(ordered, place_labels(spots), strict=True)
    return {point.key: position for point, position in positions if position is not None}


def _share(value: float, ends: Sequence[float]) -> float:
    return (value - ends[0]) / (ends[1] - ends[0])


def _ring(view: View, palette: Palette, labels: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    point = view.recommended()
    if point is None or point.percent is None:
        return []
    return [ring(point, point.latency_ms, palette, labels.get(point.key, "top center"))]


def _unmet_goal(view: View, palette: Palette, right_end_ms: float) -> dict[str, Any]:
    """Shades what is slower than the user's limit, which is one of the p50."""
    limit_ms = view.plan.max_p50_ms
    if limit_ms is None or view.latency != "p50" or limit_ms >= right_end_ms:
        return {}
    return unmet_goal(limit_ms, right_end_ms, f"over your {milliseconds(limit_ms)}", palette)


def _row(point: Point, best_keys: Set[tuple[str, str]]) -> list[Any]:
    return [
        point.backend.name,
        kind_name(point.variant),
        point.variant.size_px,
        point.latency_ms,
        point.percent,
        point.variant.size_bytes,
        {True: "yes", False: "no", None: None}[point.is_kept],
        "yes" if point.key in best_keys else "no",
    ]


def _caption(view: View) -> str:
    shown = "Accuracy" if view.is_accuracy else "Agreement"
    axes = f"{shown} over latency: up and to the left is better."
    parts = (_choice(view), axes, what_is_shown(view), missing_note(view))
    return " ".join(part for part in parts if part)


def _choice(view: View) -> str:
    point = view.recommended()
    if point is None:
        return ""  # the headline says why
    name = sentence(full_name(point.variant)).rstrip(".")
    return f"{name} on {point.backend.name} is the smallest that meets all goals."
