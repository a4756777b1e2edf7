"""capacity: the most requests a second that are answered within a limit, found in a bounded time."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.text import Text

from common.arguments import argument
from common.checks import price
from experiment.cli.session import Session
from experiment.cli.table import COLOURS
from experiment.codec import to_dict
from experiment.decide.cost import cost_of, money
from experiment.measure.environment import environment
from experiment.records import BackendInfo
from experiment.wording import listed, number, sentence
from loadtest.arrivals.limits import check_seconds
from loadtest.cli.options import add_result_arguments, any_number
from loadtest.cli.parts import load_folder, watching
from loadtest.cli.payload import MOST_DISTINCT, add_payload_arguments, the_payload
from loadtest.cli.progress import Progress
from loadtest.cli.show import figure, show_table, title_of
from loadtest.cli.target import add_target_arguments, the_target
from loadtest.records import Load, Payload
from loadtest.results.folder import LoadFolder, Written
from loadtest.results.steps import joined, steps, summary_of_steps
from loadtest.results.summary import summarise
from loadtest.search.capacity import find_capacity, first_timeout_s, trial_timeout_s
from loadtest.search.records import Capacity, Point

BUDGET_S = 60.0
MILLION = 1_000_000
SHARED = "shared this machine with the generator of the load: on machines of their own it may answer more."
RIGHT = (
    "sent",
    "late",
    "failed",
    "answers\nper s",
    "right\nper s",
    "p50\nms",
    "p90\nms",
    "p99\nms",
    "in\nflight",
)
COLUMNS = {"offered": "left", **dict.fromkeys(RIGHT, "right"), "": "left"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `capacity`."""
    add_target_arguments(parser)
    add_payload_arguments(parser)
    add = parser.add_argument_group("search").add_argument
    add("--p99-ms", type=any_number, required=True, metavar="MS", help="the limit: 99 %% within it")
    add("--budget", type=any_number, default=BUDGET_S, metavar="S", help="how long to search (60)")
    add("--price", type=argument(price), metavar="N", help="of the target, per hour: cost per million")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Search. Returns the exit code."""
    check_seconds(options.budget)
    with the_target(options, session) as info:
        payload = the_payload(options, info, MOST_DISTINCT, options.seed)
        with load_folder("capacity", info, options, session) as folder:
            found = _searched(info, payload, folder, options, session)
            price_per_hour = options.price or info.price_per_hour
            written = _written(info, payload, found, folder, price_per_hour)
    _show(info, payload, found, price_per_hour, session.output)
    for problem in written.problems:
        session.console.print(problem, style="bold red", soft_wrap=True)
    session.console.print(f"Results are in {folder.path}", soft_wrap=True)
    if session.cancel.is_set():
        return 130
    if written.problems:
        return 2
    return 0 if found.outcome in {"found", "at_least"} and found.validity != "INVALID" else 1


def _searched(
    info: BackendInfo, payload: Payload, folder: LoadFolder, options: argparse.Namespace, session: Session
) -> Capacity:
    title = f"Capacity at p99 ≤ {options.p99_ms:,.15g} ms"
    with Progress(title, options.budget, session.console, session.cancel) as progress:
        return find_capacity(
            info,
            payload,
            options.p99_ms,
            options.budget,
            watching(folder, progress, options, session),
            options.seed,
            options.timeout,
        )


def _written(
    info: BackendInfo, payload: Payload, found: Capacity, folder: LoadFolder, price_per_hour: float | None
) -> Written:
    """Every request of the search, as steps of one load, and what was found."""
    common: dict[str, Any] = {
        "kind": "capacity",
        "target": info,
        "payload": payload,
        "seed": found.limits.seed,
        "environment": environment(),
    }
    loads = [
        Load(
            arrivals="closed",
            offered_per_s=None,
            planned_s=loop.planned_s,
            in_flight=loop.in_flight,
            timeout_s=first_timeout_s(found.limits),
            taken=loop.taken,
            **common,
        )
        for loop in found.target.closed_loops
    ] + [
        Load(
            arrivals="poisson",
            offered_per_s=trial.offered_per_s,
            planned_s=trial.planned_s,
            timeout_s=trial_timeout_s(found.limits),
            taken=trial.taken,
            **common,
        )
        for trial in found.trials
    ]
    summaries = [summarise(load) for load in loads]
    whole = replace(summary_of_steps(loads, summaries), validity=found.validity, reasons=found.reasons)
    extra = {"steps": steps(loads, summaries), "capacity": capacity_dict(found, price_per_hour)}
    return folder.write(joined(loads, "capacity"), whole, **extra)


def capacity_dict(found: Capacity, price_per_hour: float | None) -> dict[str, Any]:
    """The key `capacity` of load.json; the requests are in its steps."""
    made = to_dict(replace(found, trials=(), target=replace(found.target, closed_loops=())))
    made["trials"] = [
        {
            "offered_per_s": trial.offered_per_s,
            "planned_s": trial.planned_s,
            "settled_s": trial.settled_s,
            "not_used": trial.not_used,
        }
        for trial in found.trials
    ]
    made["cost_per_million"] = _costs(found, price_per_hour)
    flat: dict[str, Any] = made | made["limits"] | made["target"]
    del flat["limits"], flat["target"], flat["closed_loops"]
    return flat


def _costs(found: Capacity, price_per_hour: float | None) -> list[float] | None:
    """Of a million images or rows, at the capacity and at the ends of its interval; None: unknown."""
    if not price_per_hour or not found.per_s or not found.low_per_s or not found.high_per_s:
        return None
    rates = (found.per_s, found.high_per_s, found.low_per_s)
    return [cost_of(MILLION, price_per_hour, 1e3 / rate / found.target.batch) for rate in rates]


def _show(
    info: BackendInfo, payload: Payload, found: Capacity, price_per_hour: float | None, console: Console
) -> None:
    """The curve, then the capacity, then what else has to be known."""
    if found.points:
        rows = [[Text(text) for text in _row(point, found)] for point in found.points]
        show_table(title_of(info, payload), COLUMNS, rows, console)
    verdict = (found.validity, COLOURS[found.validity])
    console.print(Text.assemble((sentence(found.sentence), "bold"), "  ", verdict), soft_wrap=True)
    facts = []
    if found.right_per_s is not None:
        facts.append(f"{number(found.right_per_s)} right answers/s")
    if found.per_core_per_s is not None and (found.target.cores or 0) > 1:
        facts.append(f"{number(found.per_core_per_s)} requests/s per core")
    if costs := _costs(found, price_per_hour):
        cost, low, high = map(money, costs)
        facts.append(f"{cost} per million (95 %: {low} to {high}) at {money(price_per_hour or 0)} per hour")
    if facts:
        console.print(sentence(f"that is {listed(facts)}"), soft_wrap=True)
    for reason in found.reasons:
        console.print(reason, soft_wrap=True)
    if found.target.shares_machine:
        console.print(f"{info.name} {SHARED}", soft_wrap=True)


def _row(point: Point, found: Capacity) -> tuple[str, ...]:
    marks = ["knee"] if point.offered_per_s == found.knee_per_s else []
    marks += ["ended early"] if point.stopped else []
    return (
        f"{point.offered_per_s:,g}/s",
        f"{point.count:,}",
        f"{point.over_limit:,}",
        f"{point.failures:,}",
        *map(figure, (point.achieved_per_s, point.goodput_per_s, point.p50_ms, point.p90_ms, point.p99_ms)),
        f"{point.in_flight_max:,}",
        ", ".join(marks),
    )
