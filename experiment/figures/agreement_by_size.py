"""Whether the answer survives: the probability of the expected label, by size.

Expected is the original's own answer (agreement), or the true label where the user gave
one (accuracy). The axis and the caption say which of the two is shown. For photo sets it
shows the share of them that meet the expectation, with its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiment.figures.frame import Figure, axis, base_layout, dots, empty_figure, escaped, figure
from experiment.figures.over_photos import axis_title, bars, what_is_shown
from experiment.figures.palette import Palette, dash, outline, symbol
from experiment.figures.points import (
    changed_mark,
    describe,
    few_mark,
    line,
    markers,
    size_axis,
    without_few,
)
from experiment.figures.view import Point, Series, View, missing_note
from experiment.wording import (
    compared_with,
    count,
    joined,
    kind_name,
    listed,
    percent,
    short_label,
    sized_name,
)

HEIGHT_PX = 360
LEAST_SPAN = 10.0  # points between the ends of the score's axis
STEPS, MOST_STEPS = (2, 5, 10, 20), 6
COLUMNS = ("Backend", "Format", "Size, px", "Probability, %", "Answer", "Kept")
SET_COLUMNS = ("Backend", "Format", "Size, px", "Share, %", "95 % from", "to", "Photos")


def agreement_by_size(view: View, palette: Palette) -> Figure:
    """Probability over the longest side; filled where the top answer is right, else crossed out.

    Backends that give the same answers share one line, for theirs would lie on each other.
    """
    view, title = view.uncrowded(), title_of(view)
    if not view.points:
        return empty_figure(palette, title, COLUMNS, HEIGHT_PX)
    groups = alike([*view.series, *view.originals])
    data = [
        trace for group in groups for trace in without_few(group_trace(group, view, palette), group[0].points)
    ]
    data += few_mark([point for group in groups for point in group[0].points], palette)
    if any(point.is_kept is False for point in view.points):
        data.append(changed_mark(palette, changed_words(view)))
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": percent_axis(view, palette),
    }
    columns, row = (COLUMNS, _row) if view.photo_set is None else (SET_COLUMNS, _set_row)
    rows = [row(group, point) for group in groups for point in group[0].points]
    return figure(data, layout, title, _caption(view), columns, rows)


def title_of(view: View) -> str:
    """Says which of the two is shown."""
    return "Accuracy by size" if view.is_accuracy else "Agreement by size"


def percent_axis(view: View, palette: Palette) -> dict[str, Any]:
    """The score that the figure is about, over what was measured and never less than LEAST_SPAN points.

    So the same fall looks alike in every run with small ones. Intervals of few photos do not stretch it.
    """
    label = escaped(short_label(view.expected))
    title = f"Probability of “{label}”, %" if label else "Probability, %"
    title = title if view.photo_set is None else axis_title(view)
    scores = [
        score
        for point in view.points
        for score in ((point.score,) if point.is_few else (point.score, point.low, point.high))
    ]
    known = [100 * score for score in scores if score is not None] or [0.0, 100.0]
    low, high = min(known), max(known)
    if high - low < LEAST_SPAN:
        high = min(max((low + high + LEAST_SPAN) / 2, LEAST_SPAN), 100.0)
        low = high - LEAST_SPAN
    margin = (high - low) * 0.06
    step = next((step for step in STEPS if (high - low) / step <= MOST_STEPS), STEPS[-1])
    ticks = list(range(math.ceil(low / step) * step, math.floor(high / step) * step + 1, step))
    return axis(palette, title, range=[low - margin, high + margin], tickvals=ticks)


def changed_words(view: View) -> str:
    """What a hollow symbol means."""
    return "answer changed" if view.true_label is None else "wrong answer"


def alike(series: Sequence[Series]) -> list[list[Series]]:
    """Series of the same format whose answers agree at every size, to what a reader can see."""
    groups: dict[Any, list[Series]] = {}
    for one in series:
        key = tuple(
            (point.variant.id, None if point.score is None else round(point.score, 3), point.is_kept)
            for point in one.points
        )
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def group_trace(group: Sequence[Series], view: View, palette: Palette) -> dict[str, Any]:
    """The line of series whose answers agree. That of several backends has no backend's colour."""
    series, points = group[0], group[0].points
    first = series.first.variant
    look, marker = line(series, palette), markers(points, palette)
    if len(group) > 1:
        place = 1 if dash(first.format) != "solid" else 0
        look = {"color": palette.ink, "width": 2, "dash": dash(first.format, series.nth)}
        marker = {
            "size": 9,
            "color": palette.ink,
            "symbol": [symbol(place, first.format, point.is_kept is not False) for point in points],
            "line": outline(palette, palette.ink, first.format),
        }
    everyone = len({point.backend.name for point in view.points})
    names = "all backends" if 1 < everyone == len(group) else who(group)
    return dots(
        [point.variant.size_px for point in points],
        [point.percent for point in points],
        [describe(point, view) for point in points],
        mode="markers" if first.is_reference else "lines+markers",
        name=escaped(f"{names}, {series.name.rpartition(', ')[2]}"),
        showlegend=not first.is_reference,
        line=look,
        marker=marker,
        **bars(points, look["color"]),
    )


