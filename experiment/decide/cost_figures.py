"""Two plots of costs: by the size of the image, and by the rate of requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import Rival, cost_of, money, rate
from experiment.figures.frame import (
    Figure,
    axis,
    base_layout,
    escaped,
    figure,
    hover_text,
    log_axis,
    padded_range,
    round_ticks,
)
from experiment.figures.palette import Palette, colour, symbol
from experiment.figures.points import line, markers, size_axis
from experiment.figures.view import Point, Series, View, missing_note
from experiment.wording import capitalised, count, kind_name, milliseconds, short_name

SIZE_TITLE = "Cost by size"
HEIGHT_PX = 380
MILLION, THOUSAND = 1_000_000, 1000
SIZE_COLUMNS = (
    "Backend", "Format", "Size, px", "Price per hour", "p50, ms", "Per 1,000", "Per million",
    "95 % from", "to",
)  # fmt: skip
LEAST = 1e-9  # of a cost, where a logarithmic axis begins


def cost_by_size(view: View, prices: Mapping[str, float], palette: Palette) -> Figure:
    """Cost of a million predictions over the longest side, both logarithmic; bars are 95 % intervals.

    `prices` per hour by backend; backends without one are left out. At least one point must have a price.
    """
    view = view.uncrowded()
    lines = [series for series in view.series if series.first.backend.name in prices]
    alone = [point for point in view.references if point.backend.name in prices]
    points = [point for series in lines for point in series.points] + alone
    data = [_line(series, prices, palette) for series in lines]
    data += [_original(point, prices, palette) for point in alone]
    ends = [value for point in points for value in _costs(point, prices)]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Cost of 1,000,000 predictions", ends, LEAST),
    }
    rows = [_row(point, prices) for point in points]
    return figure(data, layout, SIZE_TITLE, _size_caption(view), SIZE_COLUMNS, rows)


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
    costs = [_costs(point, prices) for point in points]
    return {
        "type": "scatter",
        "x": [point.variant.size_px for point in points],
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
        "hovertext": [_hover(point, prices) for point in points],
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
    cost, low, high = (float(f"{cost_of(MILLION, price, time_ms):.6g}") for time_ms in times_ms)
    return cost, low, high


def _hover(point: Point, prices: Mapping[str, float]) -> str:
    name = short_name(point.variant)
    price = prices[point.backend.name]
    return hover_text(
        f"{capitalised(name)} on {point.backend.name}",
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


def _size_caption(view: View) -> str:
    what = (
        "Price per hour times p50, with one request in flight: an upper bound for a server that is kept "
        "busy. Bars are 95 % intervals of the p50."
    )
    return f"{what} {missing_note(view)}".strip()


RATE_TITLE = "Cost by request rate"
MOST_SERVERS = 16  # of one kind; further steps are too fine to be seen
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
RATE_COLUMNS = ("Backend", "Servers", "Up to, requests/s", "Price per hour, all")


def cost_by_rate(rivals: Sequence[Rival], places: Mapping[str, int], what: str, palette: Palette) -> Figure:
    """Price per hour over requests per second, both logarithmic, in steps: each step is one more server.

    `places` of the backends in the report give the colours; `what` names the variant.
    """
    steps = {rival.name: _steps(rival) for rival in rivals}
    highest = max(rival.per_s for rival in rivals)
    lowest = min(rival.per_s for rival in rivals) / 3
    shown = {name: _up_to(stairs, highest) for name, stairs in steps.items()}
    data = [_stairs(rival, shown[rival.name], lowest, places[rival.name], palette) for rival in rivals]
    prices = [price for stairs in shown.values() for _, _, price in stairs]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": _log(palette, "Requests per second", [lowest, highest]),
        "yaxis": _log(palette, "Price per hour", prices),
    }
    rows = [[name, *step] for name, stairs in shown.items() for step in stairs]
    return figure(data, layout, RATE_TITLE, _rate_caption(what), RATE_COLUMNS, rows)


def _steps(rival: Rival) -> list[tuple[int, float, float]]:
    """Servers, the rate up to which they suffice, what they cost per hour."""
    return [
        (servers, float(f"{servers * rival.per_s:.6g}"), float(f"{servers * rival.price_per_hour:.6g}"))
        for servers in range(1, MOST_SERVERS + 1)
    ]


def _up_to(steps: Sequence[tuple[int, float, float]], highest: float) -> list[tuple[int, float, float]]:
    """The steps below the highest rate that is shown, and the one that reaches it."""
    needed = next((place for place, (_, per_s, _) in enumerate(steps) if per_s >= highest), len(steps))
    return list(steps[: needed + 1])


def _stairs(
    rival: Rival, steps: Sequence[tuple[int, float, float]], lowest: float, place: int, palette: Palette
) -> dict[str, Any]:
    """Vertical first: a step's price holds up to its rate. The first point only begins the first step."""
    words = [
        hover_text(
            f"{count(servers, 'server')}: {rival.name}", f"up to {rate(per_s)}", f"{money(price)} per hour"
        )
        for servers, per_s, price in steps
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [lowest, *(per_s for _, per_s, _ in steps)],
        "y": [steps[0][2], *(price for _, _, price in steps)],
        "name": escaped(rival.name),
        "line": {
            "color": colour(palette, place),
            "width": 2,
            "shape": "vh",
            "dash": DASHES[place % len(DASHES)],
        },
        "hovertext": [words[0], *words],
        "hoverinfo": "text",
    }


def _log(palette: Palette, title: str, values: Sequence[float]) -> dict[str, Any]:
    low, high = padded_range(values)
    ticks = round_ticks(low, high)
    limits = [math.log10(low), math.log10(high)]
    words = [f"{tick:,g}" for tick in ticks]
    return axis(palette, title, type="log", range=limits, tickvals=ticks, ticktext=words)


def _rate_caption(what: str) -> str:
    return (
        f"For {what}: each step is one more server of the same kind, each answering one request after "
        f"another, at most {MOST_SERVERS} of them. Where a line is lowest, that kind is cheapest."
    )
