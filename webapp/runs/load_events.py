"""Curves of load tests from the events of a follow-up, whether it goes on, has ended or was cut off."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from experiment.codec import from_dict
from experiment.records import LoadCurve, LoadOutcome, LoadTrial, is_live
from experiment.report.load import points_of
from webapp.store.store import Event

_CUT_OFF: Final[dict[bool, tuple[LoadOutcome, str]]] = {
    True: ("cancelled", "unknown: stopped before the capacity was found"),
    False: ("failed", "unknown: the load test ended early"),
}
_UNKNOWN: Final = {"cancelled", "failed"}


def curves_in(events: Iterable[Event], state: str) -> list[LoadCurve]:
    """The curves of one follow-up in `state`, each with the points of all trials so far."""
    curves: dict[tuple[str, str], LoadCurve] = {}
    trials: dict[tuple[str, str], list[LoadTrial]] = defaultdict(list)
    for event in events:
        if event.kind == "curve":
            curve = from_dict(LoadCurve, json.loads(event.data))
            curves[curve.key] = curve
        elif event.kind == "trial":
            told = json.loads(event.data)
            trial = from_dict(LoadTrial, json.loads(event.scores or "{}"))
            trials[told["variant_id"], told["backend_name"]].append(trial)
    return [
        replace(_ended(curve, state), points=points_of(trials[curve.key], curve.limit_ms, curve.percentile))
        for curve in curves.values()
    ]


def _ended(curve: LoadCurve, state: str) -> LoadCurve:
    """The curve as it stays where its follow-up was cut off."""
    if curve.outcome != "measuring" or is_live(state):
        return curve
    outcome, sentence = _CUT_OFF[state == "cancelled"]
    return replace(curve, outcome=outcome, sentence=sentence)


def newest(curves: Iterable[LoadCurve]) -> list[LoadCurve]:
    """The last curve of each cell; one that was cut off does not take the place of one with an answer."""
    found: dict[tuple[str, str], LoadCurve] = {}
    for curve in curves:
        if curve.outcome not in _UNKNOWN or found.get(curve.key, curve).outcome in _UNKNOWN:
            found[curve.key] = curve
    return list(found.values())
