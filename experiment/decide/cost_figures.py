"""Two plots of costs: by the size of the image, and by the rate of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import Rival, by_capacity, cost_of, making_paid_ms, money, rate
from experiment.figures.frame import Figure, base_layout, dots, escaped, figure, hover_text, log_axis
from experiment.figures.palette import Palette, colour
from experiment.figures.points import size_axis, size_traces
from experiment.figures.view import Point, View, missing_note
from experiment.wording import capitalised, count, joined, kind_name, milliseconds, short_name

HEIGHT_PX = 380
MILLION, THOUSAND = 1_000_000, 1000
SIZE_COLUMNS = (
    "Backend", "Format", "Size, px", "Price per hour", "p50, ms", "Per 1,000", "Per million",
    "95 % from", "to", "Per million at capacity",
)  # fmt: skip
SIZE_CAPTION = (
    "Price per hour times p50, with one request in flight: an upper bound for a server that is kept "
    "busy. Bars: 95 % interval of the median."
)
PER_REQUEST_CAPTION = (
    "Price per hour times making the copy and p50, with one request in flight: an upper bound for a server "
    "that is kept busy. Bars: 95 % interval of the median."
)
AS_STORED = "They were measured with finished copies, so making them is not in it."
STARS = "Stars: at the capacity that was measured under load."
RATE_COLUMNS = ("Backend", "Servers", "Up to, requests/s", "Price per hour, all")
LEAST = 1e-9  # of a cost, where a logarithmic axis begins
MOST_SERVERS = 16  # of one kind; smaller steps can't be seen
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def cost_by_size(view: View, prices: Mapping[str, float], palette: Palette) -> Figure:
    """Cost of a million predictions over the longest side, both logarithmic; bars are 95 % intervals.

    `prices` per hour by backend; backends without one are left out. At least one point must have a price.
    """
    view = view.timed().uncrowded()
    lines = [series for series in (*view.series, *view.originals) if series.first.backend.name in prices]
    points = [point for series in lines for point in series.points]

    def arms(point: Point) -> tuple[float, float, float]:
        cost, low, high = _costs(point, prices)
        return cost, high - cost, cost - low

    at_capacity = [(point, _at_capacity(point, view, prices)) for point in points]
    busy = [(point, cost) for point, cost in at_capacity if cost is not None]
    data = size_traces(lines, palette, arms, lambda point: _hover(point, prices[point.backend.name]))
    data += [_stars(busy, palette)] if busy else []
    ends = [value for point in points for value in _costs(point, prices)] + [cost for _, cost in busy]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "Cost of 1,000,000 predictions", ends, LEAST),
    }
    rows = [[*_row(point, prices), cost] for point, cost in at_capacity]
    shown = PER_REQUEST_CAPTION if view.plan.copies == "per_request" else SIZE_CAPTION
    stars = joined(STARS, AS_STORED if view.plan.copies == "per_request" else "") if busy else ""
    caption = joined(shown, stars, missing_note(view))
    return figure(data, layout, "Cost by size", caption, SIZE_COLUMNS, rows)


def _at_capacity(point: Point, view: View, prices: Mapping[str, float]) -> float | None:
    """Of a million, by the measured capacity; None: there is none."""
    curve, price = view.curve(point.key), prices[point.backend.name]
    rival = curve and by_capacity(curve, price)
    return _six_digits(cost_of(MILLION, price, rival.latency_ms)) if rival else None


def _stars(busy: Sequence[tuple[Point, float]], palette: Palette) -> dict[str, Any]:
    own = [colour(palette, point.backend_index) for point, _ in busy]
    hover = [
        hover_text(f"{capitalised(point.place)}", f"{money(cost)} for 1,000,000 at its measured capacity")
        for point, cost in busy
    ]
    return dots(
        [point.variant.size_px for point, _ in busy],
        [cost for _, cost in busy],
        hover,
        name="at measured capacity",
        marker={"size": 13, "symbol": "star", "color": own, "line": {"width": 1.5, "color": own}},
    )


def _costs(point: Point, prices: Mapping[str, float]) -> tuple[float, float, float]:
    """Of a million: by p50, and by the ends of its 95 % interval where there is one."""
    low_ms, high_ms = point.cell.p50_low_ms, point.cell.p50_high_ms
    times_ms = (
        point.p50_ms,
        point.p50_ms if low_ms is None else low_ms,
        point.p50_ms if high_ms is None else high_ms,
    )
    price, made_ms = prices[point.backend.name], making_paid_ms(point)
    cost, low, high = (_six_digits(cost_of(MILLION, price, time_ms + made_ms)) for time_ms in times_ms)
    return cost, low, high


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _hover(point: Point, price: float) -> str:
    made_ms = making_paid_ms(point)
    return hover_text(
        f"{capitalised(short_name(point.variant))} on {point.backend.name}",
        f"{money(cost_of(THOUSAND, price, point.p50_ms + made_ms))} for 1,000 predictions",
        f"{money(cost_of(MILLION, price, point.p50_ms + made_ms))} for 1,000,000",
        f"p50 {milliseconds(point.p50_ms)}, one request in flight",
        f"making the copy {milliseconds(made_ms)}" if made_ms else "",
        f"{money(price)} per hour",
    )


def _row(point: Point, prices: Mapping[str, float]) -> list[Any]:
    cost, low, high = _costs(point, prices)
    return [
        point.backend.name, kind_name(point.variant), point.variant.size_px, prices[point.backend.name],
        point.p50_ms, _six_digits(cost / 1000), cost,
        low if point.cell.p50_low_ms is not None else None,
        high if point.cell.p50_high_ms is not None else None,
    ]  # fmt: skip


def cost_by_rate(
    rivals: Sequence[Rival], places: Mapping[str, int], what: str, palette: Palette, *, at_capacity: bool
) -> Figure:
    """Price per hour over requests per second, both logarithmic, in steps: each step is one more server.

    `places` of the backends in the report give the colours; `what` names the variant. `at_capacity`: the
    rivals' times follow from measured capacities.
    """
    highest = max(rival.per_s for rival in rivals)
    lowest = min(rival.per_s for rival in rivals) / 3
    shown = {rival.name: _steps(rival, highest) for rival in rivals}
    data = [_stairs(name, steps, lowest, places[name], palette) for name, steps in shown.items()]
    prices = [price for steps in shown.values() for _, _, price in steps]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": log_axis(palette, "Requests per second", [lowest, highest], 0),
        "yaxis": log_axis(palette, "Price per hour", prices, 0),
    }
    rows = [[name, *step] for name, steps in shown.items() for step in steps]
    each = "at its measured capacity" if at_capacity else "answering one request after another"
    caption = (
        f"For {what}: each step is one more server of the same kind, each {each}, at most {MOST_SERVERS} of "
        "them. Where a line is lowest, that kind is cheapest."
    )
    return figure(data, layout, "Cost by request rate", caption, RATE_COLUMNS, rows)


def _steps(rival: Rival, highest: float) -> list[tuple[int, float, float]]:
    """Servers, the rate they answer, their price per hour; up to the first that reaches `highest`."""
    steps = [
        (servers, _six_digits(servers * rival.per_s), _six_digits(servers * rival.price_per_hour))
        for servers in range(1, MOST_SERVERS + 1)
    ]
    return [step for place, step in enumerate(steps) if not place or steps[place - 1][1] < highest]


def _stairs(
    name: str, steps: Sequence[tuple[int, float, float]], lowest: float, place: int, palette: Palette
) -> dict[str, Any]:
    """Vertical first: a step's price holds up to its rate. The first point only begins the first step."""
    words = [
        hover_text(f"{count(servers, 'server')}: {name}", f"up to {rate(per_s)}", f"{money(price)} per hour")
        for servers, per_s, price in steps
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [lowest, *(per_s for _, per_s, _ in steps)],
        "y": [steps[0][2], *(price for _, _, price in steps)],
        "name": escaped(name),
        "line": {
            "color": colour(palette, place),
            "width": 2,
            "shape": "vh",
            "dash": DASHES[place % len(DASHES)],
        },
        "hovertext": [words[0], *words],
        "hoverinfo": "text",
    }
