"""What a million predictions cost, by the size of the image: one line for each priced backend and format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import cost_of
from experiment.decide.money import money
from experiment.figures.frame import Figure, base_layout, escaped, figure, hover_text, log_axis
from experiment.figures.palette import Palette, symbol
from experiment.figures.points import line, markers, size_axis
from experiment.figures.view import Point, Series, View, missing_note
from experiment.wording import kind_name, milliseconds, short_name

TITLE = "Cost by size"
HEIGHT_PX = 380
MILLION, THOUSAND = 1_000_000, 1000
COLUMNS = (
    "Backend", "Format", "Size, px", "Price per hour", "p50, ms", "Per 1,000", "Per million",
    "95 % from", "to",
)  # fmt: skip
LEAST = 1e-9  # of a cost, where a logarithmic axis begins


def cost_by_size(view: View, prices: Mapping[str, float], palette: Palette) -> Figure:
    """Cost of a million predictions over the longest side, both logarithmic; bars are 95 % intervals.

    `prices` per hour by backend; backends without one are left out. At least one point must have a price.
    """
    view = view.uncrowded()
    lines = [each for each in view.series if each.first.backend.name in prices]
    alone = [each for each in view.references if each.backend.name in prices]
    points = [point for each in lines for point in each.points] + alone
    data = [_line(each, prices, palette) for each in lines]
    data += [_original(each, prices, palette) for each in alone]
    ends = [value for each in points for value in _costs(each, prices)]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Cost of 1,000,000 predictions", ends, LEAST),
    }
    return figure(data, layout, TITLE, _caption(view), COLUMNS, [_row(each, prices) for each in points])


def _line(series: Series, prices: Mapping[str, float], palette: Palette) -> dict[str, Any]:
    return _trace(series.points, prices, palette) | {
        "mode": "lines+markers",
        "name": escaped(series.name),
        "line": line(series, palette),
    }


def _original(point: Point, prices: Mapping[str, float], palette: Palette) -> dict[str, Any]:
    name = escaped(f"{point.backend.name}, {kind_name(point.variant)}")
    return _trace([point], prices, palette) | {"mode": "markers", "name": name, "showlegend": False}


def _trace(points: Sequence[Point], prices: Mapping[str, float], palette: Palette) -> dict[str, Any]:
    plain = markers(points, palette)
    costs = [_costs(each, prices) for each in points]
    return {
        "type": "scatter",
        "x": [each.variant.size_px for each in points],
        "y": [cost for cost, _, _ in costs],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [high - cost for cost, _, high in costs],
            "arrayminus": [cost - low for cost, low, _ in costs],
            "color": plain["color"],
            "thickness": 1,
            "width": 3,
        },
        "marker": plain | {"symbol": symbol(points[0].backend_index, points[0].variant.format)},
        "hovertext": [_hover(each, prices) for each in points],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _costs(point: Point, prices: Mapping[str, float]) -> tuple[float, float, float]:
    """Of a million: by p50, and by the ends of its 95 % interval where there is one."""
    low_ms, high_ms = point.cell.p50_low_ms, point.cell.p50_high_ms
    times_ms = (
        point.p50_ms,
        point.p50_ms if low_ms is None else low_ms,
        point.p50_ms if high_ms is None else high_ms,
    )
    price = prices[point.backend.name]
    cost, low, high = (float(f"{cost_of(MILLION, price, each):.6g}") for each in times_ms)
    return cost, low, high


def _hover(point: Point, prices: Mapping[str, float]) -> str:
    name = short_name(point.variant)
    price = prices[point.backend.name]
    return hover_text(
        f"{name[:1].upper()}{name[1:]} on {point.backend.name}",
        f"{money(cost_of(THOUSAND, price, point.p50_ms))} for 1,000 predictions",
        f"{money(cost_of(MILLION, price, point.p50_ms))} for 1,000,000",
        f"p50 {milliseconds(point.p50_ms)}, one request in flight",
        f"{money(price)} per hour",
    )


def _row(point: Point, prices: Mapping[str, float]) -> list[Any]:
    cost, low, high = _costs(point, prices)
    price = prices[point.backend.name]
    thousand = float(f"{cost / 1000:.6g}")
    return [
        point.backend.name, kind_name(point.variant), point.variant.size_px, price, point.p50_ms,
        thousand, cost,
        low if point.cell.p50_low_ms is not None else None,
        high if point.cell.p50_high_ms is not None else None,
    ]  # fmt: skip


def _caption(view: View) -> str:
    what = (
        "Price per hour times p50, with one request in flight: an upper bound for a server that is kept "
        "busy. Bars are 95 % intervals of the p50."
    )
    return f"{what} {missing_note(view)}".strip()
