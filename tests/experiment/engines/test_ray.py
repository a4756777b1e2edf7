"""Ray as an engine, on one real Ray that all tests here share."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import pytest

from experiment.engines import ray as ray_file
from experiment.engines.base import EngineFailed
from experiment.engines.choose import engine
from tests.support.engines import tasks
from tests.support.engines.queue_run import JOBS, counted, run_with_kills

NEVER = threading.Event()


@pytest.fixture(scope="module")
def on_ray():
    """The engine, connected to a Ray of its own."""
    made = engine("ray", {"ray.cpus_per_worker": "0.5"})
    with made._connected(4):
        yield made


def wait_until(is_so) -> None:
    until_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@contextlib.contextmanager
def kept(on_ray, work, names, settings):
    """What was said; the workers run until the end of the block."""
    stop, said, problems = threading.Event(), [], []

    def run():
        try:
            on_ray.keep_running(work, names, settings, stop, said.append)
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


def test_every_item_is_done_once(on_ray):
    assert sorted(on_ray.spread(tasks.square, range(200), 2, NEVER)) == [n * n for n in range(200)]


def test_what_a_task_raises_is_raised_as_it_is(on_ray):
    with pytest.raises(Exception, match=r"^Seven is refused\.$") as raised:
        list(on_ray.spread(tasks.refuse_seven, range(10), 2, NEVER))
    assert raised.value.code == "seven"


def test_an_item_whose_process_died_is_done_by_another_one(on_ray, tmp_path):
    assert list(on_ray.spread(tasks.die_once, [str(tmp_path)], 1, NEVER)) == ["done by another process"]


def test_an_item_that_kills_its_process_each_time_is_named_and_costs_itself_only(on_ray):
    items = iter(range(20))
    found = []
    with pytest.raises(
        EngineFailed, match="3 processes died, one after the other, while they had '7'"
    ) as named:
        for number in on_ray.spread(tasks.die_of_seven, items, 2, NEVER):
            found.append(number)  # noqa: PERF402  it ends with an error
    assert named.value.item == 7
    found += on_ray.spread(tasks.die_of_seven, items, 2, NEVER)  # as a photo set goes on
    assert sorted(found) == [n for n in range(20) if n != 7]


def test_after_a_stop_no_item_is_begun_and_those_under_way_are_yielded(on_ray, tmp_path):
    stop, found = threading.Event(), []
    for number in on_ray.spread(tasks.note_begun, ((str(tmp_path), n) for n in range(1000)), 2, stop):
        found.append(number)
        stop.set()
    assert sorted(found) == sorted(int(file.name) for file in tmp_path.iterdir())
    assert len(found) <= 4


def test_a_worker_that_is_killed_runs_again_and_a_stop_lets_it_finish(on_ray, tmp_path):
    with kept(on_ray, tasks.until_sigterm, ["w-0", "w-1"], str(tmp_path)) as (said, problems):
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        (first,) = tmp_path.glob("w-0.*")
        os.kill(int(first.suffix[1:]), signal.SIGKILL)
        wait_until(lambda: len(list(tmp_path.glob("w-0.*"))) == 2)
    assert [name.name for name in sorted(tmp_path.glob("*.finished"))] == ["w-0.finished", "w-1.finished"]
    assert not problems
    assert [line.partition(" It is")[0] for line in said] == ["Worker w-0 was killed."]


def test_what_needs_a_person_is_not_tried_again(on_ray):
    with pytest.raises(EngineFailed, match=r"^Another worker named w-0 serves stream\.$"):
        on_ray.keep_running(tasks.refused, ["w-0"], None, threading.Event(), print)


def test_a_worker_that_never_gets_to_work_is_given_up(on_ray, tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.engines.restarts.PAUSES_S", (0.0, 0.1))
    said: list[str] = []
    with pytest.raises(EngineFailed, match=r"ValueError: w-0 is broken, 3 times in a row"):
        on_ray.keep_running(tasks.broken, ["w-0"], str(tmp_path), threading.Event(), said.append)
    assert (tmp_path / "starts").read_text() == "..."
    assert said[0] == "Worker w-0 failed: ValueError: w-0 is broken. It is started again now."


def test_a_worker_without_a_free_cpu_waits_and_says_so(on_ray, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_file, "NO_CPU_S", 0.2)
    greedy = ray_file.RayEngine(cpus_per_worker=10_000)
    with kept(greedy, tasks.until_sigterm, ["w-0"], str(tmp_path)) as (said, _):
        wait_until(lambda: said)
    assert said == ["Worker w-0 waits: Ray has no free CPU for it."]


def test_2000_jobs_end_once_each_though_workers_are_killed(on_ray, redis_client, queue):
    said = run_with_kills(on_ray, redis_client, queue, kills=3)
    assert counted(redis_client, queue) == {"done 1": JOBS}
    assert sum("was killed" in line for line in said) == 3


def test_a_lost_head_becomes_a_sentence(on_ray, tmp_path, monkeypatch):
    class Gone(ray_file._Head):
        def __init__(self, ray):
            super().__init__(ray)
            self._place = ("127.0.0.1", 1)

    monkeypatch.setattr(ray_file, "HEAD_GONE_S", 0.1)
    monkeypatch.setattr(ray_file, "_Head", Gone)
    with pytest.raises(EngineFailed, match=r"The head of Ray at 127\.0\.0\.1:1 has not answered"):
        list(on_ray.spread(tasks.note_begun, ((str(tmp_path), n) for n in range(10_000)), 2, NEVER))
    with pytest.raises(EngineFailed, match="ray start --head"):
        on_ray.keep_running(tasks.until_sigterm, ["w-0"], str(tmp_path), threading.Event(), print)


@pytest.mark.parametrize("cpus", ["many", "-1", "nan", "inf"])
def test_a_share_of_a_cpu_is_a_number(cpus):
    with pytest.raises(EngineFailed, match=f"must be a number of CPUs such as 1 or 0.5, not {cpus}"):
        engine("ray", {"ray.cpus_per_worker": cpus})


def test_the_head_is_missed_before_ray_ends_this_process():
    assert ray_file.HEAD_GONE_S + 10 < ray_file.RECONNECT_S
