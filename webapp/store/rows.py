"""What the store gives out and takes: a run's row, an event, and which runs are follow-ups of which."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Row, Select, func, select

from experiment.records import LIVE_STATES, is_live
from webapp.store.tables import follow_ups, runs

IS_FOLLOW_UP = runs.c.id.in_(select(follow_ups.c.run_id))


class Follows(NamedTuple):
    """What a follow-up belongs to."""

    run_id: str
    kind: str


class Event(NamedTuple):
    """One thing that happened. `data` is JSON text; `seq` counts from 1 within the run."""

    seq: int
    kind: str
    data: str
    scores: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The row of one run, parsed."""

    number: int
    id: str
    state: str
    name: str
    created_at: float
    finished_at: float | None
    plan: Mapping[str, Any]
    backends: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    failure: Mapping[str, Any] | None
    requests_planned: int
    requests_done: int
    requests_failed: int
    last_seq: int
    size_bytes: int
    headline: str | None

    @property
    def is_live(self) -> bool:
        """Whether the run still waits or measures."""
        return is_live(self.state)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What the history shows and searches of a run; its plan and environment may be large and stay unread."""

    number: int
    id: str
    state: str
    name: str
    created_at: float
    finished_at: float | None
    requests_planned: int
    requests_done: int
    requests_failed: int
    size_bytes: int
    headline: str | None
    backends: str = "[]"  # JSON; only where it is searched


def parsed(row: Row[*tuple[Any, ...]]) -> StoredRun:
    """A row of the table `runs`."""
    values = {key: value for key, value in row._mapping.items() if key != "kind"}
    for key in ("plan", "backends", "environment", "failure"):
        values[key] = None if values[key] is None else json.loads(values[key])
    return StoredRun(**values)


class FollowUps:
    """What was measured after runs had ended. Safe to use from several threads."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def of(self, run_id: str) -> list[tuple[str, StoredRun]]:
        """What was measured after a run had ended, oldest first: its kind and its own row."""
        query = (
            select(follow_ups.c.kind, runs)
            .join_from(follow_ups, runs, follow_ups.c.run_id == runs.c.id)
            .where(follow_ups.c.of_run == run_id)
            .order_by(runs.c.number)
        )
        with self._engine.connect() as connection:
            return [(row.kind, parsed(row)) for row in connection.execute(query)]

    def run_of(self, run_id: str) -> str | None:
        """The run that a follow-up belongs to; None: it is a run of its own."""
        with self._engine.connect() as connection:
            query = select(follow_ups.c.of_run).where(follow_ups.c.run_id == run_id)
            return connection.scalar(query)


def bytes_of_follow_ups() -> ColumnElement[int]:
    """What all that was measured after a run takes, within a query of `runs`."""
    follow_up_runs = runs.alias()
    joined = follow_ups.join(follow_up_runs, follow_ups.c.run_id == follow_up_runs.c.id)
    taken = select(func.coalesce(func.sum(follow_up_runs.c.size_bytes), 0)).select_from(joined)
    return taken.where(follow_ups.c.of_run == runs.c.id).correlate(runs).scalar_subquery()


def busy_runs() -> Select[tuple[str]]:
    """Ended runs that are measured further just now."""
    joined = follow_ups.join(runs, follow_ups.c.run_id == runs.c.id)
    return select(follow_ups.c.of_run).select_from(joined).where(runs.c.state.in_(LIVE_STATES))
