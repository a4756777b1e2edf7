"""cross_check(): all scenarios, pair by pair."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment.measure.environment import environment
from loadtest.cross_check.comparison import OURS, Figures, Row, in_turn, rows_of
from loadtest.cross_check.hdr import hdr_rows
from loadtest.cross_check.scenarios import OPEN_LOOP, SERVICE_MS, Scenario, scenarios
from loadtest.cross_check.stall import Asked, StallRow, stall
from loadtest.cross_check.stub import running_stub
from loadtest.cross_check.tools import Tool, missing
from loadtest.errors import LoadRefused

PAIRS = 10
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """What was found."""

    rows: Sequence[Row]
    stall: Sequence[StallRow]  # empty: not asked for
    left_out: Sequence[str]  # a sentence for each tool that is missing or failed
    versions: dict[str, str | None]  # of the tools
    environment: dict[str, Any]
    pairs: int


def cross_check(
    tools: Sequence[Tool],
    folder: Path,
    pairs: int = PAIRS,
    stalled: Sequence[Tool] | None = None,
    say: Say = lambda line: None,
    cancel: threading.Event | None = None,
) -> CrossCheck:
    """Run everything; all that a tool wrote stays in `folder`. Raises LoadRefused if our own load failed.

    `stalled` are the tools of the stall test; None: without it. After `cancel` no further run is started.
    """
    folder = folder.resolve()  # the tools have working folders of their own
    facts, rows, cancel = environment(), [], cancel or threading.Event()
    left_out = missing(list(dict.fromkeys([*tools, *(stalled or [])])))
    present = [tool for tool in tools if tool.is_installed]
    resolutions_ms = {tool.name: tool.resolution_ms for tool in present}
    with running_stub(SERVICE_MS, one_at_a_time=True) as stub:
        for scenario in scenarios(stub, present, folder):
            runs = _runs(scenario, pairs, folder, say, left_out, cancel)
            complete = range(len(runs[OURS]))
            dictated = [scenario.dictated(pair) for pair in complete]
            rows += rows_of(scenario.name, runs, scenario.figures, dictated, resolutions_ms)
            if scenario.name == OPEN_LOOP and complete:
                own = [_folder(folder, scenario, pair, OURS) for pair in complete]
                rows += hdr_rows(scenario.name, own)
    stall_rows: list[StallRow] = []
    if stalled is not None and not cancel.is_set():
        say("The stall test takes a minute, and another one for closed loops.")
        of_stall = [tool for tool in stalled if tool.is_installed]
        stall_rows, problems = stall(of_stall, Asked(folder / "stall", cancel=cancel))
        left_out += problems
    return CrossCheck(
        rows=rows,
        stall=stall_rows,
        left_out=left_out,
        versions={tool.name: tool.version for tool in [*present, *(stalled or [])] if tool.is_installed},
        environment=facts,
        pairs=pairs,
    )


def _runs(
    scenario: Scenario,
    pairs: int,
    folder: Path,
    say: Say,
    left_out: list[str],
    cancel: threading.Event,
) -> dict[str, list[Figures]]:
    """The figures of every way, one of each complete pair. A tool that fails is out; a sentence says why."""
    runs: dict[str, list[Figures]] = {name: [] for name in scenario.ways}
    for pair, name in in_turn(list(scenario.ways), pairs):
        if cancel.is_set():
            break
        if name not in runs:
            continue
        say(f"{scenario.name}, pair {pair + 1} of {pairs}: {name}")
        own = _folder(folder, scenario, pair, name)
        own.mkdir(parents=True)
        try:
            runs[name].append(scenario.ways[name](pair, own))
        except LoadRefused as error:
            if cancel.is_set():  # Ctrl-C ends the tool too
                break
            if name == OURS:
                raise
            left_out.append(f"{name} was left out of {scenario.name}: {error.message}")
            del runs[name]
    complete = min(map(len, runs.values()))
    return {name: figures[:complete] for name, figures in runs.items()}


def _folder(folder: Path, scenario: Scenario, pair: int, name: str) -> Path:
    return folder / scenario.name.split(",")[0] / f"{pair:02}-{name}"
