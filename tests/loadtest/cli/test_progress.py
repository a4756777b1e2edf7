"""The line that says how a load goes."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from loadtest.cli.progress import Progress
from tests.support.load.records import sample


def test_the_line_has_the_time_the_answers_the_failures_and_the_latency_of_the_last_ones():
    shown, cancel = io.StringIO(), threading.Event()
    console = Console(file=shown, force_terminal=True, width=200)
    with Progress("100/s", 60.0, console, cancel) as progress:
        for number in range(250):
            progress.count(sample(number, 1000 if number < 50 else 20, in_flight=7))
        progress.count(sample(9, cause="deadline", in_flight=3))
        progress._live.refresh()
        cancel.set()
        progress._live.refresh()
    assert "of 60 s, 250 answers, 1 failure, p50 20 ms, 3 in flight" in shown.getvalue()
    assert "Ctrl-C again leaves at once" in shown.getvalue()
    assert progress.failures == 1
