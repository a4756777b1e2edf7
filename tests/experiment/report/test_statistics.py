"""Percentiles, intervals and distances, against numpy and against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.report.statistics import (
    SAMPLES_FOR_INTERVAL,
    SAMPLES_FOR_P90,
    SAMPLES_FOR_P99,
    interval_over,
    is_disturbed,
    jensen_shannon_distance,
    latency_stats,
    median_interval,
    median_ranks,
    percentile,
    percentile_from,
    set_apart,
)

latencies = st.lists(st.floats(0, 1e6), min_size=1, max_size=100)
scores = st.lists(st.floats(0.001, 1), min_size=2, max_size=20)


@given(latencies, st.floats(0, 100))
def test_percentiles_are_numpys_to_the_last_bit(samples, percent):
    assert percentile(samples, percent) == np.percentile(samples, percent)


@pytest.mark.parametrize(
    ("count", "ranks"), [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (100, (40, 61))]
)
def test_the_interval_of_the_median_has_the_published_ranks(count, ranks):
    assert median_ranks(count) == ranks


@pytest.mark.parametrize("count", [*range(6, 80), 1000, 2001])
def test_the_interval_covers_the_median_with_95_percent_and_no_narrower_one_does(count):
    def coverage(low_rank):  # the median lies outside when fewer than low_rank samples are below it
        outside = sum(math.comb(count, below) for below in range(low_rank))
        return 1 - 2 * outside / 2**count

    low, high = median_ranks(count)
    assert high == count + 1 - low
    assert coverage(low) >= 0.95 > coverage(low + 1)


@given(latencies)
def test_the_interval_encloses_the_median_and_consists_of_samples(samples):
    interval = median_interval(samples)
    if len(samples) < SAMPLES_FOR_INTERVAL:
        assert interval is None
    else:
        assert interval[0] <= percentile(samples, 50) <= interval[1]
        assert set(interval) <= set(samples)


@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0, 1e4)), max_size=80))
def test_disturbed_samples_are_set_apart_only_where_enough_others_are_left(taken):
    disturbed = [is_disturbed(*each) for each in taken]
    kept, apart = set_apart(taken, disturbed)
    assert sorted(kept + apart) == sorted(taken)
    assert all(is_disturbed(*each) for each in apart)
    if apart:
        assert not any(is_disturbed(*each) for each in kept)
        assert len(kept) >= SAMPLES_FOR_INTERVAL
        assert len(kept) >= len(apart)


@given(latencies, latencies)
def test_the_interval_encloses_that_with_and_that_without_the_samples_set_apart(kept, apart):
    interval, without = interval_over(kept, apart), median_interval(kept)
    assert (interval is None) == (without is None)
    if interval and without:
        every = median_interval(kept + apart)
        assert interval == (min(without[0], every[0]), max(without[1], every[1]))


@pytest.mark.parametrize(("floor", "tail"), [(SAMPLES_FOR_P90, 0.10), (SAMPLES_FOR_P99, 0.01)])
def test_the_floors_of_the_tails_are_those_of_mlperfs_early_stopping(floor, tail):
    """The least n for which at most one of n samples above the percentile is a 1 % accident."""

    def accident(count):
        return (1 - tail) ** count + count * tail * (1 - tail) ** (count - 1)

    assert accident(floor) <= 0.01 < accident(floor - 1)


def test_a_percentile_is_not_known_below_its_floor():
    assert percentile_from(SAMPLES_FOR_P90, [1.0] * 63, 90) is None
    assert percentile_from(SAMPLES_FOR_P90, [1.0] * 64, 90) == 1.0
    assert percentile_from(0, [], 50) is None


@given(scores)
def test_a_distribution_has_no_distance_to_itself(distribution):
    assert jensen_shannon_distance(distribution, distribution) == pytest.approx(0, abs=1e-6)


@given(scores.flatmap(lambda first: st.tuples(st.just(first), st.permutations(first))))
def test_the_distance_is_symmetric_and_between_0_and_1(pair):
    first, second = pair
    distance = jensen_shannon_distance(first, second)
    assert 0 <= distance <= 1
    assert distance == pytest.approx(jensen_shannon_distance(second, first), abs=1e-6)


def test_distributions_that_share_nothing_are_as_far_apart_as_can_be():
    assert jensen_shannon_distance([1, 0], [0, 1]) == 1


def test_the_distance_has_its_textbook_value():
    p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    m = (p + q) / 2
    divergence = (np.sum(p * np.log2(p / m)) + np.sum(q * np.log2(q / m))) / 2
    assert jensen_shannon_distance(p, q) == pytest.approx(math.sqrt(divergence))


def test_scores_that_do_not_quite_sum_to_1_are_scaled():
    assert jensen_shannon_distance([0.2, 0.2], [0.5, 0.5]) == 0


def test_distributions_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        jensen_shannon_distance([0.5, 0.5], [1.0])


def test_the_numbers_of_a_cell_come_where_there_are_samples_enough_for_each():
    assert set(latency_stats([]).values()) == {None}
    few = latency_stats([3.0, 1.0, 2.0])
    assert (few["min_ms"], few["p50_ms"], few["max_ms"]) == (1.0, 2.0, 3.0)
    assert few["p50_low_ms"] is few["p50_high_ms"] is few["p90_ms"] is None
    many = latency_stats([float(ms) for ms in range(1, SAMPLES_FOR_P90 + 1)])
    assert many["p50_low_ms"] < many["p50_ms"] < many["p50_high_ms"] < many["p90_ms"]
    assert many["p99_ms"] is None


@given(latencies, latencies)
def test_a_tail_and_the_extremes_are_of_all_samples_and_p50_is_without_those_set_apart(kept, apart):
    stats, every = latency_stats(kept, apart), latency_stats([*kept, *apart])
    assert stats["p50_ms"] == percentile(kept, 50)
    tails = ("p90_ms", "p99_ms", "min_ms", "max_ms")
    assert [stats[key] for key in tails] == [every[key] for key in tails]
