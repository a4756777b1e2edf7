"""Which web process each live run belongs to, so that several may share one PostgreSQL.

A process says every few seconds that it is still there. A live run whose process has gone is closed by any
other; one that another process measures can be followed and cancelled here all the same. Times are the
database's, so that the clocks of the hosts need not agree.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from experiment.records import LIVE_STATES
from webapp.store.tables import claims, runs

RENEW_EVERY_S = 2.0
GONE_AFTER_S = 30.0
TURN_LOCK = 0x7069_7863  # any number, the same in every process

_NOW: dict[str, ColumnElement[float]] = {
    "postgresql": literal_column("extract(epoch from clock_timestamp())::float8"),
    "sqlite": literal_column("(julianday('now') - 2440587.5) * 86400.0"),
}


class Claims:
    """The live runs of one process among those of all. Safe to use from several threads."""

    def __init__(self, engine: Engine):
        self.owner = secrets.token_hex(16)
        self._engine = engine
        self._now = _NOW[engine.dialect.name]
        self._is_fresh = claims.c.seen_at > self._now - GONE_AFTER_S

    def row(self, run_id: str) -> dict[str, Any]:
        """What makes a new run this process's own; it belongs into the transaction that creates it."""
        return {"run_id": run_id, "owner": self.owner, "seen_at": self._now}

    def start(self) -> None:
        """Know of no other process where there can't be one: an SQLite file has one writer."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.begin() as connection:
                connection.execute(delete(claims).where(claims.c.owner != self.owner))

    def renew(self, run_ids: Sequence[str]) -> list[str]:
        """Say that this process still has these runs. Returns those that another one was asked to cancel.

        A run that is not among them is over here, whatever the database still says of it.
        """
        mine = (claims.c.owner == self.owner) & claims.c.run_id.in_(run_ids)
        with self._engine.begin() as connection:
            connection.execute(update(claims).where(mine).values(seen_at=self._now))
            query = select(claims.c.run_id).where(mine, claims.c.is_cancelled)
            return list(connection.scalars(query))

    def begin(self, run_id: str, at_once: int) -> bool:
        """Whether the run may measure now, and if so mark it as running.

        Among all processes only so many measure at once, since they ask the same servers; of those that could
        be next the oldest goes first.
        """
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text(f"select pg_advisory_xact_lock({TURN_LOCK})"))
            connection.execute(update(claims).where(claims.c.run_id == run_id).values(is_next=True))
            if self._ahead(connection, run_id) >= at_once:
                return False
            connection.execute(update(runs).where(runs.c.id == run_id).values(state="running"))
            return True

    def _ahead(self, connection: Connection, run_id: str) -> int:
        number = select(runs.c.number).where(runs.c.id == run_id).scalar_subquery()
        older = (runs.c.state == "queued") & claims.c.is_next & (runs.c.number < number)
        before = (runs.c.state == "running") | older
        query = select(func.count()).select_from(claims.join(runs, claims.c.run_id == runs.c.id))
        found = connection.scalar(query.where(self._is_fresh, before, claims.c.run_id != run_id))
        return int(found or 0)

    def someone_measures(self) -> bool:
        """Whether any process measures just now."""
        query = select(claims.c.run_id).join(runs, claims.c.run_id == runs.c.id).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(query.where(self._is_fresh, runs.c.state == "running")) is not None

    def is_held(self, run_id: str) -> bool:
        """Whether some process still has work with the run, its last event included."""
        with self._engine.connect() as connection:
            held = select(claims.c.run_id).where(claims.c.run_id == run_id, self._is_fresh)
            return connection.scalar(held) is not None

    def is_mine(self, run_id: str) -> bool:
        """Whether the run is this process's own; no more once it is removed or another has closed it."""
        with self._engine.connect() as connection:
            mine = select(claims.c.run_id).where(claims.c.run_id == run_id, claims.c.owner == self.owner)
            return connection.scalar(mine) is not None

    def cancel(self, run_id: str) -> bool:
        """Ask the process that has the run to cancel it; False when none has."""
        with self._engine.begin() as connection:
            held = (claims.c.run_id == run_id) & self._is_fresh
            return bool(connection.execute(update(claims).where(held).values(is_cancelled=True)).rowcount)

    def release(self, run_id: str) -> None:
        """The run has ended, with all that is to be said about it."""
        with self._engine.begin() as connection:
            connection.execute(delete(claims).where(claims.c.run_id == run_id))

    def orphans(self) -> list[str]:
        """Live runs whose process has gone. They become failed here, so only one caller gets each of them."""
        joined = runs.outerjoin(claims, claims.c.run_id == runs.c.id)
        gone = or_(claims.c.run_id.is_(None), ~self._is_fresh)
        query = select(runs.c.id).select_from(joined).where(runs.c.state.in_(LIVE_STATES), gone)
        with self._engine.begin() as connection:
            return [run_id for run_id in connection.scalars(query).all() if self._seized(connection, run_id)]

    @staticmethod
    def _seized(connection: Connection, run_id: str) -> bool:
        live = (runs.c.id == run_id) & runs.c.state.in_(LIVE_STATES)
        return bool(connection.execute(update(runs).where(live).values(state="failed")).rowcount)