def who(group: Sequence[Series]) -> str:
    """The backends of a group, in words."""
    return listed([series.first.backend.name for series in group])


def _row(group: Sequence[Series], point: Point) -> list[Any]:
    return [
        who(group),
        kind_name(point.variant),
        point.variant.size_px,
        point.percent,
        point.answer,
        point.kept,
    ]


def _set_row(group: Sequence[Series], point: Point) -> list[Any]:
    over = point.cell.over_photos
    share = None if over is None else over.top1 or over.agreement
    return [
        who(group),
        kind_name(point.variant),
        point.variant.size_px,
        point.percent,
        None if point.low is None else round(100 * point.low, 2),
        None if point.high is None else round(100 * point.high, 2),
        share.total if share else None,
    ]


def _caption(view: View) -> str:
    return joined(_what(view), _where_it_changes(view), _unknown(view), missing_note(view))


def _what(view: View) -> str:
    if view.photo_set is not None:
        return what_is_shown(view)
    if view.true_label is not None:
        return f"Accuracy, measured against the true label “{view.true_label}”."
    references = view.references
    if not references and view.is_running:
        return "The original has not been measured yet, so there is nothing to compare with."
    if not references or not references[0].cell.top:
        return "The original got no answer, so there is nothing to compare with."
    top = references[0].cell.top[0]
    other = compared_with(view.variants)
    return f"Agreement with the {other}'s own answer, {short_label(top.label)} ({percent(top.score)})."


def _where_it_changes(view: View) -> str:
    judged = [point for point in view.points if point.is_kept is not None and not point.variant.is_reference]
    changed = sorted({point.variant.size_px for point in judged if point.is_kept is False})
    kept = sorted({point.variant.size_px for point in judged if point.is_kept})
    becomes, stays = ("changes", "stays the same") if view.true_label is None else ("is wrong", "is right")
    if not judged:
        return ""
    if not changed:
        return f"The answer {stays} at every size, down to {kept[0]} px."
    if not kept:
        return f"The answer {becomes} at every size."
    if changed[-1] < kept[0]:
        return f"Below {kept[0]} px the answer {becomes}."
    if kept[-1] < changed[0]:
        return f"Above {kept[-1]} px the answer {becomes}."
    return f"The answer {becomes} at {listed(_places(judged))}."


def _places(judged: Sequence[Point]) -> list[str]:
    """Variants with another answer, largest first; at most four are named."""
    changed = {
        (-point.variant.size_px, sized_name(point.variant)) for point in judged if point.is_kept is False
    }
    names = [name for _, name in sorted(changed)]
    return names if len(names) <= 4 else [*names[:3], count(len(names) - 3, "other variant")]


def _unknown(view: View) -> str:
    lost = sum(point.score is None and bool(point.cell.top) for point in view.points)
    if not lost or not view.expected:
        return ""
    are = "answer has" if lost == 1 else "answers have"
    return f"{lost} {are} the label below their top 5, with an unknown probability, and can't be drawn."
