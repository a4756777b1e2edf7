"""Load tests: ours beside MLPerf's LoadGen, and who notices a server that stops for 1.4 s.

LoadGen and ours send the same requests at the same times to a stub server that works 20 ms on each, one at a
time. Target: p50 and p90 differ by at most 2 %, ten pairs in alternating order. Then the stall test with all
tools that are installed; target: our p99 within 5 % of what the schedule dictates.
`python -m loadtest cross-check` compares with ab, wrk, hey and locust too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.support.errors import CannotRun
from loadtest.cross_check.comparison import OURS, TOLERANCE_PERCENT
from loadtest.cross_check.run import CrossCheck, cross_check
from loadtest.cross_check.scenarios import CLOSED_LOOP, OPEN_LOOP
from loadtest.cross_check.stall import P99_TOLERANCE_PERCENT
from loadtest.cross_check.tables import markdown
from loadtest.cross_check.tools import LOADGEN, TOOLS, missing
from loadtest.errors import LoadRefused


def bench() -> Iterator[str]:
    """The lines to print."""
    if not LOADGEN.is_installed:
        raise CannotRun(missing([LOADGEN])[0])
    with tempfile.TemporaryDirectory(prefix="cross-check-") as folder:
        try:
            found = cross_check([LOADGEN], Path(folder), stalled=list(TOOLS.values()))
        except LoadRefused as error:
            raise CannotRun(error.message) from None
    yield from markdown(found)
    yield from verdicts(found)


def verdicts(found: CrossCheck) -> Iterator[str]:
    """A line for each target."""
    latencies = [row for row in found.rows if row.tool == LOADGEN.name and row.figure != "rate_per_s"]
    agree, seen = {row.agrees for row in latencies}, {row.scenario for row in latencies}
    is_whole = seen >= {CLOSED_LOOP, OPEN_LOOP}  # LoadGen is left out of a scenario in which it failed
    met = "missed" if "no" in agree else "met" if is_whole and agree == {"yes"} else "not sure"
    yield f"LoadGen and ours, p50 and p90, target at most {TOLERANCE_PERCENT:g} % apart: {met}"
    for row in found.stall:
        if row.tool == OURS:
            met = "met" if abs(row.error_percent) <= P99_TOLERANCE_PERCENT else "missed"
            target = f"within {P99_TOLERANCE_PERCENT:g} % of what the schedule dictates"
            yield f"our p99 of the stall test, target {target}: {met}"
