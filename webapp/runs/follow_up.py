"""Follow-ups measure after a run has ended, on the bytes that it sent: more repeats, the breaking point.

To all but the reader a follow-up is a run of its own: it takes its turn in the same queue, has events,
a process and an end. So a crash in it can't touch the run that it belongs to. What it measured becomes a part
of that run's report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from experiment.codec import from_dict
from experiment.records import BackendInfo, BreakingPoint, Measurement, Plan, Variant
from experiment.report.additions import Session, addition_of, retry_of
from webapp.problems import Refused
from webapp.runs.job import Submission
from webapp.store.store import Event, Follows, Store, StoredRun
from webapp.worker.pipe import FollowUpJob, FollowUpKind

OPENINGS: Final[Mapping[FollowUpKind, str]] = {
    "repeats": "Warming up.",
    "retry": "Warming up.",
    "search": "Searching for the smallest copy that keeps the answer.",
}

# What must be as it was, or two sessions are not about the same server. Embedded ones get a new port
# at each start.
_SAME = ("protocol", "model", "version", "runtime", "precision", "isa", "device_name", "replicas")

# (id of a follow-up, number of its last event known) -> the events after that, with scores
EventsAfter = Callable[[str, int], Iterable[Event]]


def follow_up_of(
    run: StoredRun, report: Mapping[str, Any], variant_ids: Iterable[str], what: FollowUpKind, store: Store
) -> Submission:
    """Some variants of a run, as they were sent, to be measured further. Raises Refused when one is gone."""
    wanted = set(variant_ids)
    variants = tuple(from_dict(Variant, row) for row in report["variants"] if row["id"] in wanted)
    job = FollowUpJob(run.name, report["source"]["true_label"], what, variants)
    return Submission(job, _stored(store, run.id, variants), Follows(run.id, what), OPENINGS[what])


def _stored(store: Store, run_id: str, variants: Iterable[Variant]) -> Iterator[bytes]:
    """The variants' bytes; one piece of them is held at a time."""
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
    for key in [*known, *([] if now.embedded else ["address"])]:
        if before[key] != getattr(now, key):
            raise Refused(
                "backend_changed",
                f"{name} is no longer what the run measured ({key}: {before[key]}, now {getattr(now, key)}). "
                "Start a new run.",
                409,
            )
    return now


@dataclass(frozen=True, slots=True)
class FollowUpResults:
    """All that the follow-ups of a run measured."""

    sessions: tuple[Session, ...]
    breaking_points: tuple[BreakingPoint, ...]
    requests: int  # that the sessions planned, or sent where they ended early


def results_of(
    follow_ups: Sequence[tuple[str, StoredRun]],
    events_after: EventsAfter,
    measurement_in: Callable[[Event], Measurement],
) -> FollowUpResults:
    """What those that have ended measured. Of several searches the newest counts, for each backend.

    `follow_ups` are pairs of kind and run, oldest first.
    """
    sessions: list[Session] = []
    points: dict[str, BreakingPoint] = {}
    requests = 0
    for kind, run in follow_ups:
        if run.is_live:
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
            sessions.append(_session(kind, run, measurements))
            requests += run.requests_planned if run.state == "done" else len(measurements)
    return FollowUpResults(tuple(sessions), tuple(points.values()), requests)


def stamp_of(follow_ups: Sequence[tuple[str, StoredRun]]) -> str:
    """Changes whenever one of them ends or is removed."""
    ended = [run for _, run in follow_ups if not run.is_live]
    return f"-{len(ended)}-{ended[-1].id}" if ended else ""


def _session(kind: str, run: StoredRun, measurements: Sequence[Measurement]) -> Session:
    plan = from_dict(Plan, run.plan)
    state: Any = run.state
    addition = addition_of(run.id, run.created_at, state, plan, run.environment, measurements)
    if kind == "retry":
        addition = retry_of(addition, plan, measurements)
    return Session(addition, measurements)
