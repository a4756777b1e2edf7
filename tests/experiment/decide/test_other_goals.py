"""A report judged by other goals is the report that those goals would have given from the start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiment.decide.other_goals import with_goals
from experiment.errors import PlanRefused
from experiment.export.report_json import report_dict
from experiment.records import Plan
from tests.support.records import report, sample_report
from tests.support.set_records import PLAN, photos, summary
from webapp.routes.downloads import goals_in

GOALS = [
    {"keep_top1": False},
    {"max_p50_ms": 20.0},
    {"max_size_bytes": 20_000},
    {"keep_top1": False, "max_p50_ms": 1.0, "max_size_bytes": 10},  # nothing meets these
    {"max_p50_ms": None, "keep_top1": True},
    {"margin_points": 30.0},
    {"margin_points": 0.0},
    {"margin_points": None},
]


@pytest.mark.parametrize("goals", GOALS)
@pytest.mark.parametrize("own", [{}, {"max_p50_ms": 15.0, "keep_top1": False}, {"margin_points": 20.0}])
def test_other_goals_give_what_they_would_have_given_from_the_start(own, goals):
    measured = sample_report(plan=Plan(seed=7, **own))
    from_the_start = sample_report(plan=Plan(seed=7, **own | goals))
    assert with_goals(report_dict(measured), goals) == report_dict(from_the_start)


@pytest.mark.parametrize("goals", GOALS)
def test_the_same_holds_for_a_set_of_photos(goals):
    answers = photos(both=300, lost=1, neither=20)
    measured = report_dict(summary(answers))
    from_the_start = report_dict(summary(answers, plan=replace(PLAN, **goals)))
    assert with_goals(measured, goals) == from_the_start
    assert measured["recommendation"]["variant_id"]


def test_a_run_without_any_answer_has_no_choice_by_any_goals():
    made = with_goals(report_dict(report()), {"max_p50_ms": 20.0})
    assert made["recommendation"]["variant_id"] is None


def test_without_other_goals_the_report_stays_as_it_is():
    measured = report_dict(sample_report())
    assert with_goals(measured, goals_in({"theme": "dark"})) == measured


def test_a_query_names_goals_as_a_plan_has_them():
    query = {"max_p50_ms": "12.5", "max_size_bytes": "20000", "keep_top1": "false", "x": "bytes"}
    assert goals_in(query) == {"max_p50_ms": 12.5, "max_size_bytes": 20_000, "keep_top1": False}
    assert goals_in({"max_p50_ms": "none", "max_size_bytes": ""}) == {"max_p50_ms": None}
    assert goals_in({"margin_points": "0"}) == {"margin_points": 0.0}
    assert goals_in({"margin_points": "none"}) == {"margin_points": None}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"max_p50_ms": "fast"}, "max_p50_ms must be a number, or none"),
        ({"max_p50_ms": "0"}, "max_p50_ms must be"),
        ({"max_p50_ms": "nan"}, "max_p50_ms must be"),
        ({"max_size_bytes": "1.5"}, "max_size_bytes must be"),
        ({"max_size_bytes": "-1"}, "max_size_bytes must be"),
        ({"keep_top1": "perhaps"}, "keep_top1 must be true or false"),
        ({"margin_points": "some"}, "margin_points must be a number, or none for the usual one"),
        ({"margin_points": "-0.1"}, "margin_points must be a number from 0 to 100"),
        ({"margin_points": "100.1"}, "margin_points must be a number from 0 to 100"),
        ({"margin_points": "nan"}, "margin_points must be a number from 0 to 100"),
    ],
)
def test_what_is_no_goal_is_refused_in_a_sentence(query, words):
    with pytest.raises(PlanRefused, match=words):
        goals_in(query)
