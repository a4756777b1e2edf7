"""Rows of the store: a run, an event, and which runs are follow-ups."""

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
    """The run that a follow-up belongs to, and the kind of follow-up."""

    run_id: str
    kind: str


class Event(NamedTuple):
    """An event of a run. `data` is JSON text; `seq` counts from 1; `scores` is JSON for reports only."""

    seq: int
    kind: str
    data: str
    scores: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What the history shows of a run."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow(RunRow):
    """What the history shows and searches; a run's plan and environment may be large, and are not read."""

    backends: str = "[]"  # JSON; only read for a search


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(RunRow):
    """The row of one run, its JSON parsed."""

    plan: Mapping[str, Any]
    backends: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    failure: Mapping[str, Any] | None
    last_seq: int

    @property
    def is_live(self) -> bool:
        """Whether the run waits or measures."""
        return is_live(self.state)


def parsed(row: Row[*tuple[Any, ...]]) -> StoredRun:
    """A row of the table `runs`."""
    values = {key: value for key, value in row._mapping.items() if key != "kind"}
    for key in ("plan", "backends", "environment", "failure"):
        values[key] = None if values[key] is None else json.loads(values[key])
    return StoredRun(**values)


class FollowUps:
    """The follow-ups of runs. Safe to use from several threads."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def of(self, run_id: str) -> list[tuple[str, StoredRun]]:
        """The follow-ups of a run, oldest first: kind and row."""
        query = (
            select(follow_ups.c.kind, runs)
            .join_from(follow_ups, runs, follow_ups.c.run_id == runs.c.id)
            .where(follow_ups.c.of_run == run_id)
            .order_by(runs.c.number)
        )
        with self._engine.connect() as connection:
            return [(row.kind, parsed(row)) for row in connection.execute(query)]

    def run_of(self, run_id: str) -> str | None:
        """The run that a follow-up belongs to; None: the run is not a follow-up."""
        with self._engine.connect() as connection:
            query = select(follow_ups.c.of_run).where(follow_ups.c.run_id == run_id)
            return connection.scalar(query)


def bytes_of_follow_ups() -> ColumnElement[int]:
    """The size of a run's follow-ups, as a part of a query of `runs`."""
    follow_up_runs = runs.alias()
    joined = follow_ups.join(follow_up_runs, follow_ups.c.run_id == follow_up_runs.c.id)
    taken = select(func.coalesce(func.sum(follow_up_runs.c.size_bytes), 0)).select_from(joined)
    return taken.where(follow_ups.c.of_run == runs.c.id).correlate(runs).scalar_subquery()


def busy_runs() -> Select[tuple[str]]:
    """Ended runs with a live follow-up."""
    joined = follow_ups.join(runs, follow_ups.c.run_id == runs.c.id)
    return select(follow_ups.c.of_run).select_from(joined).where(runs.c.state.in_(LIVE_STATES))
