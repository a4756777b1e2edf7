"""What an hour costs at a rate of requests: as many servers of one kind as the rate needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import Rival
from experiment.decide.money import money, rate
from experiment.figures.frame import (
    Figure,
    axis,
    base_layout,
    escaped,
    figure,
    hover_text,
    padded_range,
    round_ticks,
)
from experiment.figures.palette import Palette, colour
from experiment.wording import count

TITLE = "Cost by request rate"
HEIGHT_PX = 380
MOST_SERVERS = 16  # of one kind; further steps are too fine to be seen
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
COLUMNS = ("Backend", "Servers", "Up to, requests/s", "Price per hour, all")


def cost_by_rate(rivals: Sequence[Rival], places: Mapping[str, int], what: str, palette: Palette) -> Figure:
    """Price per hour over requests per second, both logarithmic, in steps: each step is one more server.

    `places` of the backends in the report give the colours; `what` names the variant.
    """
    steps = {each.name: _steps(each) for each in rivals}
    highest = max(each.per_s for each in rivals)
    lowest = min(each.per_s for each in rivals) / 3
    shown = {name: _up_to(each, highest) for name, each in steps.items()}
    data = [_stairs(each, shown[each.name], lowest, places[each.name], palette) for each in rivals]
    prices = [price for each in shown.values() for _, _, price in each]
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": _log(palette, "Requests per second", [lowest, highest]),
        "yaxis": _log(palette, "Price per hour", prices),
    }
    rows = [[name, *step] for name, each in shown.items() for step in each]
    return figure(data, layout, TITLE, _caption(what), COLUMNS, rows)


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


def _caption(what: str) -> str:
    return (
        f"For {what}: each step is one more server of the same kind, each answering one request after "
        f"another, at most {MOST_SERVERS} of them. Where a line is lowest, that kind is cheapest."
    )
