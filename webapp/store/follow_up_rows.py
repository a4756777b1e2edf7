"""Which runs were measured further, and by what: the table follow_ups, read."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Engine, Select, func, select

from webapp.store.rows import StoredRun, parsed
from webapp.store.tables import LIVE_STATES, follow_ups, runs

IS_FOLLOW_UP = runs.c.id.in_(select(follow_ups.c.run_id))


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
        """The run that a follow-up belongs to; None: it is none."""
        with self._engine.connect() as connection:
            query = select(follow_ups.c.of_run).where(follow_ups.c.run_id == run_id)
            return connection.scalar(query)


def bytes_of_follow_ups() -> ColumnElement[int]:
    """What all that was measured after a run takes, within a query of `runs`."""
    later = runs.alias()
    joined = follow_ups.join(later, follow_ups.c.run_id == later.c.id)
    taken = select(func.coalesce(func.sum(later.c.size_bytes), 0)).select_from(joined)
    return taken.where(follow_ups.c.of_run == runs.c.id).correlate(runs).scalar_subquery()


def busy_runs() -> Select[tuple[str]]:
    """Ended runs that are measured further just now."""
    joined = follow_ups.join(runs, follow_ups.c.run_id == runs.c.id)
    return select(follow_ups.c.of_run).select_from(joined).where(runs.c.state.in_(LIVE_STATES))
