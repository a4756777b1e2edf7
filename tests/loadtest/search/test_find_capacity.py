"""find_capacity() on real servers with known service times: it ends by itself, and says what it found.

The machine that runs the tests may be busy: what is asserted holds for any speed.
"""

from __future__ import annotations

import os
import signal
import threading

import grpc
import pytest

from experiment.records import BackendInfo
from loadtest.cross_check.stub import running_stub
from loadtest.errors import LoadRefused
from loadtest.payloads.images import image_payload
from loadtest.records import Generator, Sample, Taken
from loadtest.search.capacity import find_capacity
from loadtest.search.records import ClosedLoop, Limits, Target
from loadtest.search.trials import trial_of
from loadtest.search.verdict import capacity_of
from loadtest.send.recording import Watch
from tests.support.scripted_server import aborting, grpc_server


def searched(info, limit_ms, budget_s=2.0, **more):
    payload = image_payload(info, [b"a picture"], ["a"], expected=["stub"])
    return find_capacity(info, payload, limit_ms, budget_s, **more)


def test_no_capacity_is_above_what_a_single_server_can_do_at_all():
    begun, ended = [], []
    with running_stub(service_ms=10, one_at_a_time=True) as stub:
        found = searched(
            stub.grpc,
            100,
            3,
            on_begin=lambda rate_per_s, seconds: begun.append(rate_per_s),
            on_trial=ended.append,
        )
    assert found.target.unloaded_ms >= 10
    assert found.target.closed_loop_per_s <= 100
    assert begun == [trial.offered_per_s for trial in found.trials]
    assert ended == list(found.trials)
    assert all(point.p50_ms >= 10 for point in found.points)
    if found.outcome == "found":
        assert found.low_per_s <= found.per_s <= found.high_per_s
        assert found.low_per_s < 100
        assert found.right_share == pytest.approx(1, abs=0.05)


def test_a_limit_below_the_unloaded_latency_is_said_without_any_load():
    with running_stub(service_ms=30) as stub:
        found = searched(stub.grpc, 20)
    assert found.outcome == "below_unloaded"
    assert found.target.unloaded_ms >= 30
    assert found.sentence.startswith("none: the limit of 20 ms is below the unloaded latency of ")
    assert found.trials == ()


def test_a_target_that_refuses_under_load_has_the_capacity_that_it_answers():
    with running_stub(service_ms=5, one_at_a_time=True, most=2) as stub:
        found = searched(stub.rest, 1_000, 3)
    assert any(sample.cause == "overloaded" for trial in found.trials for sample in trial.samples)
    assert all(point.over_limit >= point.failures for point in found.points)
    assert found.per_s is None or found.per_s < 200


def test_a_target_that_hangs_ends_the_search_and_keeps_what_was_measured():
    with running_stub(service_ms=5, one_at_a_time=True) as stub:
        found = searched(stub.rest, 50, on_trial=lambda trial: os.kill(stub.pid, signal.SIGSTOP))
    first, second = found.trials
    assert any(sample.ok for sample in first.samples)
    assert {sample.cause for sample in second.samples} == {"deadline"}
    assert second.not_used == "Nothing was answered."
    assert found.reasons[0].startswith("The target stopped answering, and the search with it.")
    assert (found.outcome, found.validity) == ("no_answer", "NOISY")
    assert found.sentence == "unknown: the target stopped answering before the capacity was found"


def test_a_target_that_answers_nothing_is_said_in_one_sentence():
    with grpc_server(aborting(grpc.StatusCode.NOT_FOUND, "no such model")) as address:
        found = searched(BackendInfo("GPU", address=address), 50)
    assert found.outcome == "no_answer"
    assert found.sentence == f"unknown: GPU at {address} refused the request: no such model"


def test_a_search_that_is_cancelled_keeps_its_trials():
    cancel, loops = threading.Event(), list[ClosedLoop]()
    with running_stub(service_ms=5, one_at_a_time=True) as stub:
        found = searched(
            stub.grpc,
            50,
            5,
            watch=Watch(cancel),
            on_trial=lambda trial: cancel.set(),
            on_loop=loops.append,
        )
    assert tuple(loops) == found.target.closed_loops
    (trial,) = found.trials
    assert any(sample.ok for sample in trial.samples)
    assert found.reasons[0] == "The search was stopped by hand."
    assert found.outcome == "cancelled"  # and not that more time would have been enough
    assert found.sentence == "unknown: stopped before the capacity was found"


@pytest.mark.parametrize(("limit_ms", "budget_s"), [(0, 60), (-1, 60), (float("nan"), 60), (100, 1)])
def test_a_limit_or_a_budget_that_cannot_be_used_is_refused(limit_ms, budget_s):
    with pytest.raises(LoadRefused, match="A capacity needs a limit above 0 ms and a budget of 2 s or more"):
        searched(BackendInfo("GPU", address="127.0.0.1:1"), limit_ms, budget_s)


def test_a_search_that_the_watcher_ends_says_why_and_is_not_stopped_by_hand():
    watch = Watch(why_stop=lambda sample: "Enough failures." if sample.due_s > 0.2 else None)
    with running_stub(service_ms=5, one_at_a_time=True) as stub:
        found = searched(stub.grpc, 50, 20, watch=watch)
    assert not watch.cancel.is_set()
    assert [trial.stopped for trial in found.trials] == ["Enough failures."]
    assert found.reasons[0] == "Enough failures."


def test_a_search_that_is_stopped_before_its_first_request_is_cancelled_and_the_target_not_blamed():
    cancel = threading.Event()
    with running_stub(service_ms=5) as stub:
        found = searched(stub.grpc, 50, watch=Watch(cancel), on_begin=lambda *_: cancel.set())
    assert found.outcome == "cancelled"
    assert found.sentence == "unknown: stopped before the capacity was found"


@pytest.mark.parametrize("cut_off", ["cancelled", "no_answer"])
def test_a_lower_bound_of_a_search_that_was_cut_off_does_not_blame_the_generator(cut_off):
    """All ten requests/s were kept up; nobody tried more."""
    samples = [Sample(number / 10, number / 10, 20.0, True) for number in range(700)]
    taken = Taken(samples, 0.0, 70.0, Generator(None, 0.0, 1.0, 1))
    limits, target = Limits(100, 60), Target(20.0, 50.0)
    trials = [trial_of(taken, 10.0, 70.0, 100.0, 0.01)]
    whole = capacity_of(limits, target, trials, 70.0)
    found = capacity_of(limits, target, trials, 70.0, "It ended.", cut_off)
    assert whole.outcome == found.outcome == "at_least"
    assert whole.sentence.endswith("no rate that was tried was too high")
    assert (
        found.sentence
        == "at least 10 requests/s at p99 ≤ 100 ms: the search ended before a rate was too high"
    )
    assert (found.validity, found.reasons[0]) == ("NOISY", "It ended.")
