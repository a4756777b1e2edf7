"""Real runs over gRPC: two servers that take the same time, and a third one that takes 5 % longer.

All three are started anew for each run, so that what differs between processes of the same thing is in it.
Each run is judged as it stands, and against the reports of the ten runs before it.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from rich.console import Console

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
from experiment.report.proportions import wilson

SERVICE_MS = {"old": 10.0, "same": 10.0, "slower": 10.5}
PLAN = {"sizes_px": [256, 128], "formats": ["jpeg"], "repeats": 100}
LIMIT_PERCENT = 2
REPORTS = 10
FEWEST = 3  # runs, however long they take


def bench(seconds: float = 240) -> Iterator[str]:
    """The lines to print."""
    ends_at, runs, loads = time.monotonic() + seconds, list[CheckedRun](), list[float]()
    while time.monotonic() < ends_at or len(runs) < FEWEST:
        runs.append(_run(f"{len(runs)}.json"))
        loads.append(environment()["load_1m"])
    yield (
        f"{len(runs)} runs, servers started anew for each; "
        f"load of the machine {min(loads):g} to {max(loads):g}"
    )
    for other, words in (("same", "false alarms"), ("slower", "5 % slower found")):
        yield _line(
            f"one run, limit {LIMIT_PERCENT} %, 100 repeats: {words}",
            [_in_one_run(run, other) for run in runs],
        )
    for other, words in (("same", "false alarms"), ("slower", "5 % slower found")):
        compared = [
            _with_reports(runs[at - REPORTS : at], runs[at], other) for at in range(REPORTS, len(runs))
        ]
        if compared:
            yield _line(f"{REPORTS} reports, limit {LIMIT_PERCENT} %: {words}", compared)


def _run(name: str) -> CheckedRun:
    source = read_image(SAMPLE.read_bytes(), SAMPLE.name)
    with ExitStack() as stack:
        infos = [
            BackendInfo(
                key, address=f"127.0.0.1:{stack.enter_context(stub_server(service_ms))}", state="ready"
            )
            for key, service_ms in SERVICE_MS.items()
        ]
        quiet = Console(file=io.StringIO())
        report = measure_photo(source, parse_plan(PLAN), infos, threading.Event(), quiet)
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


def _line(name: str, failed: Sequence[bool]) -> str:
    low, high = wilson(sum(failed), len(failed))
    return f"{name:48} {sum(failed)} of {len(failed)} ({100 * low:.1f} to {100 * high:.1f} %)"
