"""The same report judged by other goals: they choose among what was measured, so nothing is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.codec import from_dict, to_dict
from experiment.errors import PlanRefused
from experiment.measure.plan import parse_plan
from experiment.photo_sets.goals import margin_points
from experiment.photo_sets.recommendation import recommend_for_set
from experiment.records import BackendInfo, Cell, PhotoSetFacts, Plan, Recommendation, Variant
from experiment.report.method import method
from experiment.report.recommendation import recommend

NUMBERS = {"max_p50_ms": "no such goal", "max_size_bytes": "no such goal", "margin_points": "the usual one"}
NO_GOAL = "none"
TRUTH = {"true": True, "false": False}


def goals_in(query: Mapping[str, str]) -> dict[str, Any]:
    """The goals that a query names, as a plan has them: `max_p50_ms=20`, or `=none`; `keep_top1=false`.

    `margin_points=none` is the usual margin, since none at all is 100.

    What it does not name stays as the run had it. Raises PlanRefused.
    """
    asked = {key: _number(key, query[key]) for key in NUMBERS if query.get(key)}
    if keep := query.get("keep_top1"):
        if keep not in TRUTH:
            raise PlanRefused(["keep_top1 must be true or false."])
        asked["keep_top1"] = TRUTH[keep]
    checked = parse_plan({key: value for key, value in asked.items() if value is not None})
    return {key: getattr(checked, key) for key in asked}


def _number(key: str, text: str) -> float | None:
    """Whole where it is whole: bytes are counted."""
    if text == NO_GOAL:
        return None
    try:
        number = float(text)
    except ValueError:
        raise PlanRefused([f"{key} must be a number, or {NO_GOAL} for {NUMBERS[key]}."]) from None
    return int(number) if number.is_integer() else number


def with_goals(report: Mapping[str, Any], goals: Mapping[str, Any]) -> dict[str, Any]:
    """The exported report as it would be, had its plan had these goals from the start."""
    if not goals:
        return dict(report)
    return judged({**report, "plan": {**report["plan"], **goals}})


def judged(report: Mapping[str, Any]) -> dict[str, Any]:
    """The exported report with what its plan's goals recommend, and the method to that."""
    plan, photo_set = from_dict(Plan, report["plan"]), report.get("photo_set")
    if photo_set is not None:
        photo_set = {**photo_set, "margin_points": margin_points(plan, photo_set["labelled"] > 0)}
        report = {**report, "photo_set": photo_set}
    return {**report, "recommendation": to_dict(_recommended(report, plan)), "method": method(report)}


def _recommended(report: Mapping[str, Any], plan: Plan) -> Recommendation:
    state, photo_set = report["state"], report.get("photo_set")
    variants = [from_dict(Variant, each) for each in report["variants"]]
    backends = [from_dict(BackendInfo, each) for each in report["backends"]]
    cells = [from_dict(Cell, each) for each in report["cells"]]
    if photo_set is not None:
        facts = from_dict(PhotoSetFacts, photo_set)
        return recommend_for_set(plan, state, facts, variants, backends, cells)
    return recommend(plan, state, report["source"]["true_label"], variants, backends, cells)
