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
from bench.support.figures import figure
from loadtest.cross_check.comparison import TOLERANCE_PERCENT
from loadtest.cross_check.run import cross_check
from loadtest.cross_check.stall import TOLERANCE_PERCENT as STALL_TOLERANCE_PERCENT
from loadtest.cross_check.stall import stall
from loadtest.cross_check.tables import markdown
from loadtest.cross_check.tools import LOADGEN, TOOLS, missing
from loadtest.errors import LoadRefused
