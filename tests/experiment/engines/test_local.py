"""Workers and tasks in processes of this machine, some of which die."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiment.engines.base import EngineFailed
from experiment.engines.choose import engine
from tests.support.queue import engine_tasks

ROOT = Path(__file__).resolve().parents[3]
NEVER = threading.Event()


def until(is_so: Callable[[], object]) -> None:
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it never became so")


def test_tasks_are_spread_over_processes_and_each_is_done_once():
    found = list(engine("local").spread(engine_tasks.half, [number * 20 for number in range(9)], 2, NEVER))
    assert sorted(found) == [number * 10 for number in range(9)]


def test_items_are_taken_from_their_source_only_as_they_are_needed():
    taken: list[int] = []

    def items():
        for number in range(100, 200):
            taken.append(number)
            yield number

    stop, found = threading.Event(), []
    for each in engine("local").spread(engine_tasks.half, items(), 2, stop):
        found.append(each)
        stop.set()
    assert 1 <= len(found) == len(taken) <= 3, "what was under way is still yielded, and nothing is begun"


def test_a_task_whose_process_died_is_done_by_another_one(tmp_path):
    task = functools.partial(engine_tasks.half_at_the_second_try, folder=str(tmp_path))
    assert sorted(engine("local").spread(task, [2, 4], 2, NEVER)) == [1, 2]


def test_an_item_that_kills_every_process_is_named():
    with pytest.raises(
        EngineFailed, match="3 processes died, one after the other, while they had this item: '7'"
    ) as failed:
        list(engine("local").spread(engine_tasks.half, [7], 1, NEVER))
    assert failed.value.items == (7,)


def test_what_a_task_raises_reaches_the_caller():
    with pytest.raises(ValueError, match="thirteen"):
        list(engine("local").spread(engine_tasks.half, [13], 1, NEVER))


def test_a_worker_that_is_killed_starts_again_under_its_name_and_ends_in_order(tmp_path):
    stop, said = threading.Event(), []
    starts, ended = tmp_path / "w-1", tmp_path / "w-1-ended"

    def watch():
        until(lambda: starts.exists() and len(starts.read_text().splitlines()) == 2)
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    engine("local").keep_running(engine_tasks.note_starts, ["w-1"], str(tmp_path), stop, said.append)
    watcher.join()
    assert ended.exists()
    assert said[0].startswith("Worker w-1 was killed by signal 9. It is started again")


def test_a_worker_that_a_restart_would_not_help_ends_the_whole():
    with pytest.raises(EngineFailed, match="w-1 has a name that is taken"):
        engine("local").keep_running(engine_tasks.needs_a_person, ["w-1"], None, NEVER, print)


def test_workers_end_when_the_process_that_placed_them_is_killed():
    code = (
        "import threading\nfrom experiment.engines.choose import engine\n"
        "from tests.support.queue import engine_tasks\n"
        "if __name__ == '__main__':\n"
        "    engine('local').keep_running(engine_tasks.sleep_long, ['w-1'], None, threading.Event(), print)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        children = Path(f"/proc/{parent.pid}/task")
        until(lambda: len(_children(children)) >= 2)  # the worker, and the tracker of multiprocessing
        workers = _children(children)
        parent.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def _children(tasks: Path) -> list[str]:
    return [pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def test_an_engine_that_is_not_installed_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'ray'", name="ray")

    monkeypatch.setattr("experiment.engines.choose.import_module", missing)
    with pytest.raises(EngineFailed, match=r"ray is not installed.*pip install -r requirements/ray.txt"):
        engine("ray")
    assert (ROOT / "requirements" / "ray.txt").exists() and (ROOT / "requirements" / "spark.txt").exists()


def test_an_unknown_engine_is_named_beside_the_known_ones():
    with pytest.raises(EngineFailed, match=r"no engine named flink\. There are local, ray, spark"):
        engine("flink")


def test_an_option_that_an_engine_does_not_have_is_refused():
    with pytest.raises(EngineFailed, match=r"ray has no option ray\.adress\. Its options are: ray\.address,"):
        engine("ray", {"ray.adress": "head:6379"})
    with pytest.raises(EngineFailed, match=r"The engine local has no option .* are: none\."):
        engine("local", {"workers": "2"})
