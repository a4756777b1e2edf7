"""Real runs over gRPC: two servers that take the same time, and a third one that takes longer.

All three are started anew for each run, so that what differs between processes of the same thing is in it.
Each run is judged as it stands, and against the reports of the runs before it.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import mean, median, stdev

from rich.console import Console

from bench.check.tally import tally
from bench.support.errors import CannotRun
from bench.support.photo import SAMPLE
from bench.sweep import stub_server
from experiment.check.budget import budget_of
from experiment.check.cells import CheckedRun, checked_run
from experiment.check.judge import judge
from experiment.cli.photo import measure_photo
from experiment.export.report_json import report_dict
from experiment.images.read import read_image
from experiment.measure.environment import environment
from experiment.measure.plan import parse_plan
from experiment.records import BackendInfo

# The third by 5 % of what a request takes, with the way to the server and back.
SERVICE_MS = {"old": 20.0, "same": 20.0, "slower": 21.1}
PLAN = {"sizes_px": [64], "formats": ["jpeg"], "order": "in_turns"}  # and the original
LIMIT_PERCENT = 2
REPORTS = 5
CHANGES = {"same": "A/A", "slower": "5 % slower"}
FEWEST = 3  # runs, however long they take


def bench(seconds: float, repeats: int) -> Iterator[str]:
    """The lines to print."""
    ends_at, runs, loads = time.monotonic() + seconds, list[CheckedRun](), list[float]()
    while time.monotonic() < ends_at or len(runs) < FEWEST:
        runs.append(_run(f"{len(runs)}.json", repeats))
        loads.append(environment()["load_1m"])
    yield f"{len(runs)} runs, servers started anew for each, load {min(loads):g} to {max(loads):g}"
    for other, of in CHANGES.items():
        changes = [_change_percent(run, other) for run in runs]
        yield f"{of}: p50 by {mean(changes):+.2f} %, standard deviation between runs {stdev(changes):.2f} %"
    for other, of in CHANGES.items():
        failed = [_in_one_run(run, other) for run in runs]
        yield tally(f"one run, {repeats} repeats, limit {LIMIT_PERCENT} %: {of}", failed, other == "slower")
    for other, of in CHANGES.items():
        failed = [_with_reports(runs[at - REPORTS : at], runs[at], other) for at in range(REPORTS, len(runs))]
        if failed:
            yield tally(f"{REPORTS} reports, limit {LIMIT_PERCENT} %: {of}", failed, other == "slower")


def _run(name: str, repeats: int) -> CheckedRun:
    source = read_image(SAMPLE.read_bytes(), SAMPLE.name)
    with ExitStack() as stack:
        infos = [
            BackendInfo(
                key, address=f"127.0.0.1:{stack.enter_context(stub_server(service_ms))}", state="ready"
            )
            for key, service_ms in SERVICE_MS.items()
        ]
        quiet = Console(file=io.StringIO())
        report = measure_photo(
            source, parse_plan({**PLAN, "repeats": repeats}), infos, threading.Event(), quiet
        )
    if report.requests_failed:
        raise CannotRun("A stub server did not answer.")
    return checked_run(name, report_dict(report))


def _only(run: CheckedRun, backend_name: str, renamed: str) -> CheckedRun:
    """The run as if only that backend had been measured, under another name."""
    backends = [replace(info, name=renamed) for info in run.view.backends if info.name == backend_name]
    cells = [
        replace(cell, backend_name=renamed) for cell in run.view.cells if cell.backend_name == backend_name
    ]
    return replace(run, view=replace(run.view, backends=tuple(backends), cells=tuple(cells)))


def _in_one_run(run: CheckedRun, other: str) -> bool:
    text = f'[baseline]\nbackend = "old"\nbackends = ["{other}"]\nmax_slower_percent = {LIMIT_PERCENT}'
    return bool(judge(run, budget_of(text)).of("fail"))


def _with_reports(earlier: Sequence[CheckedRun], run: CheckedRun, other: str) -> bool:
    budget = budget_of(f"[baseline]\nmax_slower_percent = {LIMIT_PERCENT}")
    before = [_only(each, "old", "server") for each in earlier]
    return bool(judge(_only(run, other, "server"), budget, before).of("fail"))


def _change_percent(run: CheckedRun, other: str) -> float:
    """By how much the other's p50 is above the old one's, over all variants."""
    p50_ms = {
        name: sum(median(cell.samples_ms) for cell in run.view.cells if cell.backend_name == name)
        for name in ("old", other)
    }
    return 100 * (p50_ms[other] / p50_ms["old"] - 1)
