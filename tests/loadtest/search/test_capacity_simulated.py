"""The search for a capacity on queues whose capacity is known, without a network or a clock."""

from __future__ import annotations

import json

import pytest

from experiment.codec import from_dict, to_dict
from loadtest.search.adaptive import Search
from loadtest.search.edge import bursts
from loadtest.search.records import Capacity, Limits, Target
from loadtest.search.verdict import capacity_of
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
    found = [searched(SimulatedTarget(service), 100, 60, seed) for seed in range(50)]
    known = [each for each in found if each.outcome == "found"]
    covered = [each for each in known if each.low_per_s <= truth(SHARES[each.percentile]) <= each.high_per_s]
    assert len(known) >= 45
    assert len(covered) >= 0.85 * len(known)
    widths = sorted((each.high_per_s - each.low_per_s) / each.per_s for each in known)
    assert 0.05 < widths[len(widths) // 2] < 0.8  # 60 s of about 60 requests/s


def test_a_search_stays_within_its_budget_and_gives_a_curve_of_five_rates():
    for seed in range(10):
        found = searched(SimulatedTarget(always(0.010)), 100, 25, seed)
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
