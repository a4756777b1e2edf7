"""Bursts: what is computed from them, in which order they go, and what is said of them."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from experiment.records import BackendInfo
from loadtest.replicas.answers import answers_of, sentences_of
from loadtest.replicas.cells import SAMPLES_FOR_P95, Cell, Place, compared, plan
from loadtest.replicas.published import published_s
from tests.support.load.records import load, sample

BURSTS = (1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07)


def cell(replicas: int | None, seconds: float, hosts: int = 1, requests: int = 20, bursts=BURSTS) -> Cell:
    """Bursts whose last answer comes after about `seconds`."""
    loads = [
        load([sample(0.0, 1e3 * seconds * each * (number + 1) / requests) for number in range(requests)])
        for each in bursts
    ]
    return Cell(Place(replicas, hosts, requests), loads)


def test_a_burst_is_as_long_as_its_last_answer_takes():
    found = cell(4, 2.0, bursts=(1.0, 1.5, 1.25))
    assert found.makespans_s == [2.0, 3.0, 2.5]
    assert found.makespan_s == 2.5
    assert found.images_per_s(2.5) == 8.0
    assert found.interval_s is None  # fewer than 6 bursts


def test_a_burst_with_a_failure_has_no_makespan_but_its_answers_count():
    found = cell(1, 1.0, requests=2, bursts=(1.0,))
    found.loads.append(load([sample(0.0, 100.0), sample(0.0, 5000.0, cause="deadline")]))
    assert found.makespans_s == [1.0]
    assert sorted(found.latencies_ms) == [100.0, 500.0, 1000.0]
    assert found.failures == 1
    assert "1 request failed; bursts with a failure have no makespan" in sentences_of([found])[-1]


def test_a_95th_percentile_needs_130_requests():
    # MLPerf's early stopping for 95 %: of 129 requests too often at most one is above the true percentile.
    def at_most_one(count: int) -> float:
        return 0.95**count + count * 0.05 * 0.95 ** (count - 1)

    assert at_most_one(SAMPLES_FOR_P95) < 0.01 < at_most_one(SAMPLES_FOR_P95 - 1)
    assert cell(1, 1.0, bursts=BURSTS[:6]).p95_ms is None
    assert cell(1, 1.0, bursts=BURSTS[:7]).p95_ms > 0


def test_every_place_gets_as_many_bursts_in_shuffled_order():
    places = [Place(replicas, 1, requests) for replicas in (1, 2, 4) for requests in (20, 40)]
    planned = plan(places, 10, is_cheap=True, seed=1)
    assert Counter(planned) == dict.fromkeys(places, 10)
    assert planned == plan(places, 10, is_cheap=True, seed=1) != plan(places, 10, is_cheap=True, seed=2)
    assert set(planned[:6]) == set(planned[6:12]) == set(places)


@pytest.mark.parametrize("bursts", [1, 2, 7, 10])
def test_where_scaling_costs_something_it_is_done_twice_for_each_number_at_most(bursts):
    places = [Place(replicas, 1, requests) for replicas in (1, 2, 4) for requests in (20, 40)]
    planned = plan(places, bursts, is_cheap=False, seed=1)
    assert Counter(planned) == dict.fromkeys(places, bursts)
    numbers = [place.replicas for place in planned]
    changes = sum(one != two for one, two in itertools.pairwise(numbers))
    assert changes < 2 * 3


def test_more_replicas_are_called_slower_only_if_the_interval_says_so():
    cells = [cell(1, 1.0), cell(4, 1.0), cell(20, 1.5)]
    assert compared(cells[2], cells[0]).low > 1
    slower, claimed = sentences_of(cells)
    assert slower.startswith("20 replicas on one host are slower than 1: 1.50 times as long (95 %: ")
    assert claimed.startswith("20 replicas on one host are slower than 4: 1.50 times as long")
    (same,) = sentences_of([cell(1, 1.0), cell(2, 1.001)])
    assert same.startswith("2 replicas on one host against 1: no difference we can detect, 1.00 times")
    (faster,) = sentences_of([cell(1, 1.0), cell(2, 0.5)])
    assert faster.startswith("2 replicas on one host are faster than 1: 0.50 times")


def test_with_too_few_bursts_nothing_is_compared():
    assert sentences_of([cell(1, 1.0, bursts=BURSTS[:5]), cell(2, 2.0, bursts=BURSTS[:5])]) == []


def test_further_hosts_are_compared_at_the_same_number_of_replicas():
    cells = [cell(None, 1.0), cell(None, 0.5, hosts=2), cell(None, 0.34, hosts=3)]
    two, three = sentences_of(cells)
    assert two.startswith("2 hosts are faster than 1: 0.50 times as long")
    assert three.startswith("3 hosts are faster than 1: 0.34 times as long")


def test_each_number_of_requests_has_a_figure_with_the_published_values_beside_ours():
    cells = [cell(replicas, 1.0, requests=requests) for replicas in (1, 3) for requests in (20, 40)]
    first, second = answers_of({found.place: found for found in cells}, ["A note."])
    assert [first.key, second.key] == ["burst_20", "burst_40"]
    assert [trace["name"] for trace in first.figure["data"]] == ["measured, 1 host", "published, 1 host"]
    assert first.figure["data"][1]["y"] == [9.0]
    assert first.figure["data"][0]["x"] == ["1", "3"]
    column = first.columns.index("published makespan, s")
    assert [row[column] for row in first.rows] == [9.0, None]
    assert "BMW-InnovationLab/BMW-TensorFlow-Inference-API-CPU" in first.notes[-1]
    assert second.rows[0][column] == 18.1


def test_nothing_published_is_shown_for_a_burst_that_was_not_published():
    (answer,) = answers_of({Place(1, 1, 7): cell(1, 1.0, requests=7)}, [])
    assert len(answer.figure["data"]) == 1
    assert answer.notes == ()


def test_bursts_that_were_never_answered_are_said_to():
    lost = Cell(Place(1, 1, 2), [load([sample(0.0, 10.0, cause="unreachable")] * 2)])
    (answer,) = answers_of({lost.place: lost}, [])
    assert answer.sentence.startswith("2 requests failed")
    assert answer.rows[0][2] is None


def test_the_published_figures_are_those_of_the_old_readme():
    assert published_s(20, 1, 4) == 8.57
    assert published_s(40, 2, 20) == 8.8
    assert published_s(20, 1, 3) is None
    assert published_s(20, 1, None) is None


def test_images_of_a_batch_count_each():
    found = cell(1, 1.0, requests=10, bursts=(1.0,))
    batch = load(found.loads[0].taken.samples, target=BackendInfo("GPU"))
    batch = Cell(found.place, [_with_batch(batch, 4)])
    assert batch.images_per_s(2.0) == 20.0


def _with_batch(one, batch: int):
    from dataclasses import replace

    return replace(one, payload=replace(one.payload, batch=batch))
