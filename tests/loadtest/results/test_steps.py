"""Loads of several parts: one file, from which each part can be read again."""

from __future__ import annotations

import json
from dataclasses import replace

from experiment.export.schema_check import problems
from loadtest.results.load_json import SCHEMA, load_dict, load_json
from loadtest.results.steps import joined, loads_of, steps, summary_of_steps
from loadtest.results.summary import summarise
from tests.support.load.records import load, sample, samples


def part(taken, started_at, **changes):
    made = load(taken, **{"kind": "ladder", "arrivals": "closed", "offered_per_s": None} | changes)
    return replace(made, taken=replace(made.taken, started_at=started_at))


PARTS = [
    part(samples(10), 1_780_000_000.0, in_flight=1, seconds=1.0),
    part([*samples(20), sample(1, cause="deadline")], 1_780_000_005.5, in_flight=2, seconds=2.0),
    part(samples(5), 1_780_000_001.0, in_flight=4, seconds=3.0),  # the clock was set back meanwhile
]
SUMMARIES = [summarise(each) for each in PARTS]


def stored():
    whole, summary = joined(PARTS, "ladder"), summary_of_steps(PARTS, SUMMARIES)
    return json.loads(load_json(load_dict(whole, summary, steps=steps(PARTS, SUMMARIES))))


def test_the_requests_of_all_steps_follow_one_another_on_one_clock():
    found = stored()
    assert [step["start_s"] for step in found["steps"]] == [0, 5.5, 7.5]
    assert [step["first_request"] for step in found["steps"]] == [0, 10, 31]
    assert len(found["requests"]) == 36 and found["seconds"] == 10.5
    due_s = [request["due_s"] for request in found["requests"]]
    assert due_s == sorted(due_s)
    assert list(problems(found, SCHEMA)) == []


def test_a_mixture_of_loads_has_counts_but_no_percentiles():
    summary = stored()["summary"]
    assert (summary["count"], summary["failures"], summary["causes"]) == (36, 1, {"deadline": 1})
    assert summary["achieved_per_s"] == round(35 / 6, 6)
    assert [summary[key] for key in ("p50_ms", "p90_ms", "p99_ms", "max_ms")] == [None] * 4


def test_the_verdict_is_that_of_the_worst_step():
    assert summary_of_steps(PARTS, SUMMARIES).validity == "NOISY"
    assert "1 of 21 requests failed" in stored()["reasons"][0]


def test_every_step_is_read_back_as_the_load_that_it_was():
    again = loads_of(stored())
    assert [summarise(each) for each in again] == SUMMARIES
    assert [each.in_flight for each in again] == [1, 2, 4]
    assert [each.taken.samples[0].due_s for each in again] == [0, 0, 0]


def test_a_load_without_steps_is_read_back_as_one():
    asked = load(samples(3))
    (again,) = loads_of(json.loads(load_json(load_dict(asked, summarise(asked)))))
    assert summarise(again) == summarise(asked)


def test_no_request_is_due_before_its_step_starts_whatever_the_clock_said():
    first, later = part(samples(3), 1_780_000_000.0), part([sample(0.0)] * 3, 1_780_000_007.123_456_7)
    figures = [summarise(first), summarise(later)]
    whole = load_dict(joined([first, later], "ladder"), figures[0], steps=steps([first, later], figures))
    assert {each.due_s for each in loads_of(json.loads(load_json(whole)))[1].taken.samples} == {0}
