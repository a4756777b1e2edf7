"""Intervals and tests of shares, against published examples and against simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.report.proportions import (
    Z_95,
    detectable_difference,
    holm,
    mcnemar,
    paired_difference,
    photos_needed,
    photos_to_settle,
    wilson,
)

COUNTS = st.integers(0, 400)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_intervals_of_newcombes_table(count, total, low, high):
    """Newcombe 1998, Statist. Med. 17:857, table I, method 3."""
    assert wilson(count, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_a_wilson_bound_is_the_share_that_is_just_not_rejected(case):
    count, total = case
    for bound in wilson(count, total):
        if 0 < bound < 1:
            z = (count / total - bound) / math.sqrt(bound * (1 - bound) / total)
            assert abs(z) == pytest.approx(Z_95, rel=1e-6)


def test_the_paired_interval_is_what_a_hand_gets():
    """2 of 21 (Wilson 0.0265 to 0.2891) against 8 of 21 (0.2075 to 0.5912), 1 of them in both.

    1 x 12 - 1 x 7 = 5 is less than 21 / 2, so phi is 0. Down: the root of (0.0952 - 0.0265)^2 + (0.5912 -
    0.3810)^2 = 0.2212; up: that of (0.2891 - 0.0952)^2 + (0.3810 - 0.2075)^2 = 0.2602.
    """
    assert paired_difference(1, 1, 7, 12) == pytest.approx((-0.2857 - 0.2212, -0.2857 + 0.2602), abs=2e-4)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_paired_interval_holds_the_difference_and_turns_with_it(both, gained, lost, neither):
    total = both + gained + lost + neither
    if not total:
        return
    low, high = paired_difference(both, gained, lost, neither)
    assert -1 <= low <= (gained - lost) / total <= high <= 1
    turned = paired_difference(both, lost, gained, neither)
    assert (-turned[1], -turned[0]) == pytest.approx((low, high), abs=1e-12)


def test_the_paired_interval_covers_the_truth_in_95_of_100_simulated_sets():
    rng = np.random.default_rng(7)
    shares = (0.80, 0.02, 0.05, 0.13)  # the true difference is -3 points
    tables = rng.multinomial(400, shares, size=4000)
    covered = [low <= -0.03 <= high for low, high in (paired_difference(*map(int, each)) for each in tables)]
    assert 0.935 <= np.mean(covered) <= 0.975


@pytest.mark.parametrize(("gained", "lost", "p"), [(1, 7, 0.0703), (0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64)])
def test_mcnemars_p_is_the_binomial_one(gained, lost, p):
    """The first one by hand: 2 x (1 + 8) / 2^8."""
    assert mcnemar(gained, lost) == pytest.approx(p, abs=5e-5)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_mcnemars_p_is_the_sum_over_everything_as_unlikely():
    for total in range(1, 14):
        sums = [sum(outcome) for outcome in itertools.product((0, 1), repeat=total)]
        for lost in range(total + 1):
            far = abs(2 * lost - total)
            expected = sum(abs(2 * each - total) >= far for each in sums) / 2**total
            assert mcnemar(total - lost, lost) == pytest.approx(expected)


def test_mcnemars_p_of_thousands_of_photos_is_a_number():
    assert 0 < mcnemar(4000, 4400) < 1e-4


def test_mcnemar_finds_a_difference_in_at_most_5_of_100_sets_without_one():
    rng = np.random.default_rng(3)
    tables = rng.multinomial(500, (0.8, 0.03, 0.03, 0.14), size=3000)
    found = [mcnemar(int(each[1]), int(each[2])) < 0.05 for each in tables]
    assert 0.005 < np.mean(found) <= 0.05


def test_holm_multiplies_the_smallest_p_by_all_and_never_falls():
    """0.01 x 4, 0.02 x 3, then 0.03 x 2 which may not be below, and 0.04."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_photos_needed_find_the_difference_in_about_80_of_100_sets():
    total = photos_needed(0.08, 0.03)
    rng = np.random.default_rng(5)
    tables = rng.multinomial(total, (0.8, 0.055, 0.025, 0.12), size=1500)
    found = [mcnemar(int(each[1]), int(each[2])) < 0.05 for each in tables]
    assert 0.72 < np.mean(found) < 0.86  # the exact test is a little stricter than the formula


def test_one_point_at_usual_discordance_needs_thousands_of_photos():
    assert 3500 < photos_needed(0.05, 0.01) < 5000


@given(st.floats(0.001, 0.5), st.integers(20, 20000))
def test_what_can_be_detected_is_what_so_many_photos_are_needed_for(differing, total):
    difference = detectable_difference(differing, total)
    assert photos_needed(differing, difference) <= total
    assert photos_needed(differing, difference * 0.98) >= total * 0.95


def test_settling_a_margin_takes_four_times_the_photos_at_half_of_it():
    assert photos_to_settle(0.05, 0.005) == pytest.approx(4 * photos_to_settle(0.05, 0.01), abs=4)
