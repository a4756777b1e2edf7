"""Schedules: when requests are due, and what can't be one."""

from __future__ import annotations

import itertools
import json
from statistics import mean, stdev

import pytest

from loadtest.arrivals.files import from_intervals, is_json, read_intervals, read_recorded
from loadtest.arrivals.limits import check_rate
from loadtest.arrivals.schedules import even, mean_rate, poisson
from loadtest.arrivals.steps import Step, stepped, steps_of
from loadtest.errors import LoadRefused


def gaps(schedule):
    return [later - earlier for earlier, later in itertools.pairwise(schedule)]


def test_an_even_schedule_has_its_rate_and_no_other_gap():
    schedule = even(50, 4)
    assert len(schedule) == 200 and gaps(schedule) == pytest.approx([0.02] * 199)


def test_a_poisson_schedule_has_exponential_gaps_and_is_the_same_for_the_same_seed():
    schedule = poisson(100, 100, seed=1)
    assert schedule == poisson(100, 100, seed=1) != poisson(100, 100, seed=2)
    assert schedule == sorted(schedule) and schedule[-1] < 100
    # Mean and standard deviation of an exponential distribution are equal; within 5 sigma of 10,000 gaps.
    assert mean(gaps(schedule)) == pytest.approx(0.01, rel=0.05)
    assert stdev(gaps(schedule)) == pytest.approx(0.01, rel=0.08)


def test_steps_follow_one_another_each_with_its_rate():
    schedule = stepped(steps_of("10:5, 100:1,10:5"))
    assert [sum(low <= due < high for due in schedule) for low, high in ((0, 5), (5, 6), (6, 11))] == [
        50,
        100,
        50,
    ]
    assert schedule == sorted(schedule)


def test_steps_may_be_of_independent_users_too():
    schedule = stepped([Step(100, 10), Step(400, 10)], seed=3)
    before = sum(due < 10 for due in schedule)
    assert 800 < before < 1200 and 3600 < len(schedule) - before < 4400
    assert schedule == sorted(schedule) == stepped([Step(100, 10), Step(400, 10)], seed=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10:5,abc:5", "Step 2 of --steps, `abc:5`, is not rate:seconds."),
        ("10", "It has no colon."),
        ("", "Step 1"),
        ("10:5,", "Step 2"),
        ("0:5", "A rate of 0/s"),
        ("-1:5", "A rate of -1/s"),
        ("10:0", "can't take 0 s"),
        ("nan:5", "A rate of nan/s"),
        ("10:inf", "can't take inf s"),
        ("90000:10,90000:10", "would be 1,800,000 requests"),
    ],
)
def test_steps_that_can_not_be_sent_are_refused_with_the_place(text, words):
    with pytest.raises(LoadRefused) as refused:
        steps_of(text)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("rate_per_s", "seconds", "words"),
    [
        (0, 10, "A rate of 0/s"),
        (1e9, 10, "A rate of 1,000,000,000/s"),
        (float("nan"), 10, "A rate of nan/s"),
        (10, 0, "can't take 0 s"),
        (1, 1e6, "can't take 1,000,000 s"),
        (1000, 3600, "1,000/s for 3,600 s would be 3,600,000 requests"),
        (0.01, 10, "would not be a single request"),
    ],
)
def test_a_rate_that_can_not_be_sent_or_kept_is_refused(rate_per_s, seconds, words):
    with pytest.raises(LoadRefused) as refused:
        check_rate(rate_per_s, seconds)
    assert words in refused.value.message


def file(folder, content):
    path = folder / "arrivals"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content", ["100000\n0\n50000.5\n", "100000\r\n0\r\n50000.5", "\ufeff100000\n0\n50000.5\n\n"]
)
def test_intervals_are_microseconds_one_in_each_line(tmp_path, content):
    intervals = read_intervals(file(tmp_path, content))
    assert intervals == [100_000, 0, 50_000.5]
    assert from_intervals(intervals) == pytest.approx([0, 0.1, 0.1, 0.1500005])


