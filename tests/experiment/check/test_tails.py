"""The arithmetic of the verdicts, held against tables, enumeration and formulas of others."""

from __future__ import annotations

import math
from itertools import product

import pytest

from experiment.check.tails import (
    binomial_at_most,
    lost_by_chance,
    quantile_ranks,
    shift_of,
    signed_rank_above,
    student_above,
    student_quantile,
)
from experiment.report.proportions import mcnemar
from experiment.report.statistics import median_ranks


@pytest.mark.parametrize(
    ("count", "total", "share"), [(0, 20, 0.5), (5, 20, 0.5), (50, 64, 0.9), (3, 3, 0.1)]
)
def test_a_binomial_tail_is_the_sum_of_its_terms(count, total, share):
    terms = (math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count + 1))
    assert binomial_at_most(count, total, share) == pytest.approx(math.fsum(terms))


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),
    [
        (6.314, 1, 0.05),
        (4.303, 2, 0.025),
        (2.353, 3, 0.05),
        (3.747, 4, 0.01),
        (4.297, 9, 0.001),
        (2.764, 10, 0.01),
    ],
)
def test_students_tail_is_that_of_the_tables(t, freedom, tail):
    assert student_above(t, freedom) == pytest.approx(tail, rel=0.005)
    assert student_above(-t, freedom) == pytest.approx(1 - tail, rel=0.005)
    assert student_quantile(1 - tail, freedom) == pytest.approx(t, rel=0.001)


def test_signed_ranks_are_counted_over_all_signs():
    values = [0.3, -0.1, 0.7, 0.2, 0.5, -0.4, 0.9]
    ranks = {abs(value): rank for rank, value in enumerate(sorted(map(abs, values)), start=1)}
    above = sum(ranks[value] for value in values if value > 0)
    all_signs = list(product((0, 1), repeat=7))
    as_high = sum(sum(r * s for r, s in zip(range(1, 8), signs, strict=True)) >= above for signs in all_signs)
    assert signed_rank_above(values) == pytest.approx(as_high / len(all_signs))
    assert signed_rank_above([0.0, 0.0]) == 1.0


def test_many_signed_ranks_are_nearly_normal():
    values = [(-1) ** (k % 3) * (k + 1) for k in range(100)]
    assert signed_rank_above([*values, 1e-9]) == pytest.approx(signed_rank_above(values), rel=0.05)


def test_the_shift_of_differences_is_the_median_of_the_means_of_pairs():
    assert shift_of([1.0, 2.0, 9.0]).value == 3.5  # of 1, 1.5, 2, 5, 5.5, 9
    low, high = shift_of([0.1 * k for k in range(20)])[1:]
    assert 0.5 < low < 0.95 < high < 1.4


def test_a_quantile_is_enclosed_as_the_report_encloses_the_median():
    for count in (6, 10, 20, 64, 100, 662):
        assert quantile_ranks(count, 0.5) == median_ranks(count)
    assert quantile_ranks(20, 0.9) == (15, None)
    assert quantile_ranks(3, 0.5) == (None, None)


def test_without_a_limit_photos_lost_are_judged_by_the_exact_test():
    assert 2 * lost_by_chance(11, 25, 891, 0.0) == pytest.approx(mcnemar(11, 25))


def test_with_a_limit_as_much_as_it_is_no_surprise_and_far_more_is():
    assert lost_by_chance(10, 20, 1000, 0.01) == pytest.approx(0.5, abs=0.02)
    assert lost_by_chance(10, 60, 1000, 0.01) < 1e-6
    assert lost_by_chance(0, 3, 30, 0.01) == pytest.approx(0.125)  # few photos: the exact test counts
