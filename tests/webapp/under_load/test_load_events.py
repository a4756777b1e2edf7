"""Curves from the events of a load test: while it goes on, when it has ended, and where it was cut off."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from experiment.codec import to_dict
from experiment.records import LoadLoop, LoadTrial
from tests.support.records import load_curve
from webapp.runs.load_events import curves_in, newest
from webapp.store.store import Event

NOTHING = {"per_s": None, "low_per_s": None, "high_per_s": None, "knee_per_s": None, "points": ()}
BEGUN = load_curve(outcome="measuring", sentence="the search for the capacity goes on", **NOTHING)
FOUND = load_curve(points=())
TRIAL = LoadTrial(
    offered_per_s=10.0,
    seconds=0.3,
    settled_s=0.0,
    due_s=(0.0, 0.1, 0.2),
    late_ms=(0.0,) * 3,
    latency_ms=(20.0, 21.0, 22.0),
)


def events(*found: Any) -> list[Event]:
    made = []
    for number, each in enumerate(found):
        if isinstance(each, LoadTrial | LoadLoop):
            told = {"variant_id": "original", "backend_name": "8 CPU"}
            kind = "trial" if isinstance(each, LoadTrial) else "loop"
            made.append(Event(number, kind, json.dumps(told), json.dumps(to_dict(each))))
        else:
            made.append(Event(number, "curve", json.dumps(to_dict(each)), None))
    return [*made, Event(99, "progress", "{}", None)]


def test_while_it_goes_on_a_curve_has_the_points_so_far():
    (curve,) = curves_in(events(BEGUN, TRIAL), "running")
    assert curve.outcome == "measuring"
    assert [point.samples_ms for point in curve.points] == [(20.0, 21.0, 22.0)]


def test_when_it_has_ended_a_curve_has_its_capacity_and_all_points():
    (curve,) = curves_in(events(BEGUN, TRIAL, replace(TRIAL, offered_per_s=20.0), FOUND), "done")
    assert (curve.outcome, curve.per_s) == ("found", 41.0)
    assert [point.offered_per_s for point in curve.points] == [10.0, 20.0]


@pytest.mark.parametrize(("state", "outcome"), [("cancelled", "cancelled"), ("failed", "failed")])
def test_cut_off_it_keeps_what_was_measured_and_says_so(state, outcome):
    (curve,) = curves_in(events(BEGUN, TRIAL), state)
    assert (curve.outcome, len(curve.points)) == (outcome, 1)
    assert curve.sentence.startswith("unknown: ")


def test_the_newest_curve_of_a_cell_counts():
    later = replace(FOUND, per_s=42.0)
    assert newest([FOUND, later]) == [later]
    assert newest([FOUND, replace(later, backend_name="GPU")])[0] == FOUND


def test_a_curve_that_was_cut_off_does_not_replace_one_with_an_answer():
    stopped = replace(BEGUN, outcome="cancelled")
    assert newest([FOUND, stopped]) == [FOUND]
    assert newest([stopped, replace(stopped, outcome="failed")])[0].outcome == "failed"
    assert newest([stopped, FOUND]) == [FOUND]


def test_requests_before_the_search_are_kept_also_where_it_was_cut_off():
    loop = LoadLoop(1, 0.5, count=2, failures=0, samples_ms=(20.0, 21.0))
    (curve,) = curves_in(events(BEGUN, loop), "cancelled")
    assert (curve.outcome, curve.points, curve.closed_loops) == ("cancelled", (), (loop,))
