"""From the stored trials of a load test to the points of a curve, with numbers that one can work out."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiment.codec import from_dict, to_dict
from experiment.records import LoadTrial
from experiment.report.statistics import median_ranks
from experiment.under_load.load_points import ENDED_EARLY, part_of, points_of

LIMIT_MS = 100.0


def trial(latency_ms: list[float], **changes: Any) -> LoadTrial:
    """Ten requests a second, the first one at 0; none is left out."""
    count = len(latency_ms)
    values: dict[str, Any] = {
        "offered_per_s": 10.0,
        "seconds": count / 10,
        "settled_s": 0.0,
        "due_s": tuple(number / 10 for number in range(count)),
        "late_ms": (0.1,) * count,
        "latency_ms": tuple(latency_ms),
    }
    return LoadTrial(**values | changes)


def test_trials_at_one_rate_are_one_point_and_the_lowest_rate_comes_first():
    fast, slow = trial([20.0] * 10, offered_per_s=40.0), trial([10.0] * 10)
    low, high = points_of(map(part_of, [fast, slow, trial([30.0] * 10)]), LIMIT_MS, 99)
    assert (low.offered_per_s, low.count, low.trials) == (10.0, 20, 2)
    assert low.samples_ms == (10.0,) * 10 + (30.0,) * 10
    assert low.p50_ms == np.percentile(low.samples_ms, 50)
    assert (high.offered_per_s, high.count, high.p50_ms) == (40.0, 10, 20.0)


def test_requests_before_the_queue_had_settled_are_kept_and_not_counted():
    (point,) = points_of(map(part_of, [trial([500.0, 500.0, 20.0, 20.0], settled_s=0.2)]), LIMIT_MS, 99)
    assert (point.count, point.over_limit, point.max_ms) == (2, 0, 20.0)
    assert point.uncounted_ms == (500.0, 500.0)
    assert point.achieved_per_s == 2 / (0.4 - 0.2)


def test_failed_requests_count_in_every_rate_and_are_over_the_limit():
    causes = (None, "deadline", "deadline", "overloaded")
    (point,) = points_of(map(part_of, [trial([20.0, 9000.0, 9000.0, 1.0], causes=causes)]), LIMIT_MS, 99)
    assert (point.count, point.failures, point.over_limit) == (4, 3, 3)
    assert point.samples_ms == (20.0,)
    assert point.achieved_per_s == 1 / 0.4
    assert point.causes == {"deadline": 2, "overloaded": 1}


def test_a_rate_without_any_answer_has_no_latency():
    (point,) = points_of(map(part_of, [trial([5.0] * 3, causes=("unreachable",) * 3)]), LIMIT_MS, 99)
    assert (point.p50_ms, point.max_ms, point.achieved_per_s) == (None, None, 0.0)
    assert not point.keeps_limit


def test_one_late_request_in_a_hundred_is_allowed_at_p99_and_ten_at_p90():
    one, two = [trial([101.0] * late + [20.0] * (100 - late)) for late in (1, 2)]
    assert points_of(map(part_of, [one]), LIMIT_MS, 99)[0].keeps_limit
    assert points_of(map(part_of, [one]), LIMIT_MS, None)[0].keeps_limit
    assert not points_of(map(part_of, [two]), LIMIT_MS, 99)[0].keeps_limit
    ten, eleven = [trial([101.0] * late + [20.0] * (100 - late)) for late in (10, 11)]
    assert points_of(map(part_of, [ten]), LIMIT_MS, 90)[0].keeps_limit
    assert not points_of(map(part_of, [eleven]), LIMIT_MS, 90)[0].keeps_limit


def test_goodput_counts_right_answers_only_where_it_is_known_which_are_right():
    (known,) = points_of(map(part_of, [trial([20.0] * 4, right=(True, False, True, True))]), LIMIT_MS, 99)
    assert known.goodput_per_s == 3 / 0.4
    (unknown,) = points_of(map(part_of, [trial([20.0] * 4)]), LIMIT_MS, 99)
    assert unknown.goodput_per_s is None
    failed = trial([20.0] * 2, right=(True, None), causes=(None, "deadline"))
    assert points_of(map(part_of, [failed]), LIMIT_MS, 99)[0].goodput_per_s == 1 / 0.2


def test_a_trial_in_which_the_generator_was_late_does_not_count_beside_a_good_one():
    late, good = trial([900.0] * 5, not_used="The generator was late."), trial([20.0] * 5)
    (point,) = points_of(map(part_of, [late, good]), LIMIT_MS, 99)
    assert (point.validity, point.count, point.trials) == ("VALID", 5, 1)
    assert point.uncounted_ms == (900.0,) * 5
    (alone,) = points_of(map(part_of, [late]), LIMIT_MS, 99)
    assert (alone.validity, alone.reasons, alone.count) == ("INVALID", ("The generator was late.",), 5)


def test_a_trial_that_ended_early_makes_its_rate_noisy():
    (point,) = points_of(map(part_of, [trial([200.0] * 5, stopped="Too many were late.")]), LIMIT_MS, 99)
    assert (point.validity, point.reasons) == ("NOISY", (ENDED_EARLY,))


def test_the_most_that_the_generator_was_late_is_told():
    (point,) = points_of(map(part_of, [trial([20.0] * 3, late_ms=(0.1, 2.5, 0.2))]), LIMIT_MS, 99)
    assert point.late_max_ms == 2.5


def test_a_trial_is_stored_without_loss():
    made = trial([20.0, 30.0], right=(True, None), causes=(None, "deadline"), stopped="It ended.")
    assert from_dict(LoadTrial, to_dict(made)) == made


def test_failed_requests_that_are_not_counted_are_told():
    causes = ("deadline", None, "overloaded", None)
    (point,) = points_of(map(part_of, [trial([500.0] * 4, causes=causes, settled_s=0.2)]), LIMIT_MS, 99)
    assert (point.failures, point.causes, point.uncounted_ms) == (1, {"overloaded": 1}, (500.0,))
    assert point.uncounted_causes == {"deadline": 1}


def test_a_rate_with_very_many_requests_takes_no_interval_whose_time_grows_with_their_square():
    before = median_ranks.cache_info()
    (point,) = points_of([part_of(trial([20.0] * 1237))], LIMIT_MS, 99)
    assert (point.count, point.p99_ms) == (1237, 20.0)
    assert median_ranks.cache_info() == before
