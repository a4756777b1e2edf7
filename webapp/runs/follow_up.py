"""Follow-ups: more repeats, a retry, the breaking point, a load test; after a run, on the bytes it sent.

A follow-up is stored and queued like a run: it has its own events, timing process and end. So a crash in it
can't harm the run that it follows. What it measured becomes a part of that run's report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from experiment.codec import from_dict
from experiment.records import BackendInfo, BreakingPoint, LoadCurve, Measurement, Plan, RunState, Variant
from experiment.report.additions import Session, addition_of, retry_of
from httpserver.problems import Refused
from webapp.runs.load_events import curves_in, newest
from webapp.runs.submission import Submission
from webapp.store.store import Event, Follows, Store, StoredRun
from webapp.worker.pipe import FollowUpJob, FollowUpKind, LoadOrder

OPENINGS: Final[Mapping[FollowUpKind, str]] = {
    "repeats": "Warming up.",
    "retry": "Warming up.",
    "search": "Searching for the smallest copy that keeps the answer.",
    "load": "Measuring how long one request takes without load.",
}

# What must not have changed, or the follow-up measures another server. Embedded servers get new ports at
# every start.
_SAME = (
    *("protocol", "model", "version", "runtime", "precision", "isa", "device_name", "replicas"),
    "batch_size",
)

# (id of a follow-up, number of its last event known) -> the events after that, with scores
EventsAfter = Callable[[str, int], Iterable[Event]]


def follow_up_of(
    run: StoredRun,
    report: Mapping[str, Any],
    variants: Iterable[Mapping[str, Any]],
    what: FollowUpKind,
    store: Store,
    load: LoadOrder | None = None,
) -> Submission:
    """Some variants of a run, as they were sent, to be measured further."""
    records = tuple(from_dict(Variant, row) for row in variants)
    job = FollowUpJob(run.name, report["source"]["true_label"], what, records, load)
    return Submission(job, _stored(store, run.id, job.variants), Follows(run.id, what), OPENINGS[what])


def _stored(store: Store, run_id: str, variants: Iterable[Variant]) -> Iterator[bytes]:
    """The variants' bytes, a piece at a time. Raises Refused when some are gone."""
    for variant in variants:
        pieces = store.blob(run_id, variant.id)
        if pieces is None:
            why = f"The bytes of {variant.id} are no longer stored. Start a new run."
            raise Refused("no_bytes", why, 410)
        yield from pieces


def still_the_same(before: Sequence[Mapping[str, Any]], now: Sequence[BackendInfo]) -> list[BackendInfo]:
    """The servers of a run as they are now. Raises Refused where one has become another, or is gone."""
    here = {info.name: info for info in now}
    return [_same(backend, here.get(backend["name"])) for backend in before]


def _same(before: Mapping[str, Any], now: BackendInfo | None) -> BackendInfo:
    name = before["name"]
    if now is None:
        raise Refused("backend_changed", f"{name} is no longer one of the backends. Start a new run.", 409)
    if now.state != "ready":
        why = now.detail or "It does not answer."
        raise Refused("backend_changed", f"{name} is not ready: {why} Try again when it is.", 409)
    known = [key for key in _SAME if before.get(key) is not None]  # nothing is known of one that was down
    place = [] if now.embedded else ["added_as" if now.added_as else "address"]
    for key in [*known, *place]:
        if before.get(key) != getattr(now, key):
            change = f"{key}: {before[key]}, now {getattr(now, key)}"
            why = f"{name} is no longer what the run measured ({change}). Start a new run."
            raise Refused("backend_changed", why, 409)
    return now


@dataclass(frozen=True, slots=True)
class FollowUpResults:
    """All that the follow-ups of a run measured."""

    sessions: tuple[Session, ...]
    breaking_points: tuple[BreakingPoint, ...]
    load: tuple[LoadCurve, ...]
    requests: int  # that the sessions planned, or sent where they ended early


def results_of(
    follow_ups: Sequence[tuple[str, StoredRun]],
    events_after: EventsAfter,
    measurement_in: Callable[[Event], Measurement],
) -> FollowUpResults:
    """What follow-ups that have ended measured; of several searches and loads the newest for each place.

    `follow_ups` are pairs of kind and run, oldest first.
    """
    sessions: list[Session] = []
    points: dict[str, BreakingPoint] = {}
    curves: list[LoadCurve] = []
    requests = 0
    for kind, run in follow_ups:
        if run.is_live:
            continue
        if kind == "load":  # read one by one: they may be large
            curves = newest([*curves, *curves_in(events_after(run.id, 0), run.state)])
            continue
        events = list(events_after(run.id, 0))
        if kind == "search":
            for event in events:
                if event.kind == "finding":
                    point = from_dict(BreakingPoint, json.loads(event.data))
                    points[point.backend_name] = point
            continue
        measurements = [measurement_in(event) for event in events if event.kind == "measurement"]
        is_half_a_retry = kind == "retry" and run.state != "done"  # worse than what it would replace
        if measurements and not is_half_a_retry:
            plan, state = from_dict(Plan, run.plan), cast(RunState, run.state)
            addition = addition_of(run.id, run.created_at, state, plan, run.environment, measurements)
            if kind == "retry":
                addition = retry_of(addition, plan, measurements)
            sessions.append(Session(addition, measurements))
            requests += run.requests_planned if run.state == "done" else len(measurements)
    return FollowUpResults(tuple(sessions), tuple(points.values()), tuple(curves), requests)


def stamp_of(follow_ups: Sequence[tuple[str, StoredRun]]) -> str:
    """Changes whenever one of them ends or is removed."""
    ended = [run for _, run in follow_ups if not run.is_live]
    return f"-{len(ended)}-{ended[-1].id}" if ended else ""
