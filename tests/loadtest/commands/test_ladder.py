"""Where a ladder ends, and what it says: arithmetic on rungs whose rates are known."""

from __future__ import annotations

import pytest

from loadtest.cli.measured import Measured
from loadtest.commands.ladder import is_over, knee_sentence, up_to_the_knee
from loadtest.results.summary import summarise
from tests.support.load.records import load, sample


def rung(in_flight, per_s, failures=0, cause="overloaded"):
    """A second of a closed loop with that rate, and latencies that follow from it."""
    answered = [sample(number / per_s, 1e3 * in_flight / per_s) for number in range(per_s)]
    failed = [sample(0.5, cause=cause) for _ in range(failures)]
    made = load([*answered, *failed], arrivals="closed", in_flight=in_flight, seconds=1.0)
    return Measured(f"{in_flight} in flight", made, summarise(made))


RISING = [rung(1, 50), rung(2, 99), rung(4, 190)]
FLAT = [*RISING, rung(8, 195), rung(16, 189)]


def test_a_ladder_goes_on_while_the_rate_rises_and_ends_after_two_rungs_without_a_gain():
    assert [is_over(FLAT[:count]) for count in range(6)] == [False, False, False, False, False, True]
    again = [*RISING, rung(8, 191), rung(16, 260)]
    assert not is_over(again)


def test_the_knee_is_the_first_rung_that_is_as_fast_as_any():
    assert knee_sentence(FLAT) == (
        "Knee: 190/s at p50 21 ms, 4 in flight. More in flight only made it slower."
    )
    assert up_to_the_knee(FLAT) == RISING


def test_a_rung_with_more_than_1_percent_of_failures_ends_the_ladder_and_is_not_the_knee():
    failing = [*RISING, rung(8, 380, failures=4)]
    assert is_over(failing) and not is_over([*RISING, rung(8, 380, failures=3)])
    assert knee_sentence(failing) == (
        "No knee was found up to 4 in flight: 190/s at p50 21 ms, 4 in flight. "
        "With 8 in flight, more than 1 % of the requests failed."
    )
    assert up_to_the_knee(failing) == RISING


def test_a_ladder_without_a_knee_says_so():
    assert knee_sentence(RISING) == "No knee was found up to 4 in flight: 190/s at p50 21 ms, 4 in flight."


@pytest.mark.parametrize("done", [[], [rung(1, 1, failures=9)]])
def test_a_ladder_without_a_usable_rung_has_no_knee(done):
    assert knee_sentence(done) == "" and up_to_the_knee(done) == done


def test_a_knee_that_was_passed_before_requests_failed_is_one():
    failing = [*RISING, rung(8, 191), rung(16, 250, failures=90)]
    assert knee_sentence(failing).startswith("Knee: 190/s at p50 21 ms, 4 in flight. With 16 in flight, more")


def test_a_target_that_went_away_is_a_failure_of_the_ladder_and_not_its_end():
    gone = [*RISING, rung(8, 10, failures=900, cause="unreachable")]
    assert up_to_the_knee(gone) == gone
