"""Other goals than a run's own, as a query names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.errors import PlanRefused
from experiment.measure.plan import parse_plan

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
    if text == NO_GOAL:
        return None
    try:
        number = float(text)
    except ValueError:
        raise PlanRefused([f"{key} must be a number, or {NO_GOAL} for {NUMBERS[key]}."]) from None
    return int(number) if number.is_integer() else number  # bytes are counted