def test_intervals_are_used_again_until_the_time_is_over():
    assert from_intervals([100_000, 200_000], seconds=0.75) == pytest.approx([0, 0.1, 0.3, 0.4, 0.6, 0.7])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("100\n2o0\n", "`2o0` in line 2 of "),
        ("100\n\n200\n", "There is nothing in line 2 of "),
        ("100\n-5\n", "`-5` in line 2 of "),
        ("100\nnan\n", "`nan` in line 2 of "),
        ("1e300\n", "`1e300` in line 1 of "),
        ("", "is empty"),
        (" \n\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is not text"),
    ],
)
def test_intervals_that_are_none_are_refused_with_the_line(tmp_path, content, words):
    with pytest.raises(LoadRefused) as refused:
        read_intervals(file(tmp_path, content))
    assert words in refused.value.message


def test_intervals_that_never_end_are_refused():
    with pytest.raises(LoadRefused, match="All intervals are 0"):
        from_intervals([0, 0], seconds=1)
    with pytest.raises(LoadRefused, match="at most 1,000,000 are kept"):
        from_intervals([1], seconds=10)
    with pytest.raises(LoadRefused, match="a load may take 86,400 s"):
        from_intervals([86_400_000_000.0, 1.0])


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(LoadRefused, match="can't be read: No such file"):
        read_intervals(tmp_path / "none")
    with pytest.raises(LoadRefused, match="can't be read: Is a directory"):
        is_json(tmp_path)


START_NS = 1_780_000_000_123_456_789
PROFILE = {
    "service_kind": "triton",
    "experiments": [
        {
            "experiment": {"mode": "request_rate", "value": 10},
            "requests": [
                {"timestamp": START_NS + 250_000_000, "response_timestamps": [START_NS + 260_000_000]},
                {"timestamp": START_NS, "response_timestamps": [START_NS + 9_000_000]},
                {"timestamp": START_NS + 1_000, "response_timestamps": []},
            ],
        }
    ],
}


def test_a_profile_of_perf_analyzer_is_replayed_from_its_first_request_on(tmp_path):
    path = file(tmp_path, json.dumps(PROFILE))
    assert is_json(path)
    assert read_recorded(path) == pytest.approx([0, 1e-6, 0.25], abs=1e-12)


def test_a_load_of_ours_is_replayed_as_it_was_due(tmp_path):
    requests = [{"due_s": due_s, "sent_s": due_s + 1} for due_s in (0.5, 0.75, 2)]
    assert read_recorded(file(tmp_path, json.dumps({"requests": requests}))) == [0, 0.25, 1.5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "ends too early in line 1"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a recorded load"),
        ("{}", "no requests with their due_s"),
        ('{"experiments": []}', "no requests with their timestamp"),
        ('{"experiments": [{"requests": []}]}', "has no requests"),
        ('{"experiments": [{"requests": [{"timestamp": 1}, {"timestamp": "x"}]}]}', "Request 2 of"),
        ('{"requests": [{"due_s": -1}]}', "Request 1 of"),
        ('{"requests": [{"due_s": NaN}]}', "Request 1 of"),
        ('{"requests": [{"due_s": 0}, {"due_s": 1e6}]}', "goes on for 1,000,000 s"),
    ],
)
def test_a_file_that_is_no_recorded_load_is_refused_with_the_place(tmp_path, content, words):
    with pytest.raises(LoadRefused) as refused:
        read_recorded(file(tmp_path, content))
    assert words in refused.value.message


@pytest.mark.parametrize("time", ["1" + "0" * 400, "1e300"])
def test_a_time_that_no_clock_has_is_refused_in_a_short_sentence(tmp_path, time):
    content = f'{{"experiments": [{{"requests": [{{"timestamp": {time}}}, {{"timestamp": 5}}]}}]}}'
    with pytest.raises(LoadRefused) as refused:
        read_recorded(file(tmp_path, content))
    assert "Request 1 of" in refused.value.message and len(refused.value.message) < 250


def test_the_mean_rate_of_a_schedule_counts_its_intervals_not_its_requests():
    assert mean_rate([0.0, 0.1, 0.2]) == pytest.approx(10)
    assert mean_rate([0.0, 0.0]) is None
