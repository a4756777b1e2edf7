"""What follow-ups add to the report of their run, read from their events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from experiment.codec import from_dict
from experiment.records import BreakingPoint, Measurement, Plan
from experiment.report.additions import Session, addition_of, retry_of
from webapp.runs.follow_up import REPEATS, RETRY, SEARCH
from webapp.store.store import Event, StoredRun

# (id of a follow-up, number of its last event known) -> the events after that, with scores
EventsAfter = Callable[[str, int], Iterable[Event]]


@dataclass(frozen=True, slots=True)
class Later:
    """All that was measured after a run had ended."""

    sessions: tuple[Session, ...]
    breaking_points: tuple[BreakingPoint, ...]
    requests: int  # that the sessions planned, or sent where they ended early


def later_of(
    follow_ups: Sequence[tuple[str, StoredRun]],
    events_after: EventsAfter,
    measurement_in: Callable[[Event], Measurement],
) -> Later:
    """Those that have ended. Of several searches the newest finding counts, for each backend."""
    ended = [(kind, run) for kind, run in follow_ups if not run.is_live]
    sessions: list[Session] = []
    points: dict[str, BreakingPoint] = {}
    requests = 0
    for kind, run in ended:
        found = list(events_after(run.id, 0))
        if kind in {REPEATS, RETRY}:
            taken = [measurement_in(each) for each in found if each.kind == "measurement"]
            if taken and (
                kind == REPEATS or run.state == "done"
            ):  # half a retry is worse than what it replaces
                sessions.append(_session(kind, run, taken))
                requests += run.requests_planned if run.state == "done" else len(taken)
        elif kind == SEARCH:
            points |= {point.backend_name: point for point in _points(found)}
    return Later(tuple(sessions), tuple(points.values()), requests)


def stamp_of(follow_ups: Sequence[tuple[str, StoredRun]]) -> str:
    """Changes whenever one of them ends or is removed."""
    ended = [run for _, run in follow_ups if not run.is_live]
    return f"-{len(ended)}-{ended[-1].id}" if ended else ""


def _session(kind: str, run: StoredRun, taken: Sequence[Measurement]) -> Session:
    plan = from_dict(Plan, run.plan)
    state: Any = run.state
    addition = addition_of(run.id, run.created_at, state, plan, run.environment, taken)
    return Session(retry_of(addition, plan, taken) if kind == RETRY else addition, taken)


def _points(found: Iterable[Event]) -> Iterable[BreakingPoint]:
    for each in found:
        if each.kind == "finding":
            yield from_dict(BreakingPoint, json.loads(each.data))
