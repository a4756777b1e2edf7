"""A server that is stopped: what the schedule dictates."""

from __future__ import annotations

import threading

import pytest

from loadtest.arrivals.schedules import even
from loadtest.cross_check.comparison import OURS
from loadtest.cross_check.stall import Asked, Stop, dictated_p99_ms, stall


def test_the_p99_follows_from_the_schedule_and_the_stop():
    # The p99 of 6,000 requests is the 60th from above. 140 wait: for 1,395 ms, then 10 ms less each.
    assert dictated_p99_ms(even(100, 60), Stop(20.005, 21.405), 4.0) == pytest.approx(1395 - 59 * 10 + 4)


def test_a_request_that_is_being_worked_on_ends_when_the_server_goes_on():
    assert dictated_p99_ms([0.995], Stop(1.0, 2.4), 10.0) == pytest.approx(1405)
    assert dictated_p99_ms([0.985], Stop(1.0, 2.4), 10.0) == pytest.approx(10)
    assert dictated_p99_ms([2.4], Stop(1.0, 2.4), 10.0) == pytest.approx(10)


def test_a_stop_is_charged_to_every_request_that_was_due_in_it(tmp_path):
    (ours,), problems = stall([], Asked(tmp_path, seconds=2))
    assert (ours.tool, ours.loop, problems) == (OURS, "open", [])
    assert ours.p99_ms >= 0.95 * ours.dictated_ms  # it can be late, but never early
    assert len((tmp_path / OURS / "samples.csv").read_text().splitlines()) == 201


def test_a_stall_test_that_is_cancelled_says_nothing(tmp_path):
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    assert stall([], Asked(tmp_path, 600, cancel)) == ([], [])
