"""What every engine does alike, as tests that its own class inherits. The fixture `made` is the engine."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from experiment.engines.base import Engine, EngineFailed
from tests.support.engines import tasks

NEVER = threading.Event()


def wait_until(is_so) -> None:
    """At most two minutes."""
    until_s = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@contextlib.contextmanager
def kept(made: Engine, work, names, settings: Any) -> Iterator[tuple[list[str], list[EngineFailed]]]:
    """What was said, and what was raised; the workers run until the end of the block."""
    stop, said, problems = threading.Event(), [], []

    def run() -> None:
        try:
            made.keep_running(work, names, settings, stop, said.append)
        except EngineFailed as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield said, problems
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


class Spreading:
    """The rules of spread()."""

    def test_every_item_is_done_once(self, made):
        assert sorted(made.spread(tasks.square, range(60), 2, NEVER)) == [n * n for n in range(60)]

    def test_of_no_items_nothing_is_found(self, made):
        assert list(made.spread(tasks.square, [], 2, NEVER)) == []

    def test_what_a_task_raises_is_raised_as_it_is(self, made):
        with pytest.raises(Exception, match=r"^Seven is refused\.$") as raised:
            list(made.spread(tasks.refuse_seven, range(10), 2, NEVER))
        assert raised.value.code == "seven"

    def test_an_item_whose_process_died_is_done_by_another_one(self, made, tmp_path):
        assert list(made.spread(tasks.die_once, [str(tmp_path)], 1, NEVER)) == ["done by another process"]

    def test_an_item_that_kills_its_process_each_time_is_named_and_costs_itself_only(self, made):
        items, found = iter(range(20)), []
        with pytest.raises(EngineFailed, match=r"3 processes died, one after the other.*'7'") as named:
            for number in made.spread(tasks.die_of_seven, items, 2, NEVER):
                found.append(number)  # noqa: PERF402  it ends with an error
        assert named.value.items == (7,)
        found += made.spread(tasks.die_of_seven, items, 2, NEVER)  # as a photo set goes on
        assert sorted(found) == [n for n in range(20) if n != 7]

    def test_two_such_items_at_once_are_both_named(self, made):
        found = []
        with pytest.raises(EngineFailed, match=r"each of these items: '(3|7)', '(7|3)'") as named:
            for number in made.spread(tasks.die_of_three_and_seven, [3, 7, 1], 3, NEVER):
                found.append(number)  # noqa: PERF402  it ends with an error
        assert found == [1]
        assert sorted(named.value.items) == [3, 7]

    def test_after_a_stop_no_item_is_begun_and_those_under_way_are_yielded(self, made, tmp_path):
        stop, found = threading.Event(), []
        for number in made.spread(tasks.note_begun, ((str(tmp_path), n) for n in range(1000)), 2, stop):
            found.append(number)
            stop.set()
        assert sorted(found) == sorted(int(file.name) for file in tmp_path.iterdir())
        assert len(found) <= 4

    def test_items_are_taken_as_they_are_needed(self, made):
        taken: list[int] = []
        items = (taken.append(n) or n for n in range(1000))
        found = made.spread(tasks.square, items, 2, NEVER)
        next(found)
        assert len(taken) <= 8
        found.close()


class Keeping:
    """The rules of keep_running()."""

    def test_a_worker_that_is_killed_runs_again_and_a_stop_lets_it_finish(self, made, tmp_path):
        with kept(made, tasks.until_sigterm, ["w-0", "w-1"], str(tmp_path)) as (said, problems):
            wait_until(lambda: len(list(tmp_path.iterdir())) == 2 or problems)
            (first,) = tmp_path.glob("w-0.*")
            os.kill(int(first.suffix[1:]), signal.SIGKILL)
            wait_until(lambda: len(list(tmp_path.glob("w-0.*"))) == 2 or problems)
        assert not problems
        finished = sorted(file.name for file in tmp_path.glob("*.finished"))
        assert finished == ["w-0.finished", "w-1.finished"]
        (line,) = said
        assert line.startswith("Worker w-0 was killed")

    def test_what_needs_a_person_is_not_tried_again(self, made):
        with pytest.raises(EngineFailed, match=r"^Another worker named w-0 serves stream\.$"):
            made.keep_running(tasks.refused, ["w-0"], None, threading.Event(), print)

    def test_a_worker_that_never_gets_to_work_is_given_up(self, made, tmp_path, monkeypatch):
        monkeypatch.setattr("experiment.engines.restarts.PAUSES_S", (0.0, 0.1))
        said: list[str] = []
        with pytest.raises(EngineFailed, match="ValueError: w-0 is broken, 3 times in a row"):
            made.keep_running(tasks.broken, ["w-0"], str(tmp_path), threading.Event(), said.append)
        assert (tmp_path / "starts").read_text() == "..."
        assert said[0] == "Worker w-0 failed: ValueError: w-0 is broken. It is started again now."
