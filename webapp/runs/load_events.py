"""Curves of load tests from the events of a follow-up, whether it goes on, has ended or was cut off."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from experiment.codec import from_dict
from experiment.records import LoadCurve, LoadLoop, LoadOutcome, LoadTrial, is_live
from experiment.under_load.load_points import TrialPart, part_of, points_of
from webapp.store.store import Event

_CUT_OFF: Final[dict[bool, tuple[LoadOutcome, str]]] = {
    True: ("cancelled", "unknown: stopped before the capacity was found"),
    False: ("failed", "unknown: the load test ended early"),
}
_UNKNOWN: Final = {"cancelled", "failed"}


def curves_in(events: Iterable[Event], state: str) -> list[LoadCurve]:
    """The curves of one follow-up in `state`, each with the points of all trials so far."""
    curves: dict[tuple[str, str], LoadCurve] = {}
    trials: dict[tuple[str, str], list[TrialPart]] = defaultdict(list)
    loops: dict[tuple[str, str], list[LoadLoop]] = defaultdict(list)
    for event in events:
        if event.kind == "curve":
            curve = from_dict(LoadCurve, json.loads(event.data))
            curves[curve.key] = curve
        elif event.kind in {"trial", "loop"}:
            told, requests = json.loads(event.data), json.loads(event.scores or "{}")
            key = told["variant_id"], told["backend_name"]
            if event.kind == "trial":
                trials[key].append(part_of(from_dict(LoadTrial, requests)))
            else:
                loops[key].append(from_dict(LoadLoop, requests))
    return [
        replace(
            _ended(curve, state),
            points=points_of(trials[key], curve.limit_ms, curve.percentile),
            closed_loops=tuple(loops[key]),
        )
        for key, curve in curves.items()
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
