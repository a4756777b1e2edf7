"""What it costs: the section about prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import (
    Crossover,
    Rival,
    are_alike,
    by_capacity,
    by_p50,
    cost_of,
    crossovers,
    money,
    rate,
)
from experiment.decide.cost_figures import cost_by_rate, cost_by_size
from experiment.figures.palette import Palette
from experiment.figures.section import NOTHING_YET, Section, subject, table_of
from experiment.figures.view import Point, View
from experiment.records import Copies, LoadCurve
from experiment.under_load.capacities import capacity_words, limit_words
from experiment.under_load.figure import curve_name
from experiment.wording import capitalised, listed, short_name

TITLE = "What it costs"
THOUSAND, MILLION, HOUR_S = 1000, 1_000_000, 3600
INVITATION = "Enter hourly prices to see cost per million predictions, and when the pricier backend pays off."
IN_FLIGHT = (
    "Costs come from the p50 with one request in flight, for a server that is kept busy. With several "
    "requests in flight most servers answer more per hour, so read each cost as an upper bound; that "
    "throughput was not measured. An idle server costs the same."
)
AT_CAPACITY = (
    "Costs at capacity are those of a server that is kept as busy as its measured capacity allows. Where no "
    "capacity was measured, costs come from the p50 with one request in flight and are upper bounds. An idle "
    "server costs the same."
)
HOW_MADE: dict[Copies, tuple[str, ...]] = {
    "in_advance": (),
    "per_request": (
        "The server makes the copy for each request: the time for that is in the cost, at the same server's "
        "price. A capacity was measured with finished copies and leaves it out.",
    ),
    "client": ("The client makes the copy, so making it costs the server nothing.",),
}
NOT_ALL = (
    "Backends are compared by the p50 with one request in flight, because not all of them were put under "
    "load with this variant."
)
CROSSOVER_COLUMNS = ("Faster backend", "Slower backend", "Which is cheaper")
CAPACITY_COLUMNS = (
    "Variant and backend", "Capacity", "Limit", "Per 1,000", "Per million", "Per million, 95 %",
    "Right answers for a price of 1",
)  # fmt: skip


def cost_section(view: View, prices: Mapping[str, float], palette: Palette) -> Section:
    """`prices` per hour by backend, above 0. Without any the section only asks for them."""
    chosen = subject(view)
    priced = [point for point in view.points if point.backend.name in prices]
    if chosen is None or not priced:
        return Section(TITLE, INVITATION if prices or view.points else NOTHING_YET)
    same = [point for point in priced if point.variant.id == chosen.variant.id]
    figures: dict[str, Any] = {"cost_by_size": cost_by_size(view, prices, palette)}
    priced_curves = [curve for curve in view.load if curve.backend_name in prices]
    busy = {
        curve.key: rival
        for curve in priced_curves
        if (rival := by_capacity(curve, prices[curve.backend_name])) is not None
    }
    known = [curve for curve in priced_curves if curve.key in busy]
    measured = [_capacity_row(curve, view, busy[curve.key]) for curve in known]
    tables = [table_of("At the measured capacity", CAPACITY_COLUMNS, measured)] if measured else []
    without = dict.fromkeys(point.backend.name for point in view.points if point.backend.name not in prices)
    notes = [AT_CAPACITY if measured else IN_FLIGHT, *HOW_MADE[view.plan.copies]]
    notes += [f"No price was given for {listed(list(without))}."] if without else []
    if not same:  # no priced backend answered the variant in question: the cheapest of all with a price
        each = [(point, by_p50(point, prices[point.backend.name])) for point in priced]
        cheapest, rival = min(each, key=lambda pair: pair[1].price_per_hour * pair[1].latency_ms)
        cost = money(cost_of(THOUSAND, rival.price_per_hour, rival.latency_ms))
        words = f"{capitalised(cheapest.place)} costs {cost} for 1,000 predictions"
        sentence = f"{words}, the least of all that have a price."
        return Section(TITLE, sentence, (), tuple(notes), figures, tuple(tables))
    rivals, curves = _rivals(same, view, prices)
    is_stored = view.plan.copies != "per_request"
    some = is_stored and any(view.curve(point.key) in known for point in same)
    notes += [NOT_ALL] if some and not curves else []
    places = {point.backend.name: point.backend_index for point in same}
    what = short_name(chosen.variant)
    figures["cost_by_rate"] = cost_by_rate(rivals, places, what, palette, at_capacity=bool(curves))
    basis = "capacity" if curves else "p50"
    rows = [[fast.name, slow.name, _verdict(fast, slow, at, basis)] for fast, slow, at in crossovers(rivals)]
    tables += [table_of(f"For {what}", CROSSOVER_COLUMNS, rows)] if rows else []
    alone = [curve for curve in known if curve.key == chosen.key and not curves]
    measured_words = [_measured_words(curve, view, busy[curve.key]) for curve in alone]
    sentence = " ".join([*measured_words, _conclusion(same, rivals, curves)])
    return Section(TITLE, sentence, (), tuple(notes), figures, tuple(tables))


def _rivals(
    same: Sequence[Point], view: View, prices: Mapping[str, float]
) -> tuple[list[Rival], dict[str, LoadCurve]]:
    """By capacity where all of them have one, whose curves come along by backend; else all by p50."""
    if view.plan.copies == "per_request":  # capacities were measured with finished copies
        return [by_p50(point, prices[point.backend.name]) for point in same], {}
    curves = {point.backend.name: view.curve(point.key) for point in same}
    busy = [curve and by_capacity(curve, prices[name]) for name, curve in curves.items()]
    rivals = [rival for rival in busy if rival]
    if len(rivals) == len(same):
        return rivals, {name: curve for name, curve in curves.items() if curve}
    return [by_p50(point, prices[point.backend.name]) for point in same], {}


def _capacity_row(curve: LoadCurve, view: View, rival: Rival) -> list[Any]:
    price = rival.price_per_hour
    ends = [
        None if time_ms is None else cost_of(MILLION, price, time_ms)
        for time_ms in (rival.low_ms, rival.high_ms)
    ]
    goodput = None if curve.right_per_s is None else curve.right_per_s * HOUR_S / price
    return [
        curve_name(curve, view),
        capacity_words(curve),
        limit_words(curve),
        money(cost_of(THOUSAND, price, rival.latency_ms)),
        money(cost_of(MILLION, price, rival.latency_ms)),
        None if ends[0] is None or ends[1] is None else f"{money(ends[0])} to {money(ends[1])}",
        None if goodput is None else round(goodput),
    ]


def _measured_words(curve: LoadCurve, view: View, rival: Rival) -> str:
    """What the subject costs at its capacity, where other backends can't be compared by theirs."""
    thousand, million = (
        money(cost_of(n, rival.price_per_hour, rival.latency_ms)) for n in (THOUSAND, MILLION)
    )
    return (
        f"{curve_name(curve, view)} costs {thousand} for 1,000 predictions, {million} for a million"
        f"{_busy(curve)}."
    )


