"""Every plot, defined once: the exported report in, Plotly figures out.

The page, the HTML report and a notebook show the same figures:

    from experiment.figures import figures
    drawn = figures(json.load(open("report.json")))["trade_off"]
    plotly.graph_objects.Figure(drawn["data"], drawn["layout"])

The input is the exported report, so an old JSON can always be drawn again. Only traces of
plotly.js's basic bundle are used: scatter and bar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from experiment.figures.agreement_by_size import agreement_by_size
from experiment.figures.by_quality import by_quality
from experiment.figures.frame import Figure
from experiment.figures.latency_by_size import latency_by_size
from experiment.figures.over_bytes import over_bytes
from experiment.figures.palette import Palette, palette_of
from experiment.figures.samples import samples
from experiment.figures.trade_off import trade_off
from experiment.figures.view import LATENCIES, View, view_of
from experiment.figures.where_time_goes import where_time_goes, where_time_goes_shortly

__all__ = ["FIGURES", "LATENCIES", "Figure", "figures", "variant_figures"]

_DRAW: dict[str, Callable[[View, Palette], Figure]] = {
    "trade_off": trade_off,
    "latency_by_size": latency_by_size,
    "agreement_by_size": agreement_by_size,
    "where_time_goes": where_time_goes,
}
_TIMED = {"trade_off", "latency_by_size"}  # show the latency that was chosen
FIGURES = tuple(_DRAW)  # those that every report has


def figures(
    report: Mapping[str, Any],
    theme: Literal["light", "dark"] = "light",
    latency: str = "p50",
    over: Literal["latency", "bytes"] = "latency",
    view: View | None = None,
    bars: Literal["all", "few"] = "all",
) -> dict[str, Figure]:
    """The figures of an exported report by name, in the order of FIGURES, and `by_quality` where it varies.

    Each holds `data` and `layout` for Plotly, and `meta` with a title, a caption computed
    from the data, and a table (columns, rows) of exactly the values that are drawn. `latency`, a
    key of LATENCIES, is what stands for a point's time; `over` is what the trade-off lies over.
    `bars` is how many of them show where the time goes: few are the original, the recommended copy and two
    alternatives. `view` saves reading the report again: its view_of().
    """
    view, palette = view or view_of(report), palette_of(theme)
    draw = _DRAW | ({"trade_off": over_bytes} if over == "bytes" else {})
    if bars == "few":
        draw["where_time_goes"] = where_time_goes_shortly
    if "quality" in view.varied:
        draw["by_quality"] = by_quality
    timed = view.showing(latency)
    return {name: drawn(timed if name in _TIMED else view, palette) for name, drawn in draw.items()}


def variant_figures(
    report: Mapping[str, Any], variant_id: str, theme: Literal["light", "dark"] = "light"
) -> dict[str, Any]:
    """What the inspector draws of one variant: `stages`, and `samples` by the name of the backend.

    The stages are those of "where the time goes", with the original's beside them.
    """
    view, palette = view_of(report), palette_of(theme)
    points = [point for point in view.points if point.variant.is_reference or point.variant.id == variant_id]
    places = {info.name: place for place, info in enumerate(view.backends)}
    return {
        "stages": where_time_goes(replace(view, points=tuple(points)), palette),
        "samples": {
            cell.backend_name: samples(cell, places[cell.backend_name], palette, is_running=view.is_running)
            for cell in view.cells
            if cell.variant_id == variant_id
        },
    }
