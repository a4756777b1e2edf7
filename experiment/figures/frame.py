"""What all figures share: layout, axes, ticks, and the figure as a plain dict."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from experiment.figures.palette import Palette
from experiment.records import RESOLUTION_MS

Figure = dict[str, Any]

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
CLOSE = 3.0  # ends of a logarithmic axis, the higher over the lower
MOST_STEPS = 6
LEGEND_ROW_PX = 19
LEGEND_LINE_PX = 48  # long enough to tell a dashed line from a solid one


def figure(
    data: list[dict[str, Any]],
    layout: dict[str, Any],
    title: str,
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> Figure:
    """A figure as Plotly takes it, with what a reader needs beside it in `meta`."""
    table = {"columns": list(columns), "rows": [list(row) for row in rows]}
    return {"data": data, "layout": layout, "meta": {"title": title, "caption": caption, "table": table}}


def empty_figure(palette: Palette, title: str, columns: Sequence[str], height_px: int) -> Figure:
    """The same frame before anything was measured, so that nothing moves when results come."""
    words = {
        "text": "Results appear here.",
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "font": {"size": 15, "color": palette.muted},
    }
    hidden = {"visible": False, "range": [0, 1]}
    layout = base_layout(palette, height_px) | {"annotations": [words], "xaxis": hidden, "yaxis": hidden}
    return figure([], layout, title, "Results appear here. The first ones take about a second.", columns, [])


def base_layout(palette: Palette, height_px: int, lines: int = 0) -> dict[str, Any]:
    """Everything that does not depend on the data. The width follows the page.

    More `lines` than six need a taller legend on a phone, and so a taller figure.
    """
    return {
        "template": {"data": {}, "layout": {}},  # else plotly for Python adds its own look
        "autosize": True,
        "height": height_px + LEGEND_ROW_PX * max(lines - 6, 0),
        "margin": {"l": 48, "r": 12, "t": 12, "b": 52},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"family": FONT, "size": 13, "color": palette.ink},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": palette.paper,
            "bordercolor": palette.muted,
            "font": {"family": FONT, "size": 13, "color": palette.ink},
            "align": "left",
        },
        "dragmode": False,  # dragging over a plot scrolls the page, on a phone above all
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "xref": "container",
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "font": {"size": 12, "color": palette.ink},
            "bgcolor": "rgba(0, 0, 0, 0)",
            "itemsizing": "trace",
            "itemwidth": LEGEND_LINE_PX,
        },
    }


def dots(
    x: Iterable[float | str], y: Iterable[float | None], hovertext: list[str], **more: Any
) -> dict[str, Any]:
    """A trace of points that say more when pointed at; those on the edge are not cut off."""
    shown = {"hovertext": hovertext, "hoverinfo": "text", "cliponaxis": False}
    return {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y)} | shown | more


def words_at(x: Sequence[float], y: Sequence[str], words: list[str], palette: Palette) -> dict[str, Any]:
    """A trace of words to the right of points that are not drawn, such as the ends of bars."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": list(x),
        "y": list(y),
        "text": [f" {text}" for text in words],
        "textposition": "middle right",
        "textfont": {"size": 12, "color": palette.ink},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def error_bars(up: list[float], down: list[float], colour: str, cap_px: int = 3) -> dict[str, Any]:
    """Bars that reach so far above and below each point, as `error_y`."""
    arms = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    return arms | {"color": colour, "thickness": 1, "width": cap_px}


def axis(palette: Palette, title: str, **more: Any) -> dict[str, Any]:
    """An axis with a quiet grid and a title that names the unit."""
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 13, "color": palette.muted}},
        "gridcolor": palette.grid,
        "linecolor": palette.muted,
        "tickcolor": palette.muted,
        "tickfont": {"size": 12, "color": palette.ink},
        "ticks": "outside",
        "ticklen": 4,
        "showline": True,
        "zeroline": False,
        "automargin": True,
    } | more


def log_axis(
    palette: Palette, title: str, values: Sequence[float], least: float = RESOLUTION_MS
) -> dict[str, Any]:
    """A logarithmic axis over `values`, ticked at 1, 2, 5, 10 and so on. It begins at `least` for a 0."""
    low, high = padded_range([max(value, least) for value in values])
    ticks = round_ticks(low, high)
    return axis(
        palette,
        title,
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" for tick in ticks],
    )


def padded_range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value with room around them, at least a factor of 2 apart."""
    low, high = min(values), max(values)
    middle = math.sqrt(low * high)
    pad = 1.12
    return min(low / pad, middle / math.sqrt(2)), max(high * pad, middle * math.sqrt(2))


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`: 1, 2, 5 in each decade; only 1 over many decades, and equal steps
    where both are close to each other."""
    if high / low < CLOSE:
        return _equal_steps(low, high)
    digits: tuple[float, ...] = (1, 2, 5) if high / low < 2000 else (1,)
    if high / low < 6:
        digits = (1, 1.5, 2, 3, 4, 5, 6, 8)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit * 10.0**decade:.3g}") for decade in decades for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _equal_steps(low: float, high: float) -> list[float]:
    """Multiples of a round step, at most MOST_STEPS and one."""
    decade = 10.0 ** math.floor(math.log10((high - low) / MOST_STEPS))
    step = next(
        digit * decade for digit in (1, 2, 2.5, 5, 10) if (high - low) / (digit * decade) <= MOST_STEPS
    )
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def escaped(text: str) -> str:
    """Text from others as Plotly must get it: its labels understand a little HTML."""
    return html.escape(text, quote=False)


def hover_text(heading: str, *lines: str) -> str:
    """A heading and one line for each fact; empty lines are left out. Escapes all.

    No <b> here or anywhere: plotly.js makes it an inline style, which the page forbids. A font's
    weight is allowed.
    """
    return "<br>".join(escaped(line) for line in (heading, *lines) if line)
