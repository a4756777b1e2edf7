"""Runs, their events and their variants' bytes, in SQLite or PostgreSQL.

Everything that happens in a run is an event: reports are computed from events, and event streams replay them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from experiment.errors import PixelcostError
from experiment.records import LIVE_STATES, Thumb
from webapp.storage_errors import is_no_room
from webapp.store.database import open_database, sqlite_path
from webapp.store.disk_reserve import DiskReserve
from webapp.store.leases import StoredLeases
from webapp.store.rows import (
    IS_FOLLOW_UP,
    Event,
    Follows,
    FollowUps,
    HistoryRow,
    StoredRun,
    busy_runs,
    bytes_of_follow_ups,
    parsed,
)
from webapp.store.same_photo import photo_hashes
from webapp.store.sample import SAMPLE_ID, sample
from webapp.store.tables import blobs, events, follow_ups, leases, runs, thumbs
from webapp.store.thumbs import StoredThumbs, add_thumbs

__all__ = ["Event", "Follows", "HistoryRow", "NoSuchRun", "Store", "StoredRun"]

VACUUM_PAGES = 512  # freed per step; a page may have to be moved, and is then written twice

log = logging.getLogger(__name__)

_OF_A_RUN = (
    *((table, table.c.run_id) for table in (blobs, thumbs, events, leases, follow_ups)),
    (runs, runs.c.id),
)


class NoSuchRun(PixelcostError):
    """The run was removed, or never existed."""

    code = "no_such_run"
    http_status = 404


class Store:
    """All runs. Safe to use from several threads."""

    def __init__(self, url: str, keep_runs: int = 200, keep_bytes: int = 2_000_000_000):
        path = sqlite_path(url)
        self._reserve = DiskReserve(path and path.with_name(f"{path.name}-reserve"))
        with self._reserve.released():  # opening needs some space, and must work on a full disk
            self._engine = open_database(url)
        self.leases = StoredLeases(self._engine)
        self.follow_ups = FollowUps(self._engine)
        self.thumbs = StoredThumbs(self._engine)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._keep_runs = keep_runs
        self._keep_bytes = keep_bytes

    def create(
        self,
        run_id: str,
        name: str,
        plan: Mapping[str, Any],
        backends: Sequence[Mapping[str, Any]],
        environment: Mapping[str, Any],
        requests_planned: int,
        follows: Follows | None = None,
    ) -> None:
        """Add a queued run or follow-up, with a lease of this process."""
        row = {
            "id": run_id,
            "state": "queued",
            "name": name,
            "created_at": time.time(),
            "plan": json.dumps(plan),
            "backends": json.dumps(backends),
            "environment": json.dumps(environment),
            "requests_planned": requests_planned,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(runs).values(row))
            connection.execute(insert(leases).values(self.leases.row(run_id)))
            if follows is not None:
                link = {"run_id": run_id, "of_run": follows.run_id, "kind": follows.kind}
                connection.execute(insert(follow_ups).values(link))

    def add_ended(self, row: Mapping[str, Any], event: Event, pictures: Mapping[str, Thumb]) -> None:
        """Add an ended run, its only event and its pictures. `row` has the columns of the table."""
        size_bytes = len(event.data) + sum(len(picture.data) for picture in pictures.values())
        with self._engine.begin() as connection:
            connection.execute(insert(runs).values({**row, "last_seq": event.seq, "size_bytes": size_bytes}))
            connection.execute(insert(events).values(run_id=row["id"], **event._asdict()))
            add_thumbs(connection, row["id"], pictures)

    def change(self, run_id: str, **values: Any) -> None:
        """Set columns of one run; mappings are stored as JSON."""
        for key, value in values.items():
            values[key] = json.dumps(value) if isinstance(value, dict) else value
        with self._engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))

    def append(self, run_id: str, batch: Sequence[Event], done: int, failed: int) -> None:
        """Add events in one transaction, with the run's counts as they are after them."""
        if not batch:
            return
        size_bytes = sum(len(event.data) + len(event.scores or "") for event in batch)
        with self._engine.begin() as connection:
            connection.execute(insert(events), [{"run_id": run_id, **event._asdict()} for event in batch])
            counts = {"last_seq": batch[-1].seq, "requests_done": done, "requests_failed": failed}
            grown = update(runs).values(**counts, size_bytes=runs.c.size_bytes + size_bytes)
            connection.execute(grown.where(runs.c.id == run_id))

    def add_blob(self, run_id: str, name: str, parts: Iterable[bytes]) -> None:
        """Store the bytes of a variant, part by part."""
        for number, part in enumerate(parts):
            with self._engine.begin() as connection:
                connection.execute(insert(blobs).values(run_id=run_id, name=name, part=number, data=part))
                grown = update(runs).values(size_bytes=runs.c.size_bytes + len(part))
                connection.execute(grown.where(runs.c.id == run_id))

    def run(self, run_id: str) -> StoredRun:
        """One run. Raises NoSuchRun."""
        if run_id == SAMPLE_ID and (found := sample()):
            return found.run
        with self._engine.connect() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise NoSuchRun(
                f"Run {run_id} may have been deleted: only the last {self._keep_runs} runs are kept."
            )
        return parsed(row)

    def history(
        self, limit: int, before: int | None = None, where: ColumnElement[bool] | None = None
    ) -> list[HistoryRow]:
        """Newest first; `before` is the number of the last run of the previous page, `where` a condition."""
        names = [field.name for field in fields(HistoryRow) if where is not None or field.name != "backends"]
        query = select(*(runs.c[name] for name in names))
        query = query.where(~IS_FOLLOW_UP).order_by(runs.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(runs.c.number < before)
        if where is not None:
            query = query.where(where)
        with self._engine.connect() as connection:
            return [HistoryRow(**row._mapping) for row in connection.execute(query)]

    def photo_hashes(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Run -> the SHA-256 of its photo or set of photos; unknown ones are left out."""
        with self._engine.connect() as connection:
            return photo_hashes(connection, run_ids)

    def count(self) -> dict[str, int]:
        """State -> number of runs."""
        query = select(runs.c.state, func.count()).group_by(runs.c.state)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def events(
        self, run_id: str, after: int = 0, limit: int = 500, *, with_scores: bool = False
    ) -> list[Event]:
        """Events with `seq` above `after`, in order."""
        if run_id == SAMPLE_ID and (found := sample()):
            return [found.event] if after < found.event.seq else []
        columns = [events.c.seq, events.c.kind, events.c.data] + ([events.c.scores] if with_scores else [])
        query = select(*columns).where(events.c.run_id == run_id, events.c.seq > after)
        query = query.order_by(events.c.seq).limit(limit)
        with self._engine.connect() as connection:
            return [Event(*row) for row in connection.execute(query)]

    def blob(self, run_id: str, name: str) -> Iterator[bytes] | None:
        """A variant's bytes, in parts that are read one at a time; None: not stored."""
        first = self._part(run_id, name, 0)
        return None if first is None else self._parts(run_id, name, first)

    def _parts(self, run_id: str, name: str, part: bytes | None) -> Iterator[bytes]:
        number = 0
        while part is not None:
            yield part
            number += 1
            part = self._part(run_id, name, number)

    def _part(self, run_id: str, name: str, number: int) -> bytes | None:
        where = (blobs.c.run_id == run_id, blobs.c.name == name, blobs.c.part == number)
        with self._engine.connect() as connection:
            return connection.execute(select(blobs.c.data).where(*where)).scalar_one_or_none()

    def remove(self, run_id: str) -> None:
        """Delete a run and its follow-ups. Uses the reserve if the disk is full."""
        self.with_room(lambda: self._remove([run_id]))

    def with_room(self, action: Callable[[], None]) -> None:
        """Do it; if the disk is full, again with the reserve's space. `action` must allow a second call."""
        try:
            action()
        except SQLAlchemyError as error:
            if not is_no_room(error):
                raise
            with self._reserve.released():
                action()
        self._reserve.keep()

    def evict(self) -> list[str]:
        """Remove the oldest ended runs until count and size are within their limits. Returns their ids."""
        whole_bytes = runs.c.size_bytes + bytes_of_follow_ups()
        query = (
            select(runs.c.id, whole_bytes.label("size_bytes"))
            .where(runs.c.state.not_in(LIVE_STATES), ~IS_FOLLOW_UP, runs.c.id.not_in(busy_runs()))
            .order_by(runs.c.number.desc())
        )
        with self._engine.connect() as connection:
            live_bytes = connection.scalar(
                select(func.coalesce(func.sum(runs.c.size_bytes), 0)).where(runs.c.state.in_(LIVE_STATES))
            )
            ended = [(row.id, row.size_bytes) for row in connection.execute(query)]
        gone = _too_much(ended, self._keep_runs, self._keep_bytes - int(live_bytes or 0))
        self._remove(gone)
        return gone

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _remove(self, run_ids: Sequence[str]) -> None:
        if not run_ids:
            return
        their_follow_ups = select(follow_ups.c.run_id).where(follow_ups.c.of_run.in_(run_ids))
        with self._engine.begin() as connection:
            run_ids = [*run_ids, *connection.scalars(their_follow_ups)]
            for table, column in _OF_A_RUN:
                connection.execute(delete(table).where(column.in_(run_ids)))
        if self._is_sqlite:
            self._give_back_space()

    def _give_back_space(self) -> None:
        """Shrink the file in small steps: in one step, its log would need as much space as is freed."""
        try:
            with self._engine.connect() as connection:
                raw = cast(sqlite3.Connection, connection.connection)
                before, free = None, _free_pages(raw)
                while free and free != before:  # a file that another program made may be unable to shrink
                    # A script runs to its end, a statement for one page.
                    raw.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
                    before, free = free, _free_pages(raw)
                raw.executescript("PRAGMA wal_checkpoint(TRUNCATE)")
        except (SQLAlchemyError, sqlite3.Error):
            log.warning("space of removed runs is freed later", exc_info=True)


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _too_much(ended: Iterable[tuple[str, int]], keep_runs: int, keep_bytes: int) -> list[str]:
    """Ids of the runs to remove; `ended` holds ids and sizes, newest first. The newest always stays."""
    gone: list[str] = []
    total_bytes = 0
    for index, (run_id, size_bytes) in enumerate(ended):
        total_bytes += size_bytes
        if index and (index >= keep_runs or total_bytes > keep_bytes):
            gone.append(run_id)
    return gone
