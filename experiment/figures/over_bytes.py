"""The trade-off over the size in bytes, for those who pay for bandwidth or storage.

Bytes are the same on every backend, so backends that give the same answers share a line, as in
agreement_by_size.
"""

from __future__ import annotations

from experiment.figures.agreement_by_size import alike, changed_words, group_trace, percent_axis, who
from experiment.figures.frame import Figure, base_layout, empty_figure, figure, log_axis
from experiment.figures.over_photos import score_column, what_is_shown
from experiment.figures.palette import Palette
from experiment.figures.points import (
    band,
    changed_mark,
    few_mark,
    label_positions,
    labelled,
    ring,
    unbeaten,
    unmet_goal,
    without_few,
)
from experiment.figures.view import Point, Series, View, missing_note
from experiment.wording import full_name, joined, kind_name, sentence

TITLE = "Trade-off"
HEIGHT_PX = 440
SCORE = "Probability, %"  # for photo sets a share
COLUMNS = ("Backend", "Format", "Size, px", "Size, KB", SCORE, "Kept", "Best trade-off")


def over_bytes(view: View, palette: Palette) -> Figure:
    """Probability over kilobytes (logarithmic). The band marks what no other variant beats in both."""
    view = view.uncrowded()
    if not view.points:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    groups = alike([*view.series, *(Series(point.backend.name, (point,)) for point in view.references)])
    drawn = [point for group in groups for point in group[0].points]
    best = unbeaten(drawn, kilobytes)
    best_keys = {point.key for point in best}
    x_axis = log_axis(palette, "Size, KB", [kilobytes(point) for point in drawn])
    y_axis = percent_axis(view, palette)
    ordered = sorted(drawn, key=lambda point: (point.key not in best_keys, -point.variant.size_px))
    ends = (x_axis["range"], y_axis["range"])
    labels = label_positions(ordered, kilobytes, ends, None, [group[0].points for group in groups])
    data = [band(best, [kilobytes(point) for point in best], palette)] if len(best) > 1 else []
    for group in groups:
        points, trace = group[0].points, group_trace(group, view, palette)
        over = {"mode": trace["mode"] + "+text", "x": [kilobytes(point) for point in points]}
        data += without_few(trace | over | labelled(points, labels, view, palette), points)
    data += few_mark(drawn, palette)
    if any(point.is_kept is False for point in drawn):
        data.append(changed_mark(palette, changed_words(view)))
    data += ring(view, kilobytes, labels, palette)
    limit_kb = None if view.plan.max_size_bytes is None else view.plan.max_size_bytes / 1000
    words = f"over your {limit_kb or 0:,g} KB"
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {"xaxis": x_axis, "yaxis": y_axis}
    layout |= unmet_goal(limit_kb, 10 ** x_axis["range"][1], words, palette)
    rows = [
        [
            who(group),
            kind_name(point.variant),
            point.variant.size_px,
            kilobytes(point),
            point.percent,
            point.kept,
            "yes" if point.key in best_keys else "no",
            *([] if view.photo_set is None else [point.photos]),
        ]
        for group in groups
        for point in group[0].points
    ]
    columns = [score_column(view) if column == SCORE else column for column in COLUMNS]
    columns += [] if view.photo_set is None else ["Photos"]
    return figure(data, layout, TITLE, _caption(view), columns, rows)


def kilobytes(point: Point) -> float:
    """What is drawn on the x axis."""
    return point.variant.size_bytes / 1000


def _caption(view: View) -> str:
    point = view.recommended()
    choice = f"{sentence(full_name(point.variant)).rstrip('.')} is recommended." if point else ""
    shown = "Accuracy" if view.is_accuracy else "Agreement"
    axes = f"{shown} over size in bytes: up and to the left is better."
    return joined(choice, axes, what_is_shown(view), missing_note(view))
