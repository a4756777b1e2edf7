"""The decision: what each variant costs in time, and how sure the answer stays.

x is latency, not bytes, since bytes are the same on every backend, and points would
lie on each other; the size in bytes stands in the table and over each point, and over_bytes.py
shows the same over bytes. y is the same probability as in agreement_by_size.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence, Set
from typing import Any

from experiment.figures.agreement_by_size import changed_words, percent_axis
from experiment.figures.frame import Figure, base_layout, dots, empty_figure, escaped, figure, log_axis
from experiment.figures.over_photos import bars, score_column, what_is_shown
from experiment.figures.palette import Palette
from experiment.figures.points import (
    Key,
    band,
    changed_mark,
    describe,
    label_positions,
    labelled,
    line,
    markers,
    ring,
    unbeaten,
    unmet_goal,
)
from experiment.figures.view import Point, Series, View, missing_note
from experiment.records import Copies
from experiment.wording import capitalised, format_name, full_name, joined, kind_name, milliseconds

TITLE = "Trade-off"
HEIGHT_PX = 440
SCORE = "Probability, %"  # for photo sets a share
LATENCY = "p50, ms"
LATENCY_COLUMNS: dict[Copies, str] = {
    "in_advance": "{}, ms",
    "per_request": "Making and {}, ms",
    "client": "End to end with {}, ms (modelled)",
}
X_TITLES: dict[Copies, str] = {
    "in_advance": "{}, ms",
    "per_request": "Making the copy and {}, ms",
    "client": "End to end with {}, ms (modelled)",
}
AXES: dict[Copies, str] = {
    "in_advance": "{} over latency: up and to the left is better.",
    "per_request": "{} over the time of a request with making its copy: up and to the left is better.",
    "client": "{} over making, uploading at {} Mbit/s and latency (modelled): up and to the left is better.",
}
COLUMNS = ("Backend", "Format", "Size, px", LATENCY, SCORE, "Size, bytes", "Kept", "Best trade-off")


def trade_off(view: View, palette: Palette) -> Figure:
    """Probability over p50 or what was chosen (logarithmic), with making and uploading the copy where these
    count. The band marks what none beats in both.

    Where there are too many lines, there are none: points of one backend and format look alike,
    and each says over it how it was made.
    """
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    view = view.timed()
    best = frontier(view.points)
    best_keys, recommended = {point.key for point in best}, view.recommended()
    x_axis = log_axis(palette, _x_title(view), [point.shown_ms for point in view.points])
    y_axis = percent_axis(view, palette)
    # The recommended point and the best trade-offs choose first where their labels stand.
    ordered = sorted(
        view.points,
        key=lambda point: (point is not recommended, point.key not in best_keys, -point.variant.size_px),
    )
    labels = label_positions(ordered, _latency_ms, (x_axis["range"], y_axis["range"]), recommended)
    lines = [*(_clouds(view) if view.is_crowded else view.series), *view.originals]
    data = [band(best, [point.shown_ms for point in best], palette)] if len(best) > 1 else []
    data += [_trace(series, view, palette, labels) for series in lines]
    if any(point.is_kept is False for point in view.points):
        data.append(changed_mark(palette, changed_words(view)))
    data += ring(view, _latency_ms, labels, palette)
    limit_ms = view.plan.max_p50_ms if view.latency == "p50" else None  # the goal is one of the p50
    words = f"over your {milliseconds(limit_ms or 0)}"
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {"xaxis": x_axis, "yaxis": y_axis}
    layout |= unmet_goal(limit_ms, 10 ** x_axis["range"][1], words, palette)
    rows = [_row(point, best_keys) for series in lines for point in series.points]
    names = {SCORE: score_column(view), LATENCY: LATENCY_COLUMNS[view.plan.copies].format(view.latency)}
    columns = [names.get(column, column) for column in COLUMNS]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def _latency_ms(point: Point) -> float:
    return point.shown_ms


def _x_title(view: View) -> str:
    request = "Slowest of all samples" if view.latency == "slowest" else f"{view.latency} latency"
    return X_TITLES[view.plan.copies].format(request)


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both latency and probability, fastest first.

    One that is not measurably faster than the next, surer one is left out: there is nothing to trade.
    """
    best = unbeaten(points, _latency_ms)
    followed = [
        point
        for point, surer in itertools.pairwise(best)
        if point.with_extra(point.cell.p50_high_ms or 0) < surer.shown_ms
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


def _trace(series: Series, view: View, palette: Palette, labels: Mapping[Key, str]) -> dict[str, Any]:
    points = series.points
    is_reference = series.first.variant.is_reference
    look = line(series, palette)
    return dots(
        [point.shown_ms for point in points],
        [point.percent for point in points],
        [describe(point, view) for point in points],
        mode="markers+text" if is_reference or view.is_crowded else "lines+markers+text",
        name=escaped(series.name),
        showlegend=not is_reference,
        line=look | {"width": 1.5},
        marker=markers(points, palette, 10),
        **labelled(points, labels, view, palette),
        **bars(points, look["color"]),
    )


def _row(point: Point, best_keys: Set[Key]) -> list[Any]:
    return [
        point.backend.name,
        kind_name(point.variant),
        point.variant.size_px,
        point.shown_ms,
        point.percent,
        point.variant.size_bytes,
        point.kept,
        "yes" if point.key in best_keys else "no",
    ]


def _caption(view: View) -> str:
    point, choice = view.recommended(), ""  # without one the headline says why
    if point:
        best = "smallest" if view.plan.copies == "in_advance" else "fastest"
        name = capitalised(full_name(point.variant))
        choice = f"{name} on {point.backend.name} is the {best} that meets all goals."
    shown = "Accuracy" if view.is_accuracy else "Agreement"
    axes = AXES[view.plan.copies].format(shown, f"{view.plan.uplink_mbit_s:,g}")
    return joined(choice, axes, what_is_shown(view), missing_note(view))