def _busy(curve: LoadCurve | None) -> str:
    if curve is None or curve.per_s is None:
        return ""
    return f", at its measured capacity of {rate(curve.per_s)} ({limit_words(curve)})"


def _conclusion(same: Sequence[Point], rivals: Sequence[Rival], curves: Mapping[str, LoadCurve]) -> str:
    """The cheapest per prediction, and where the fastest takes over."""
    nominal = min(rivals, key=lambda rival: rival.price_per_hour * rival.latency_ms)
    alike = [rival for rival in rivals if rival != nominal and are_alike(rival, nominal)]
    cheapest = min([nominal, *alike], key=lambda rival: rival.price_per_hour)
    thousand, million = (
        money(cost_of(predictions, cheapest.price_per_hour, cheapest.latency_ms))
        for predictions in (THOUSAND, MILLION)
    )
    costs = (
        f"{capitalised(short_name(same[0].variant))} on {cheapest.name} costs {thousand} for 1,000 "
        f"predictions, {million} for a million{_busy(curves.get(cheapest.name))}"
    )
    costs += ", the least of all backends." if len(rivals) > 1 and not alike else "."
    pairs = [pair for pair in crossovers(rivals) if pair[0].price_per_hour > pair[1].price_per_hour]
    return f"{costs} {_verdict(*pairs[0], 'capacity' if curves else 'p50')}" if pairs else costs


def _verdict(fast: Rival, slow: Rival, at: Crossover | None, basis: str) -> str:
    if are_alike(fast, slow):
        cheaper = min(fast, slow, key=lambda rival: rival.price_per_hour)
        if fast.price_per_hour == slow.price_per_hour:
            return f"{fast.name} and {slow.name} are equally fast, and cost the same per hour."
        return f"There is no measurable difference in {basis}; {cheaper.name} costs less per hour."
    if at is None:
        enough = math.ceil(fast.per_s / slow.per_s)
        return (
            f"At no rate is {fast.name} cheaper than {slow.name}: one {fast.name} answers at "
            f"most {rate(fast.per_s)}, and {enough} × {slow.name} answer as many for "
            f"{money(enough * slow.price_per_hour)} per hour."
        )
    if not at.from_per_s:
        return f"{fast.name} is faster and costs less per hour: it is cheaper at every rate."
    winner = fast.name if at.for_good else slow.name
    return (
        f"Above {rate(at.from_per_s)} one {fast.name} ({money(fast.price_per_hour)} per hour) is cheaper "
        f"than the {at.servers} × {slow.name} ({money(at.servers * slow.price_per_hour)}) needed for that "
        f"rate, up to its own limit of {rate(at.to_per_s)}. Per prediction, with both kept busy, {winner} "
        "is cheaper."
    )
