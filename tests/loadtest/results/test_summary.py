"""From samples to figures, and to the verdict on them."""

from __future__ import annotations

from dataclasses import replace
from socket import gethostname

import numpy as np
import pytest

from experiment.records import BackendInfo
from loadtest.results.over_time import over_time
from loadtest.results.summary import summarise
from loadtest.send.open_loop import FULL, MOST_IN_FLIGHT
from loadtest.send.recording import CANCELLED
from tests.support.load.records import load, sample, samples


def test_percentiles_are_those_of_the_answered_requests_and_rates_count_the_failed_ones():
    taken = [*samples(900), *(sample(9 + number / 100, 5000, cause="deadline") for number in range(100))]
    found = summarise(load(taken, seconds=10.0))
    answered_ms = [10 + number / 10 for number in range(900)]
    assert (found.count, found.failures, found.causes) == (1000, 100, {"deadline": 100})
    assert found.achieved_per_s == 90.0
    assert [found.p50_ms, found.p90_ms, found.p99_ms] == pytest.approx(
        np.percentile(answered_ms, [50, 90, 99])
    )
    assert found.max_ms == pytest.approx(99.9)


@pytest.mark.parametrize(
    ("count", "has_p90", "has_p99"),
    [(63, False, False), (64, True, False), (661, True, False), (662, True, True)],
)
def test_a_percentile_is_unknown_below_the_answers_that_it_needs(count, has_p90, has_p99):
    found = summarise(load(samples(count)))
    assert (found.p90_ms is not None, found.p99_ms is not None) == (has_p90, has_p99)


def test_goodput_counts_right_images_and_is_unknown_where_nobody_knows_what_is_right():
    right = [sample(number / 10, right=4 if number % 2 else 3) for number in range(10)]
    assert summarise(load(right, seconds=2.0)).goodput_per_s == 17.5
    assert summarise(load(samples(10))).goodput_per_s is None


def test_a_load_on_another_machine_that_was_sent_in_time_is_valid_without_reasons():
    found = summarise(load(samples(700, late_ms=0.4)))
    assert (found.validity, found.reasons) == ("VALID", ())


@pytest.mark.parametrize(
    ("count", "every", "percent"), [(50, 1, "50 %"), (200, 8, "10 %"), (1000, 50, "1 %")]
)
def test_a_late_generator_makes_the_figures_invalid_and_says_by_how_much(count, every, percent):
    taken = samples(count)
    for number in range(0, count, every):
        taken[number] = sample(number / 100, 10 + number / 10, late_ms=30)
    found = summarise(load(taken))
    assert found.validity == "INVALID"
    assert f"it sent {percent} of the requests more than 30 ms after their time" in found.reasons[0]


def test_lateness_is_held_against_the_latency_so_that_a_slow_server_excuses_some():
    assert summarise(load([sample(n / 100, 400, late_ms=15) for n in range(100)])).validity == "VALID"
    assert summarise(load([sample(n / 100, 100, late_ms=15) for n in range(100)])).validity == "INVALID"


def test_a_few_late_requests_do_not_touch_a_percentile_that_they_are_not_in():
    assert summarise(load([sample(0, 10, late_ms=50), *samples(40)[1:]])).validity == "VALID"
    stalled = [sample(9 + n / 100, 500, late_ms=20) for n in range(50)]  # 20 ms of a p99 of 500
    assert summarise(load([*samples(900), *stalled])).validity == "VALID"


def test_a_rate_that_the_generator_does_not_reach_is_named_with_the_rate_that_it_reached():
    taken = [sample(number / 5000, late_ms=number * (1 / 3200 - 1 / 5000) * 1e3) for number in range(2000)]
    (reason, *_) = summarise(load(taken)).reasons
    assert reason.startswith("Asked 5,000/s, sent 3,200/s: this machine can't generate the rate.")


def test_a_closed_loop_has_no_schedule_to_be_late_for():
    taken = [sample(number / 100, late_ms=50) for number in range(100)]
    assert summarise(load(taken, arrivals="closed", in_flight=4)).validity == "VALID"


