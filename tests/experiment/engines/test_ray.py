"""Ray as an engine, on one real Ray that all tests here share."""

from __future__ import annotations

import signal
import threading
from types import ModuleType, SimpleNamespace

import pytest

from experiment.engines import ray as ray_file
from experiment.engines.base import EngineFailed
from experiment.engines.choose import engine
from tests.support.engines import tasks
from tests.support.engines.queue_run import JOBS, counted, run_with_kills
from tests.support.engines.rules import NEVER, Keeping, Spreading, kept, wait_until


def _my_own(*_) -> None:
    """Of a command that lets its workers finish."""


@pytest.fixture(scope="module")
def made():
    """The engine, connected to a Ray of its own."""
    on_ray = engine("ray", {"ray.address": "local", "ray.cpus_per_worker": "0.5"})
    before = signal.signal(signal.SIGTERM, _my_own)
    with on_ray._connected(4):
        yield on_ray
    signal.signal(signal.SIGTERM, before)


def test_what_sigterm_does_in_this_process_stays_as_it_was(made):
    assert signal.getsignal(signal.SIGTERM) is _my_own, "Ray would end `jobs serve` before its workers"


class TestRay(Spreading, Keeping):
    """The rules of all engines."""


def test_a_worker_without_a_free_cpu_waits_and_says_so(made, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_file, "NO_CPU_S", 0.2)
    greedy = ray_file.RayEngine(cpus_per_worker=10_000)
    with kept(greedy, tasks.until_sigterm, ["w-0"], str(tmp_path)) as (said, _):
        wait_until(lambda: said)
    assert said == ["Worker w-0 waits: Ray has no free CPU for it."]


def test_2000_jobs_end_once_each_though_workers_are_killed(made, redis_client, queue):
    run_with_kills(made, redis_client, queue, kills=3)
    assert counted(redis_client, queue) == {"done 1": JOBS}


def test_a_lost_head_becomes_a_sentence(made, tmp_path, monkeypatch):
    class Gone(ray_file._Head):
        def __init__(self, ray):
            super().__init__(ray)
            self._place = ("127.0.0.1", 1)

    monkeypatch.setattr(ray_file, "HEAD_GONE_S", 0.1)
    monkeypatch.setattr(ray_file, "_Head", Gone)
    with pytest.raises(EngineFailed, match=r"The head of Ray at 127\.0\.0\.1:1 has not answered"):
        list(made.spread(tasks.note_begun, ((str(tmp_path), n) for n in range(10_000)), 2, NEVER))
    with pytest.raises(EngineFailed, match="ray start --head"):
        made.keep_running(tasks.until_sigterm, ["w-0"], str(tmp_path), threading.Event(), print)


@pytest.mark.parametrize("cpus", ["many", "-1", "nan", "inf"])
def test_a_share_of_a_cpu_is_a_number(cpus):
    with pytest.raises(EngineFailed, match=f"must be a number of CPUs such as 1 or 0.5, not {cpus}"):
        engine("ray", {"ray.cpus_per_worker": cpus})


def test_the_head_is_missed_before_ray_ends_this_process():
    assert ray_file.HEAD_GONE_S + 10 < ray_file.RECONNECT_S


def test_without_an_address_it_takes_no_ray_that_belongs_to_another_command(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    asked: list[str] = []

    class Ray(ModuleType):
        exceptions = SimpleNamespace(RayError=OSError)

        def is_initialized(self) -> bool:
            return False

        def init(self, address: str, **_) -> None:
            asked.append(address)

        def shutdown(self) -> None:
            asked.append("shutdown")

    monkeypatch.setattr(ray_file, "_ray", lambda: Ray("ray"))
    monkeypatch.setattr(ray_file, "_check_answers", asked.append)
    for address in ("", "host:6379", "auto"):
        with ray_file.RayEngine(address)._connected(1):
            pass
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with ray_file.RayEngine()._connected(1):
        pass
    assert asked[1::3] == ["local", "host:6379", "auto", "head:6379"]
    assert asked[2::3] == ["shutdown"] * 4


def test_a_ray_that_does_not_answer_is_a_sentence_at_once():
    with pytest.raises(EngineFailed, match=r"^Ray at 127\.0\.0\.1:1 does not answer\. Start it .*ray start"):
        ray_file._check_answers("127.0.0.1:1")
