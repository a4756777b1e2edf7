"""measure(): order, parallelism, failures and cancelling, against fakes with known times."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.support.fake_backends import FakeBackend
from experiment.backends.base import RequestFailed
from experiment.measure import lane, run
from experiment.measure.heartbeat import Heartbeat, overlap_s
from experiment.measure.run import measure
from experiment.measure.schedule import planned_requests, schedule, turn_groups
from experiment.records import NOT_SENT, BackendInfo, Label, Plan, Prediction
from experiment.report.statistics import is_disturbed
from tests.support.records import variant

VARIANTS = [variant(id=name, data=b"abc") for name in ("a", "b", "c")]


def embedded(name: str, *cores: int) -> BackendInfo:
    return BackendInfo(name=name, protocol="fake", cores=cores, embedded=True, state="ready")


def test_warm_ups_come_first_and_every_block_holds_each_variant_once():
    order = list(schedule(Plan(warmups=2, repeats=3, seed=1), VARIANTS, "GPU"))
    assert [(each.variant.id, each.is_warmup) for each in order[:6]] == [
        (name, True) for name in ("a", "a", "b", "b", "c", "c")
    ]
    blocks = [sorted(each.variant.id for each in order[start : start + 3]) for start in (6, 9, 12)]
    assert blocks == [["a", "b", "c"]] * 3


def test_the_order_depends_on_the_seed_and_on_the_backend_and_repeats_itself():
    def ids(seed, name):
        return [each.variant.id for each in schedule(Plan(warmups=0, repeats=20, seed=seed), VARIANTS, name)]

    assert ids(1, "GPU") == ids(1, "GPU")
    assert ids(1, "GPU") != ids(2, "GPU")
    assert ids(1, "GPU") != ids(1, "1 CPU")


def test_every_planned_request_leaves_one_measurement():
    plan = Plan(warmups=1, repeats=4)
    backends = [FakeBackend("x"), FakeBackend("y")]
    taken = list(measure(plan, VARIANTS, backends))
    assert len(taken) == planned_requests(plan, 3, [each.info for each in backends]) == 30
    counts = Counter((each.backend_name, each.variant_id) for each in taken if not each.is_warmup)
    assert set(counts.values()) == {4}
    assert all(each.prediction and each.latency_ms is not None for each in taken)


def test_backends_are_asked_in_parallel():
    both_inside = threading.Barrier(2, timeout=5)

    def meet(asked):
        both_inside.wait()
        return (Label("tabby", 1.0),)

    backends = [FakeBackend("x", answer=meet), FakeBackend("y", answer=meet)]
    assert all(each.prediction for each in measure(Plan(warmups=0, repeats=2), VARIANTS, backends))


class Watched(FakeBackend):
    """Counts how many requests are inside at once over all backends that share the counter."""

    def __init__(self, info: BackendInfo, inside: list[str], most: list[int], asked_order: list[str]):
        super().__init__(info=info)
        self._inside, self._most, self._order = inside, most, asked_order

    def predict(self, asked, timeout_s):
        self._inside.append(self.info.name)
        self._order.append(self.info.name)
        self._most[0] = max(self._most[0], len(self._inside))
        time.sleep(0.002)
        self._inside.remove(self.info.name)
        return super().predict(asked, timeout_s)


def watched_run(infos, order):
    inside, most, asked = [], [0], []
    backends = [Watched(info, inside, most, asked) for info in infos]
    list(measure(Plan(warmups=0, repeats=5, order=order), VARIANTS, backends))
    return most[0], asked


def test_embedded_backends_that_share_a_core_take_turns_request_by_request():
    most, asked = watched_run([embedded("1 CPU", 1), embedded("8 CPU", 0, 1)], "auto")
    assert most == 1
    changes = sum(one != other for one, other in itertools.pairwise(asked))
    assert changes >= len(asked) - 4  # strictly alternating but for the start and the end


def test_parallel_order_sends_at_once_even_where_cores_are_shared():
    most, _ = watched_run([embedded("1 CPU", 1), embedded("8 CPU", 0, 1)], "parallel")
    assert most == 2


def test_in_turns_alternates_backends_that_share_nothing():
    most, asked = watched_run(
        [BackendInfo("here", address="a:1"), BackendInfo("there", address="b:1")], "in_turns"
    )
    assert most == 1
    assert sum(one != other for one, other in itertools.pairwise(asked)) >= len(asked) - 4


def test_one_at_a_time_finishes_one_backend_before_the_next():
    most, asked = watched_run([embedded("1 CPU", 0), embedded("8 CPU", 1)], "one_at_a_time")
    assert most == 1
    assert asked == ["1 CPU"] * 15 + ["8 CPU"] * 15


def test_turn_groups_join_what_overlaps_and_leave_the_rest_alone():
    infos = [embedded("a", 0), embedded("b", 0, 1), embedded("c", 1, 2), embedded("d", 5)]
    remote = BackendInfo(name="remote", address="node:8500")
    assert turn_groups([*infos, remote]) == [{"a", "b", "c"}]
    assert turn_groups([embedded("a", 0), embedded("b", 1)]) == []


def test_a_queue_takes_turns_with_the_model_server_that_its_workers_ask():
    direct, other = BackendInfo("direct", address="127.0.0.1:8500"), BackendInfo("other", address="node:8500")
    queues = [
        BackendInfo(name, "queue", f"queue://r:6379/{name}", model_servers=servers)
        for name, servers in {"q": ("localhost:8500",), "elsewhere": ("far:8500",), "silent": None}.items()
    ]
    assert turn_groups([direct, other, *queues]) == [{"direct", "q"}]
    twice = [BackendInfo(name, address="node:8500") for name in ("a", "b")]
    assert turn_groups(twice) == [], "nobody knows whether one of two requests disturbs the other"


def test_a_failing_backend_costs_only_its_own_cells():
    def refuse(asked):
        raise RequestFailed("bad_request", "no")

    taken = list(
        measure(
            Plan(warmups=0, repeats=3), VARIANTS, [FakeBackend("good"), FakeBackend("bad", answer=refuse)]
        )
    )
    assert Counter((each.backend_name, each.failure is None) for each in taken) == {
        ("good", True): 9,
        ("bad", False): 9,
    }
    assert {each.failure.code for each in taken if each.failure} == {"bad_request"}


def test_after_three_deadlines_in_a_row_the_rest_is_not_sent():
    slow = FakeBackend("slow", service_ms=1000)
    taken = list(measure(Plan(warmups=0, repeats=5, timeout_s=0.02), VARIANTS, [slow]))
    assert [each.failure.code for each in taken] == ["deadline"] * 3 + ["not_sent"] * 12
    assert len(slow.asked) == 3
    assert taken[0].failure.message.endswith(". Other results are unaffected.")
    assert all(each.latency_ms is None for each in taken[3:])
    assert "3 requests in a row passed the time limit" in taken[-1].failure.message


@pytest.mark.parametrize("state", ["down", "wrong_model"])
@pytest.mark.parametrize("code", ["unreachable", "deadline", "wrong_model"])
def test_who_did_not_answer_before_the_run_is_asked_once(state, code):
    def dead(asked):
        raise RequestFailed(code, "No answer at tf-gpu:8500 (connection refused)")

    gone = FakeBackend(answer=dead, info=BackendInfo(name="x", protocol="fake", state=state))
    taken = list(measure(Plan(warmups=0, repeats=5), VARIANTS, [gone]))
    assert [each.failure.code for each in taken] == [code] + ["not_sent"] * 14
    assert len(gone.asked) == 1
    assert "It did not answer before the run either. No answer at" in taken[-1].failure.message


def test_who_did_not_answer_before_the_run_and_does_now_is_measured_like_any_other():
    back = FakeBackend(info=BackendInfo(name="x", protocol="fake", state="down"))
    taken = list(measure(Plan(warmups=0, repeats=5), VARIANTS, [back]))
    assert [each.failure for each in taken] == [None] * 15


def test_a_backend_that_comes_back_goes_on_being_measured(monkeypatch):
    down = iter([True] * 3)

    def answer(asked):
        if next(down, False):
            raise RequestFailed("unreachable", "connection refused")
        return (Label("tabby", 1.0),)

    monkeypatch.setattr(lane.Patience, "pause_s", lambda self, failure: 0.001)
    taken = list(measure(Plan(warmups=0, repeats=5), VARIANTS, [FakeBackend("x", answer=answer)]))
    assert [each.failure is None for each in taken] == [False] * 3 + [True] * 12


def test_patience_with_a_dead_backend_ends(monkeypatch):
    monkeypatch.setattr(lane, "PATIENCE_S", 0.3)

    def dead(asked):
        raise RequestFailed("unreachable", "connection refused")

    taken = list(measure(Plan(warmups=0, repeats=20), VARIANTS, [FakeBackend("x", answer=dead)]))
    codes = [each.failure.code for each in taken]
    assert len(codes) == 60
    assert 2 <= codes.count("unreachable") <= 5
    assert codes[-1] == "not_sent"


def test_cancel_keeps_what_was_measured_and_ends_soon():
    cancel = threading.Event()
    taken = []
    for measurement in measure(Plan(warmups=0, repeats=1000), VARIANTS, [FakeBackend("x", 1)], cancel):
        taken.append(measurement)
        if len(taken) == 10:
            cancel.set()
    assert 10 <= len(taken) < 200


def test_cancel_does_not_wait_for_a_hanging_request(monkeypatch):
    monkeypatch.setattr(run, "CANCEL_GRACE_S", 0.1)
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    started = time.monotonic()
    assert list(measure(Plan(warmups=0, repeats=1), VARIANTS, [FakeBackend("x", 30_000)], cancel)) == []
    assert time.monotonic() - started < 10


def test_a_bug_of_ours_costs_the_cells_of_one_backend_and_is_logged(caplog):
    def bug(asked):
        raise ZeroDivisionError

    backends = [FakeBackend("bad", answer=bug), FakeBackend("good")]
    taken = list(measure(Plan(warmups=0, repeats=2), VARIANTS, backends))
    failures = {each.backend_name: each.failure for each in taken}
    assert failures["good"] is None
    assert failures["bad"].code == "bad_answer"
    assert "ZeroDivisionError" in failures["bad"].message
    assert caplog.text.count("an answer of bad could not be read") == 1
    assert "in bug" in caplog.text


def test_all_scores_are_kept_once_per_cell():
    class Full(FakeBackend):
        def predict(self, asked, timeout_s):
            return Prediction((Label("a", 1.0),), 1, 1, distribution=(1.0, 0.0))

    taken = list(measure(Plan(warmups=2, repeats=3), VARIANTS, [Full("x")]))
    kept = [each for each in taken if each.prediction.distribution]
    assert sorted(each.variant_id for each in kept) == ["a", "b", "c"]
    assert not any(each.is_warmup for each in kept)


def test_requests_during_which_this_process_could_not_run_are_told_from_the_others():
    numbers = 1_000_000
    while True:  # as many as keep the interpreter to themselves for long enough on this machine
        started = time.perf_counter()
        sum(range(numbers))
        if time.perf_counter() - started > 0.08:
            break
        numbers *= 2

    def answer(asked):
        if asked.id == "b":
            sum(range(numbers))  # no other thread runs meanwhile
        return (Label("tabby", 0.7),)

    with Heartbeat() as heartbeat:
        taken = list(
            heartbeat.watched(measure(Plan(warmups=1, repeats=4), VARIANTS, [FakeBackend("x", 1.0, answer)]))
        )
    assert len(taken) == 15
    assert all(0 <= each.late_ms <= each.latency_ms + 1 for each in taken)
    assert all(is_disturbed(each.latency_ms, each.late_ms) for each in taken if each.variant_id == "b")
    assert heartbeat.late >= 5


def test_a_request_that_was_not_sent_was_not_watched_either():
    class Down(FakeBackend):
        def predict(self, asked, timeout_s):
            raise RequestFailed("unreachable", "nobody is there")

    down = Down(info=BackendInfo("x", protocol="fake", state="down"))
    with Heartbeat() as heartbeat:
        taken = list(heartbeat.watched(measure(Plan(warmups=0, repeats=3), VARIANTS, [down])))
    assert {each.late_ms is None for each in taken if each.failure.code == NOT_SENT} == {True}
    assert taken[0].late_ms is not None


@given(st.lists(st.integers(0, 999), unique=True).map(sorted), st.integers(0, 900), st.integers(0, 1_000))
def test_the_time_that_a_request_shares_with_late_beats_is_counted_once(edges, start, length):
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    ticks = [tick for tick in range(start, start + length) if any(low <= tick < high for low, high in spans)]
    assert overlap_s(spans, start, start + length) == len(ticks)


def test_the_heartbeat_notices_a_thread_that_holds_the_interpreter():
    with Heartbeat() as heartbeat:
        sorted(range(3_000_000), key=lambda number: -number)
        time.sleep(0.05)
    assert heartbeat.max_delay_ms > 0
    assert 0 <= heartbeat.late_share <= 1
