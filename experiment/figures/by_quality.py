"""What a lower quality costs and saves: the answer above, the bytes below, over the encoder's quality.

Drawn for one backend, since bytes are the same on all of them and answers nearly so. Its lines
are sizes, so here a colour and a symbol stand for a size, not for a backend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiment.figures.agreement_by_size import changed_words, percent_axis
from experiment.figures.frame import (
    Figure,
    axis,
    base_layout,
    dots,
    empty_figure,
    escaped,
    figure,
    round_ticks,
)
from experiment.figures.over_photos import bars, score_column, what_is_shown
from experiment.figures.palette import Palette, colour, dash, outline, symbol
from experiment.figures.points import changed_mark, describe, few_mark, without_few
from experiment.figures.view import MOST_LINES, Making, Point, Series, View, making, missing_note
from experiment.wording import joined, listed, number, ratio, sized_name, times

TITLE = "Quality, answer and bytes"
HEIGHT_PX = 480
ABOVE, BELOW = [0.5, 1.0], [0.0, 0.4]  # where the two panels stand
SCORE = "Probability, %"  # for photo sets a share
COLUMNS = ("Backend", "Variant", "Quality", SCORE, "Size, KB", "Answer", "Kept")
SYMBOLS = 4  # colours of the palette, and symbols that can be crossed out or stand hollow


def by_quality(view: View, palette: Palette) -> Figure:
    """Probability in %, and KB (logarithmic), over quality; one line for each size and way of making."""
    lines = _lines(view)
    if not lines:
        return empty_figure(palette, TITLE, COLUMNS, HEIGHT_PX)
    shown = [point for series in lines for point in series.points]
    data = []
    for series in lines:
        above = _trace(series, view, palette, [point.percent for point in series.points])
        look = {"name": escaped(series.name), **bars(series.points, colour(palette, series.nth % SYMBOLS))}
        data += without_few(above | look, series.points)
    for series in lines:
        below = _trace(series, view, palette, [_kilobytes(point) for point in series.points])
        data += without_few(below | {"yaxis": "y2", "showlegend": False}, series.points)
    data += few_mark(shown, palette)
    if any(point.is_kept is False for point in shown):
        data.append(changed_mark(palette, changed_words(view)))
    layout = base_layout(palette, HEIGHT_PX, len(lines)) | _axes(view, shown, palette)
    is_set = view.photo_set is not None
    rows = [[*_row(point), *([point.photos] if is_set else [])] for point in shown]
    columns = [score_column(view) if column == SCORE else column for column in COLUMNS]
    columns += ["Photos"] if is_set else []
    return figure(data, layout, TITLE, _caption(view, lines), columns, rows)


def _lines(view: View) -> list[Series]:
    """Points that differ in quality only, best quality first; at most MOST_LINES."""
    name = _backend_name(view)
    found: dict[tuple[int, Making], list[Point]] = {}
    for point in view.points:
        if point.backend.name == name and point.variant.quality is not None:
            key = point.variant.size_px, making(point.variant)._replace(quality=None)
            found.setdefault(key, []).append(point)
    several = [points for points in found.values() if len(points) > 1][:MOST_LINES]
    sizes = list(dict.fromkeys(points[0].variant.size_px for points in several))
    return [
        Series(
            _name(points[0]),
            tuple(sorted(points, key=lambda point: -(point.variant.quality or 0))),
            sizes.index(points[0].variant.size_px),
        )
        for points in several
    ]


def _backend_name(view: View) -> str:
    """The recommended backend, else the first that answered."""
    point = view.recommended() or next(iter(view.points), None)
    return point.backend.name if point else ""


def _name(point: Point) -> str:
    """ "512 px JPEG 4:4:4": without the quality, which is on the axis."""
    words = sized_name(point.variant).split(" ")
    return " ".join(word for word in words if word != f"q{point.variant.quality}")


def _trace(series: Series, view: View, palette: Palette, y: Sequence[float | None]) -> dict[str, Any]:
    own, points = colour(palette, series.nth % SYMBOLS), series.points
    format_key = points[0].variant.format
    return dots(
        [point.variant.quality or 0 for point in points],
        y,
        [describe(point, view) for point in points],
        mode="lines+markers",
        line={"color": own, "width": 2, "dash": dash(format_key)},
        marker={
            "size": 8,
            "color": own,
            "symbol": [symbol(series.nth, format_key, point.is_kept is not False) for point in points],
            "line": outline(palette, own, format_key),
        },
    )


def _kilobytes(point: Point) -> float:
    return round(point.variant.size_bytes / 1e3, 3)


def _axes(view: View, shown: Sequence[Point], palette: Palette) -> dict[str, Any]:
    qualities = sorted({point.variant.quality or 0 for point in shown})
    room = max((qualities[-1] - qualities[0]) * 0.06, 1)
    kilobytes = [_kilobytes(point) for point in shown]
    low, high = min(kilobytes) / 1.3, max(kilobytes) * 1.3
    ticks = round_ticks(low, high)
    return {
        "xaxis": axis(
            palette,
            "Quality setting of the encoder",
            range=[qualities[0] - room, qualities[-1] + room],
            tickvals=qualities,
            anchor="y2",
        ),
        "yaxis": percent_axis(view, palette) | {"domain": ABOVE},
        "yaxis2": axis(
            palette,
            "Size, KB",
            domain=BELOW,
            type="log",
            range=[math.log10(low), math.log10(high)],
            tickvals=ticks,
            ticktext=[f"{tick:,g}" for tick in ticks],
        ),
    }


def _row(point: Point) -> list[Any]:
    return [
        point.backend.name,
        _name(point),
        point.variant.quality,
        point.percent,
        _kilobytes(point),
        point.answer,
        point.kept,
    ]


def _caption(view: View, lines: Sequence[Series]) -> str:
    return joined(
        what_is_shown(view),
        _kept(view, lines),
        _saved(lines),
        f"Measured on {_backend_name(view)}.",
        missing_note(view),
    )


def _kept(view: View, lines: Sequence[Series]) -> str:
    """Down to which quality the answer holds at every size that is drawn."""
    stays = "stays the same" if view.true_label is None else "is right"
    judged = [point for line in lines for point in line.points if point.is_kept is not None]
    if not judged:
        return ""
    lost = [point.variant.quality or 0 for point in judged if not point.is_kept]
    if not lost:
        lowest = min(point.variant.quality or 0 for point in judged)
        return f"At every quality, down to q{lowest}, the answer {stays}."
    above = sorted({point.variant.quality or 0 for point in judged} - set(range(max(lost) + 1)))
    if above:
        return f"From q{above[0]} upwards the answer {stays} at every size."
    always = [series.name for series in lines if all(point.is_kept for point in series.points)]
    if always:
        return f"The answer {stays} at every quality of {listed(always)}, and not of the others."
    return f"There is no quality at which the answer {stays} at every size."


def _saved(lines: Sequence[Series]) -> str:
    """The bytes that the lowest quality saves, for the largest copy."""
    best, worst = lines[0].points[0], lines[0].points[-1]
    factor = times(ratio(best.variant.size_bytes, worst.variant.size_bytes))
    ends = f"q{best.variant.quality} to q{worst.variant.quality}"
    sizes = f"{number(_kilobytes(best))} to {number(_kilobytes(worst))} KB"
    return f"From {ends} the {lines[0].name} shrinks {factor}, {sizes}."
