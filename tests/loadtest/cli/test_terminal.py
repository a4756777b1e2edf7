"""The line that says how a load goes, and the table at its end."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from loadtest.cli.measured import Measured
from loadtest.cli.progress import Progress
from loadtest.cli.show import reasons_of, show
from loadtest.results.summary import summarise
from tests.support.load.records import load, sample, samples


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


def test_the_table_fits_into_a_narrow_terminal_and_leaves_out_what_is_not_known():
    console = Console(file=io.StringIO(), width=80, highlight=False)
    asked = load(samples(1000, right=1), late_p99_ms=0.25)
    show([Measured("100/s", asked, summarise(asked))], "A sentence.", console)
    plain = load(samples(20))
    show([Measured("20 at once", plain, summarise(plain))], "", console)
    printed = console.file.getvalue()
    assert "…" not in printed and "A sentence." in printed
    assert all(value in printed for value in ("100/s", "1,000", "60", "VALID", "0.25"))
    short = printed.split("20 at once")[0].rpartition("load")[2]
    assert "right" not in short and "p99" not in short


def test_a_reason_that_is_not_about_all_parts_says_which_it_is_about():
    good, bad = load(samples(9, per_s=10)), load([*samples(9, per_s=10), sample(1, cause="deadline")])
    parts = [Measured("20 at once", good, summarise(good)), Measured("40 at once", bad, summarise(bad))]
    assert [reason[:36] for reason in reasons_of(parts)] == ["40 at once: 1 of 10 requests failed "]
    assert reasons_of(parts[1:])[0].startswith("1 of 10 requests failed")
