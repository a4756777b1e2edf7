"""The leases of live runs as they are stored: which web process has which run.

They let several processes share one PostgreSQL. A process renews its leases every few seconds. When a lease
has expired, any other process may end the run; until then it can follow and cancel it. Times are the
database's, so the hosts' clocks need not agree. What a process does about leases is in webapp/runs/leases.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, func, select, update

from experiment.records import LIVE_STATES
from webapp.store.tables import leases, runs

RENEW_EVERY_S = 2.0
GONE_AFTER_S = 30.0
TURN_LOCK = 0x7069_7863  # any number, the same in every process

_NOW: dict[str, sa.ColumnElement[float]] = {
    "postgresql": sa.literal_column("extract(epoch from clock_timestamp())::float8"),
    "sqlite": sa.literal_column("(julianday('now') - 2440587.5) * 86400.0"),
}


class StoredLeases:
    """The leases, seen from one process, the `owner`. Safe to use from several threads."""

    def __init__(self, engine: Engine):
        self.owner = secrets.token_hex(16)
        self._engine = engine
        self._now = _NOW[engine.dialect.name]
        self._is_fresh = leases.c.seen_at > self._now - GONE_AFTER_S

    def row(self, run_id: str) -> dict[str, Any]:
        """The lease of a new run; to be inserted in the transaction that creates the run."""
        return {"run_id": run_id, "owner": self.owner, "seen_at": self._now}

    def start(self) -> None:
        """Drop other owners' leases in an SQLite file: only one process uses it, so theirs are left over."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.begin() as connection:
                connection.execute(sa.delete(leases).where(leases.c.owner != self.owner))

    def renew(self, run_ids: Sequence[str]) -> list[str]:
        """Renew the leases of these runs. Returns those that another process was asked to cancel."""
        mine = (leases.c.owner == self.owner) & leases.c.run_id.in_(run_ids)
        with self._engine.begin() as connection:
            connection.execute(update(leases).where(mine).values(seen_at=self._now))
            query = select(leases.c.run_id).where(mine, leases.c.is_cancelled)
            return list(connection.scalars(query))

    def begin(self, run_id: str, at_once: int) -> bool:
        """Mark the run as running, if fewer than `at_once` measure in all processes. Returns whether it did.

        They share the backends, so they share one limit too. Of the runs that are first in the queue of their
        process, the oldest begins first.
        """
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(sa.text(f"select pg_advisory_xact_lock({TURN_LOCK})"))
            connection.execute(update(leases).where(leases.c.run_id == run_id).values(is_next=True))
            if self._ahead(connection, run_id) >= at_once:
                return False
            connection.execute(update(runs).where(runs.c.id == run_id).values(state="running"))
            return True

    def _ahead(self, connection: Connection, run_id: str) -> int:
        number = select(runs.c.number).where(runs.c.id == run_id).scalar_subquery()
        older = (runs.c.state == "queued") & leases.c.is_next & (runs.c.number < number)
        before = (runs.c.state == "running") | older
        query = select(func.count()).select_from(leases.join(runs, leases.c.run_id == runs.c.id))
        found = connection.scalar(query.where(self._is_fresh, before, leases.c.run_id != run_id))
        return int(found or 0)

    def someone_measures(self) -> bool:
        """Whether a run is being measured in any process."""
        query = select(leases.c.run_id).join(runs, leases.c.run_id == runs.c.id).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(query.where(self._is_fresh, runs.c.state == "running")) is not None

    def is_held(self, run_id: str) -> bool:
        """Whether a process has the run; it may still have to store its last event."""
        with self._engine.connect() as connection:
            held = select(leases.c.run_id).where(leases.c.run_id == run_id, self._is_fresh)
            return connection.scalar(held) is not None

    def is_mine(self, run_id: str) -> bool:
        """Whether this process has the run: it was not removed, and no other process has ended it."""
        with self._engine.connect() as connection:
            mine = select(leases.c.run_id).where(leases.c.run_id == run_id, leases.c.owner == self.owner)
            return connection.scalar(mine) is not None

    def cancel(self, run_id: str) -> bool:
        """Have the owner cancel the run at its next renewal; False if no process has it."""
        with self._engine.begin() as connection:
            held = (leases.c.run_id == run_id) & self._is_fresh
            return bool(connection.execute(update(leases).where(held).values(is_cancelled=True)).rowcount)

    def release(self, run_id: str) -> None:
        """Delete the lease of a run whose end is stored."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(leases).where(leases.c.run_id == run_id))

    def orphans(self) -> list[str]:
        """Live runs without a valid lease. They are marked as failed, so that only one caller gets them."""
        joined = runs.outerjoin(leases, leases.c.run_id == runs.c.id)
        gone = sa.or_(leases.c.run_id.is_(None), ~self._is_fresh)
        query = select(runs.c.id).select_from(joined).where(runs.c.state.in_(LIVE_STATES), gone)

        def seize(run_id: str) -> bool:
            live = (runs.c.id == run_id) & runs.c.state.in_(LIVE_STATES)
            return bool(connection.execute(update(runs).where(live).values(state="failed")).rowcount)

        with self._engine.begin() as connection:
            return [run_id for run_id in connection.scalars(query).all() if seize(run_id)]
