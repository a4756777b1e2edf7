"""The search for a capacity on queues whose capacity is known, without a network or a clock."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiment.codec import from_dict, to_dict
from loadtest.search.adaptive import Search
from loadtest.search.edge import bursts
from loadtest.search.records import Capacity, Limits, Target
from loadtest.search.verdict import P90_OF_LESS, capacity_of
from tests.support.load.queues import (
    SimulatedTarget,
    always,
    capacity_of_md1,
    capacity_of_mm1,
    exponential,
    latencies_s,
)

SHARES = {99: 0.01, 90: 0.1}
QUEUES = {
    "constant service of 10 ms": (always(0.010), lambda share: capacity_of_md1(0.010, 0.1, share)),
    "random service of 10 ms": (exponential(0.010), lambda share: capacity_of_mm1(0.010, 0.1, share)),
}


def searched(target, limit_ms, budget_s, seed=0, unloaded_ms=10.0, scale_per_s=100.0):
    limits = Limits(limit_ms, budget_s, seed)
    target.spent_s = 0.12 * budget_s  # closed loops before the search
    search = Search(target.offer, limits, unloaded_ms, scale_per_s, lambda: budget_s - target.spent_s)
    search.go()
    known = Target(unloaded_ms, scale_per_s)
    return capacity_of(limits, known, search.trials, target.spent_s, search.why_ended)


@pytest.mark.parametrize("queue", QUEUES)
def test_the_interval_covers_the_known_capacity_in_about_95_of_100_searches(queue):
    service, truth = QUEUES[queue]
    found = [searched(SimulatedTarget(service), 100, 60, seed) for seed in range(40)]
    known = [each for each in found if each.outcome == "found"]
    covered = [each for each in known if each.low_per_s <= truth(SHARES[each.percentile]) <= each.high_per_s]
    assert len(known) >= 36
    assert len(covered) >= 0.85 * len(known)
    widths = sorted((each.high_per_s - each.low_per_s) / each.per_s for each in known)
    assert 0.05 < widths[len(widths) // 2] < 0.8  # 60 s of about 60 requests/s


def test_a_search_stays_within_its_budget_and_gives_a_curve_of_five_rates():
    for seed in range(20):
        found = searched(SimulatedTarget(exponential(0.010)), 100, 25, seed)
        assert found.spent_s < 27
        assert len(found.points) >= 5
        assert len(found.trials) == len({trial.samples[0] for trial in found.trials})


def test_a_capacity_survives_the_way_through_json():
    found = searched(SimulatedTarget(always(0.010)), 100, 10)
    assert from_dict(Capacity, json.loads(json.dumps(to_dict(found)))) == found


def test_late_requests_of_one_queue_are_one_burst():
    assert bursts([9, 50, 60, 20, 70, 8, 9, 10, 50, 9], limit_ms=40) == [3, 1]


def test_lindleys_recursion_is_the_queue_by_hand():
    assert latencies_s([0, 1, 2, 10], [3, 3, 1, 1]) == [3, 5, 5, 1]


class LateTarget(SimulatedTarget):
    """A fast server, and a generator that sends late by `delay_s` above a rate."""

    def __init__(self, delay_s, above_per_s):
        super().__init__(always(0.0001))
        self._delay_s = delay_s
        self._above_per_s = above_per_s

    def offer(self, rate_per_s, seconds, seed):
        taken = super().offer(rate_per_s, seconds, seed)
        if rate_per_s <= self._above_per_s:
            return taken
        late = [
            sample._replace(
                sent_s=sample.due_s + self._delay_s, latency_ms=sample.latency_ms + 1e3 * self._delay_s
            )
            for sample in taken.samples
        ]
        return replace(taken, samples=late)


def test_delays_of_the_generator_are_never_a_limit_of_the_target():
    found = searched(LateTarget(delay_s=0.2, above_per_s=150), 100, 25)
    assert {trial.not_used is None for trial in found.trials if trial.offered_per_s > 150} == {False}
    assert found.outcome == "at_least"
    assert found.sentence.endswith(": no rate that was tried was too high")
    assert 100 <= found.low_per_s <= 150
    assert any("The generator was late, by up to" in reason for reason in found.reasons)


def test_a_generator_that_is_always_late_gives_no_capacity():
    found = searched(LateTarget(delay_s=0.2, above_per_s=0), 100, 25)
    assert (found.outcome, found.validity, found.per_s) == ("too_few", "INVALID", None)


def test_delays_that_decide_nothing_are_told_beside_the_capacity():
    found = searched(LateTarget(delay_s=0.02, above_per_s=0), 100, 25)
    assert found.validity == "NOISY"
    assert any("sent 1 % of the requests more than 20 ms after" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("limit_ms", "budget_s", "outcome"),
    [
        (10.5, 25, "not_met"),  # one request takes 10 ms, and any queue is too much
        (100, 5, "found"),  # p90, and it says so
    ],
)
def test_what_a_search_can_end_with(limit_ms, budget_s, outcome):
    found = searched(SimulatedTarget(always(0.010)), limit_ms, budget_s)
    assert found.outcome == outcome, found.sentence
    if outcome == "found":
        assert found.percentile == 90
        assert found.reasons[-1].startswith("p90 instead of p99: p99 needs 662 requests near ")


def test_a_slow_model_has_its_capacity_at_p90_or_the_budget_that_it_needs():
    slow = {"unloaded_ms": 200.0, "scale_per_s": 5.0}
    short = searched(SimulatedTarget(always(0.2)), 1_000, 10, **slow)
    assert short.outcome == "too_few"
    assert short.sentence.startswith("unknown: p90 needs 64 requests near the limit")
    assert searched(SimulatedTarget(always(0.2)), 1_000, 90, **slow).percentile == 90


def test_a_target_that_was_never_late_has_no_capacity_that_somebody_guessed():
    for budget_s in (3, 5, 10, 25):
        found = searched(SimulatedTarget(always(0.0001)), 100, budget_s, unloaded_ms=0.1)
        assert found.outcome in {"at_least", "too_few"}
        assert found.per_s is None


class GoneTarget(SimulatedTarget):
    """Answers nothing from some time on."""

    def offer(self, rate_per_s, seconds, seed):
        begun_s, gone_s = self.spent_s, 30.0
        taken = super().offer(rate_per_s, seconds, seed)
        samples = [
            sample if begun_s + sample.due_s < gone_s else sample._replace(ok=False, cause="unreachable")
            for sample in taken.samples
        ]
        return replace(taken, samples=samples)


def test_a_target_that_went_away_is_not_taken_for_one_that_was_too_slow():
    found = searched(GoneTarget(always(0.010)), 100, 60)
    assert found.reasons[0].startswith("The target stopped answering")
    assert [trial.not_used is None for trial in found.trials[-2:]] == [False, False]
    assert sum(point.failures for point in found.points) == 0


def test_a_search_that_was_cut_off_does_not_say_what_its_whole_budget_was_enough_for():
    target, limits = SimulatedTarget(exponential(0.010)), Limits(100, 20)
    search = Search(target.offer, limits, 10.0, 100.0, lambda: 20 - target.spent_s)
    search.go()
    asked = (limits, Target(10.0, 100.0), search.trials, target.spent_s)
    whole, part = capacity_of(*asked), capacity_of(*asked, "It was stopped.", "cancelled")
    assert (whole.outcome, whole.percentile) == (part.outcome, part.percentile) == ("found", 90)
    assert "20 s were enough for" in whole.reasons[-1]
    assert part.reasons == ("It was stopped.", P90_OF_LESS)