def test_a_generator_that_used_its_whole_core_makes_the_figures_invalid():
    found = summarise(load(samples(700), cpu_percent=97.0))
    assert found.validity == "INVALID" and "97 % of one core" in found.reasons[0]
    assert summarise(load(samples(20), cpu_percent=97.0)).validity == "VALID"  # over in 0.2 s


def test_a_load_that_filled_up_with_unanswered_requests_is_invalid_but_one_stopped_by_hand_is_not():
    full = summarise(load(samples(10), stopped=FULL.format(MOST_IN_FLIGHT)))
    assert full.validity == "INVALID" and "lower it" in full.reasons[0]
    by_hand = summarise(load(samples(10), stopped=CANCELLED))
    assert (by_hand.validity, by_hand.reasons) == ("VALID", (CANCELLED,))


def test_failures_are_named_with_their_share_causes_and_the_first_message():
    taken = [*samples(97), *(sample(1 + number / 100, cause="overloaded") for number in range(3))]
    found = summarise(load(taken, messages={"overloaded": "GPU is overloaded"}))
    assert found.validity == "NOISY"
    assert found.reasons[0].startswith("3 of 100 requests failed (3 %: 3 x overloaded).")
    assert found.reasons[0].endswith("GPU is overloaded.")
    one = summarise(load([*samples(199), sample(2, cause="overloaded")]))
    assert one.validity == "VALID" and one.reasons[0].startswith("1 of 200 requests failed (0.5 %")


def test_a_load_without_an_answer_is_invalid():
    assert summarise(load([sample(0, cause="unreachable")])).validity == "INVALID"
    assert summarise(load([])).reasons == ("No request was sent.",)


@pytest.mark.parametrize(
    "target",
    [
        BackendInfo("1 CPU", address="127.0.0.1:8500", embedded=True),
        BackendInfo("GPU", address="localhost:8500"),
    ],
)
def test_a_target_on_the_generators_machine_is_marked_always(target):
    found = summarise(load(samples(700), target=target))
    assert found.validity == "VALID"
    assert f"{target.name} ran on the machine that generated the load" in found.reasons[-1]


def test_over_time_has_a_row_for_every_second_with_failures_and_only_sure_percentiles():
    taken = [
        *samples(100),
        sample(2.5, cause="deadline", in_flight=7),
        *(sample(4 + n / 10, 7) for n in range(5)),
    ]
    rows = over_time(taken)
    assert [(row.start_s, row.requests, row.failures) for row in rows] == [(0, 100, 0), (2, 1, 1), (4, 5, 0)]
    assert [row.p50_ms for row in rows] == [pytest.approx(14.95), None, 7]
    assert [row.p90_ms is None for row in rows] == [False, True, True]
    assert [row.p99_ms for row in rows] == [None, None, None]
    assert rows[1].in_flight_max == 7


@pytest.mark.parametrize(
    "address", ["127.0.0.2:1", "[::1]:1", "10.255.255.1:1,127.0.0.1:2", f"{gethostname()}:1"]
)
def test_every_address_of_this_machine_and_every_replica_on_it_is_marked(address):
    found = summarise(load(samples(700), target=BackendInfo("GPU", address=address)))
    assert "ran on the machine that generated the load" in found.reasons[-1]


def test_nearly_all_requests_are_not_written_as_a_power_of_ten():
    found = summarise(load([sample(0), *(sample(1, cause="unreachable") for _ in range(999))]))
    assert found.reasons[0].startswith("999 of 1,000 requests failed (99.9 %: 999 x unreachable).")


def test_a_label_that_no_answer_has_is_doubted():
    asked = load(samples(5, right=0), payload=replace(load([]).payload, expected=(("Tabby",),)))
    assert "Not one image was answered with the label Tabby" in " ".join(summarise(asked).reasons)
    assert "Tabby" not in " ".join(summarise(load(samples(5, right=1), payload=asked.payload)).reasons)
