"""What it costs: the section about prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.decide.cost import Crossover, Rival, cost_of, crossovers, money, rate
from experiment.decide.cost_figures import cost_by_rate, cost_by_size
from experiment.decide.section import NOTHING_YET, Section, subject, table_of
from experiment.figures.palette import Palette
from experiment.figures.view import Point, View
from experiment.report.backend_choice import overlaps
from experiment.wording import capitalised, listed, short_name

TITLE = "What it costs"
THOUSAND, MILLION = 1000, 1_000_000
INVITATION = (
    "Enter the price per hour of your backends to see what a prediction costs, and above which request rate "
    "a more expensive backend is the cheaper choice."
)
IN_FLIGHT = (
    "Costs come from the p50 with one request in flight, for a server that is kept busy. With several "
    "requests in flight most servers answer more per hour, so read each cost as an upper bound; that "
    "throughput was not measured. An idle server costs the same."
)
CROSSOVER_COLUMNS = ("Faster backend", "Slower backend", "Which is cheaper")


def cost_section(view: View, prices: Mapping[str, float], palette: Palette) -> Section:
    """`prices` per hour by backend, above 0. Without any the section only asks for them."""
    chosen = subject(view)
    priced = [point for point in view.points if point.backend.name in prices]
    if chosen is None or not priced:
        return Section(TITLE, INVITATION if prices or view.points else NOTHING_YET)
    same = [point for point in priced if point.variant.id == chosen.variant.id]
    figures: dict[str, Any] = {"cost_by_size": cost_by_size(view, prices, palette)}
    without = dict.fromkeys(point.backend.name for point in view.points if point.backend.name not in prices)
    notes = (IN_FLIGHT, *([f"No price was given for {listed(list(without))}."] if without else []))
    if not same:  # no priced backend answered the variant in question: the cheapest of all with a price
        cheapest = min(priced, key=lambda point: prices[point.backend.name] * point.p50_ms)
        cost = money(cost_of(THOUSAND, prices[cheapest.backend.name], cheapest.p50_ms))
        words = f"{capitalised(cheapest.place)} costs {cost} for 1,000 predictions"
        return Section(TITLE, f"{words}, the least of all that have a price.", (), notes, figures)
    rivals = [Rival(point.backend.name, prices[point.backend.name], point.p50_ms) for point in same]
    places = {point.backend.name: point.backend_index for point in same}
    what = short_name(chosen.variant)
    figures["cost_by_rate"] = cost_by_rate(rivals, places, what, palette)
    rows = [[fast.name, slow.name, _verdict(fast, slow, at, same)] for fast, slow, at in crossovers(rivals)]
    tables = (table_of(f"For {what}", CROSSOVER_COLUMNS, rows),) if rows else ()
    return Section(TITLE, _conclusion(same, rivals), (), notes, figures, tables)


def _conclusion(same: Sequence[Point], rivals: Sequence[Rival]) -> str:
    """The cheapest per prediction, and where the fastest takes over."""
    nominal = min(rivals, key=lambda rival: rival.price_per_hour * rival.latency_ms)
    alike = [rival for rival in rivals if rival != nominal and _alike(rival, nominal, same)]
    cheapest = min([nominal, *alike], key=lambda rival: rival.price_per_hour)
    thousand, million = (
        money(cost_of(predictions, cheapest.price_per_hour, cheapest.latency_ms))
        for predictions in (THOUSAND, MILLION)
    )
    costs = (
        f"{capitalised(short_name(same[0].variant))} on {cheapest.name} costs {thousand} for 1,000 "
        f"predictions, {million} for a million"
    )
    costs += ", the least of all backends." if len(rivals) > 1 and not alike else "."
    pairs = [pair for pair in crossovers(rivals) if pair[0].price_per_hour > pair[1].price_per_hour]
    return f"{costs} {_verdict(*pairs[0], same)}" if pairs else costs


def _verdict(fast: Rival, slow: Rival, at: Crossover | None, same: Sequence[Point]) -> str:
    if _alike(fast, slow, same):
        cheaper = min(fast, slow, key=lambda rival: rival.price_per_hour)
        if fast.price_per_hour == slow.price_per_hour:
            return f"{fast.name} and {slow.name} are equally fast, and cost the same per hour."
        return f"There is no measurable difference in p50; {cheaper.name} costs less per hour."
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


def _alike(fast: Rival, slow: Rival, same: Sequence[Point]) -> bool:
    by_name = {point.backend.name: point for point in same}
    return overlaps(by_name[fast.name], by_name[slow.name])
