"""The same report judged by other goals: they choose among what was measured, so nothing is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.codec import from_dict, to_dict
from experiment.decide.evidence import evidence
from experiment.photo_sets.goals import margin_points
from experiment.photo_sets.recommendation import recommend_for_set
from experiment.records import PhotoSetFacts
from experiment.report.goals import results_of
from experiment.report.method import method
from experiment.report.recommendation import recommend

GOALS = ("max_p50_ms", "max_size_bytes", "margin_points", "keep_top1", "copies", "uplink_mbit_s")


def with_goals(report: Mapping[str, Any], goals: Mapping[str, Any]) -> dict[str, Any]:
    """The exported report as it would be, had its plan had these goals from the start."""
    if not goals:
        return dict(report)
    return judged({**report, "plan": {**report["plan"], **goals}})


def judged(report: Mapping[str, Any]) -> dict[str, Any]:
    """The exported report with what its plan's goals recommend, and the method to that."""
    results, photo_set = results_of(report), report.get("photo_set")
    if photo_set is None:
        chosen = recommend(results)
    else:
        photo_set = {**photo_set, "margin_points": margin_points(results.plan, photo_set["labelled"] > 0)}
        report = {**report, "photo_set": photo_set}
        chosen = recommend_for_set(results, from_dict(PhotoSetFacts, photo_set))
    made = {**report, "recommendation": to_dict(chosen), "method": method(report)}
    return {**made, "evidence": evidence(made)}
