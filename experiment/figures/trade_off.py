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
from experiment.figures.frame import (
    Figure,
    base_layout,
    dots,
    empty_figure,
    error_bars,
    escaped,
    figure,
    log_axis,
)
from experiment.figures.over_photos import bars, score_column, what_is_shown
from experiment.figures.palette import Palette
from experiment.figures.points import (
    BARS,
    Key,
    band,
    changed_mark,
    describe,
    few_mark,
    label_positions,
    labelled,
    line,
    markers,
    ring,
    unbeaten,
    unmet_goal,
    without_few,
)
from experiment.figures.view import Point, Series, View, missing_note
from experiment.records import Copies
from experiment.wording import capitalised, format_name, full_name, joined, kind_name, milliseconds

TITLE = "Trade-off"
HEIGHT_PX = 440
MOST_JOINED = 6  # lines; more cross each other everywhere
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
COLUMNS = (
    "Backend",
    "Format",
    "Size, px",
    LATENCY,
    SCORE,
    "Size, bytes",
    "Kept",
    "Best trade-off",
    "95 % from, ms",
    "to, ms",
)


def trade_off(view: View, palette: Palette) -> Figure:
    """Probability over p50 or what was chosen (logarithmic), with making and uploading the copy where these
    count. The band marks what none beats in both.

    Lines join the sizes of one way of making. Where there are too many, there are none: points of one backend
    and format look alike, and each says over it how it was made.
    """
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    view = view.timed()
    best = frontier(view.points)
    best_keys, recommended = {point.key for point in best}, view.recommended()
    x_axis = log_axis(palette, _x_title(view), [end for point in view.points for end in _ends_ms(point)])
    y_axis = percent_axis(view, palette)
    # The recommended point and the best trade-offs choose first where their labels stand.
    ordered = sorted(
        view.points,
        key=lambda point: (point is not recommended, point.key not in best_keys, -point.variant.size_px),
    )
    is_joined = len(view.series) <= MOST_JOINED
    lines = [*(view.series if is_joined else _clouds(view)), *view.originals]
    ends = (x_axis["range"], y_axis["range"])
    joined_points = [series.points for series in lines] if is_joined else []
    labels = label_positions(ordered, _latency_ms, ends, recommended, joined_points)
    data = [band(best, [point.shown_ms for point in best], palette)] if len(best) > 1 else []
    data += [
        trace
        for series in lines
        for trace in without_few(_trace(series, view, palette, labels, is_joined), series.points)
    ]
    data += few_mark(view.points, palette)
    if any(point.is_kept is False for point in view.points):
        data.append(changed_mark(palette, changed_words(view)))
    data += ring(view, _latency_ms, labels, palette)
    limit_ms = view.plan.max_p50_ms if view.latency == "p50" else None  # the goal is one of the p50
    words = f"over your {milliseconds(limit_ms or 0)}"
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {"xaxis": x_axis, "yaxis": y_axis}
    layout |= unmet_goal(limit_ms, 10 ** x_axis["range"][1], words, palette)
    rows = [_row(point, best_keys, view) for series in lines for point in series.points]
    names = {SCORE: score_column(view), LATENCY: LATENCY_COLUMNS[view.plan.copies].format(view.latency)}
    columns = [names.get(column, column) for column in COLUMNS]
    columns += [] if view.photo_set is None else ["Photos"]
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


def _ends_ms(point: Point) -> tuple[float, float]:
    """The 95 % interval of what is drawn, where that is p50; else the point itself."""
    if point.latency_ms != point.p50_ms or point.interval_ms is None:
        return point.shown_ms, point.shown_ms
    return point.interval_ms


def _crosses(points: Sequence[Point], colour: str) -> dict[str, Any]:
    """Horizontal bars over the intervals of p50."""
    ends = [_ends_ms(point) for point in points]
    up = [round(high - point.shown_ms, 6) for point, (_, high) in zip(points, ends, strict=True)]
    down = [round(point.shown_ms - low, 6) for point, (low, _) in zip(points, ends, strict=True)]
    return {"error_x": error_bars(up, down, colour, 0)}


def _trace(
    series: Series, view: View, palette: Palette, labels: Mapping[Key, str], is_joined: bool
) -> dict[str, Any]:
    points = series.points
    is_reference = series.first.variant.is_reference
    look = line(series, palette)
    return dots(
        [point.shown_ms for point in points],
        [point.percent for point in points],
        [describe(point, view) for point in points],
        mode="lines+markers+text" if is_joined and not is_reference else "markers+text",
        name=escaped(series.name),
        showlegend=not is_reference,
        line=look | {"width": 1.5},
        marker=markers(points, palette, 10),
        **labelled(points, labels, view, palette),
        **bars(points, look["color"]),
        **_crosses(points, look["color"]),
    )


def _row(point: Point, best_keys: Set[Key], view: View) -> list[Any]:
    low, high = (None, None) if point.latency_ms != point.p50_ms else point.interval_ms or (None, None)
    return [
        point.backend.name,
        kind_name(point.variant),
        point.variant.size_px,
        point.shown_ms,
        point.percent,
        point.variant.size_bytes,
        point.kept,
        "yes" if point.key in best_keys else "no",
        low,
        high,
        *([] if view.photo_set is None else [point.photos]),
    ]


def _caption(view: View) -> str:
    point, choice = view.recommended(), ""  # without one the headline says why
    if point:
        best = "smallest" if view.plan.copies == "in_advance" else "fastest"
        name = capitalised(full_name(point.variant))
        choice = f"{name} on {point.backend.name} is the {best} that meets all goals."
    shown = "Accuracy" if view.is_accuracy else "Agreement"
    axes = AXES[view.plan.copies].format(shown, f"{view.plan.uplink_mbit_s:,g}")
    whiskers = BARS if view.latency == "p50" else ""
    return joined(choice, axes, whiskers, what_is_shown(view), missing_note(view))
