"""What the store gives out and takes: a run's row, an event, and what a follow-up belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row

from webapp.store.tables import LIVE_STATES


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
        return self.state in LIVE_STATES


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
