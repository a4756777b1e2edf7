"""The trade-off over the weight of an image: the same on every backend, until their answers differ.

For whom bandwidth or storage is dear. Backends that answer alike share a line, as in agreement_by_size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

from experiment.figures.agreement_by_size import alike, changed_words, group_trace, percent_axis, who
from experiment.figures.frame import Figure, base_layout, empty_figure, figure, log_axis
from experiment.figures.label_places import Spot, place_labels
from experiment.figures.over_photos import score_column, what_is_shown
from experiment.figures.palette import Palette
from experiment.figures.points import band, changed_mark, point_label, ring, unbeaten, unmet_goal
from experiment.figures.view import Point, Series, View, missing_note
from experiment.wording import full_name, kind_name, sentence

TITLE = "Trade-off"
HEIGHT_PX = 440
SCORE = "Probability, %"  # of a set of photos it is a share
COLUMNS = ("Backend", "Format", "Size, px", "Size, KB", SCORE, "Kept", "Best trade-off")

Group = Sequence[Series]


def over_bytes(view: View, palette: Palette) -> Figure:
    """Probability over kilobytes (logarithmic). The band marks what no other variant beats in both."""
    view = view.uncrowded()
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    groups = alike([*view.series, *(Series(point.backend.name, (point,)) for point in view.references)])
    drawn = [point for group in groups for point in group[0].points]
    best = lightest(drawn)
    x_axis = log_axis(palette, "Size, KB", [kilobytes(point) for point in drawn])
    y_axis = percent_axis(view, palette)
    labels = _labels(drawn, best, x_axis["range"], y_axis["range"])
    data = [band(best, [kilobytes(point) for point in best], palette)] if len(best) > 1 else []
    data += [_trace(group, view, palette, labels) for group in groups]
    if any(point.is_kept is False for point in drawn):
        data.append(changed_mark(palette, changed_words(view)))
    data += _ring(view, palette, labels)
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {"xaxis": x_axis, "yaxis": y_axis}
    layout |= _unmet_goal(view, palette, 10 ** x_axis["range"][1])
    best_keys = {point.key for point in best}
    rows = [_row(group, point, best_keys) for group in groups for point in group[0].points]
    columns = [score_column(view) if column == SCORE else column for column in COLUMNS]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def kilobytes(point: Point) -> float:
    """What is drawn on the x axis."""
    return point.variant.size_bytes / 1000


def lightest(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both weight and probability, lightest first."""
    return unbeaten(points, lambda point: point.variant.size_bytes)


def _trace(group: Group, view: View, palette: Palette, labels: dict[tuple[str, str], str]) -> dict[str, Any]:
    points, trace = group[0].points, group_trace(group, view, palette)
    ringed = view.recommended()
    return trace | {
        "mode": trace["mode"] + "+text",
        "x": [kilobytes(point) for point in points],
        "text": [
            point_label(point) if point.key in labels and point is not ringed else "" for point in points
        ],
        "textposition": [labels.get(point.key, "top center") for point in points],
        "textfont": {"size": 12, "color": palette.ink},
    }


def _labels(
    drawn: Sequence[Point], best: Sequence[Point], x_range: Sequence[float], y_range: Sequence[float]
) -> dict[tuple[str, str], str]:
    """Where labels stand, by point; the best trade-offs choose first."""
    known = [point for point in drawn if point.percent is not None]
    best_keys = {point.key for point in best}
    ordered = sorted(known, key=lambda point: (point.key not in best_keys, -point.variant.size_px))
    spots = [
        Spot(
            (math.log10(kilobytes(point)) - x_range[0]) / (x_range[1] - x_range[0]),
            ((point.percent or 0.0) - y_range[0]) / (y_range[1] - y_range[0]),
            point_label(point),
        )
        for point in ordered
    ]
    positions = zip(ordered, place_labels(spots), strict=True)
    return {point.key: position for point, position in positions if position is not None}


def _ring(view: View, palette: Palette, labels: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    point = view.recommended()
    if point is None or point.percent is None:
        return []
    return [ring(point, kilobytes(point), palette, labels.get(point.key, "top center"))]


def _unmet_goal(view: View, palette: Palette, right_end_kb: float) -> dict[str, Any]:
    """Shades what weighs more than the user's limit."""
    limit_bytes = view.plan.max_size_bytes
    if limit_bytes is None or limit_bytes / 1000 >= right_end_kb:
        return {}
    return unmet_goal(limit_bytes / 1000, right_end_kb, f"over your {limit_bytes / 1000:,g} KB", palette)


def _row(group: Group, point: Point, best_keys: Set[tuple[str, str]]) -> list[Any]:
    return [
        who(group),
        kind_name(point.variant),
        point.variant.size_px,
        kilobytes(point),
        point.percent,
        {True: "yes", False: "no", None: None}[point.is_kept],
        "yes" if point.key in best_keys else "no",
    ]


def _caption(view: View) -> str:
    shown = "Accuracy" if view.is_accuracy else "Agreement"
    axes = f"{shown} over weight: up and to the left is better."
    point = view.recommended()
    choice = f"{sentence(full_name(point.variant)).rstrip('.')} is recommended." if point else ""
    return " ".join(part for part in (choice, axes, what_is_shown(view), missing_note(view)) if part)
