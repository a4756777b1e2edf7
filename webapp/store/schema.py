"""The version of the tables: a database is brought up to date when it is opened, or refused.

A database without a version is one of before there were versions: it gets version 1. One with a version above
ours belongs to a newer Pixelcost, whose data we could misread, and is refused: a release that was rolled back
must not write into it. One process at a time looks and changes, in one transaction.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from experiment import __version__
from experiment.errors import ConfigRefused
from webapp.store.tables import metadata, runs, schema_versions

START_LOCK = 0x7069786C  # "pixl": any number that no other program locks in this database

Step = Sequence[str]  # SQL statements that both SQLite and PostgreSQL understand

# The first step leads from version 1 to 2, and so on. A step is never changed after its release. Tables that
# are missing are created after the steps, so a new table needs none; but a step that changes a table which
# databases without a version may lack, as `thumbs`, has to create it.
STEPS: Final[tuple[Step, ...]] = ()

log = logging.getLogger(__name__)


def bring_up_to_date(engine: sa.Engine, sqlite_file: Path | None, steps: Sequence[Step] = STEPS) -> None:
    """Create the tables of a new database; of an old one do the steps that it lacks.

    Before a step changes an SQLite file, a copy of it is made beside it. Raises ConfigRefused if the database
    is newer than this code, there is no room for the copy, or its tables are not ours.
    """
    newest = 1 + len(steps)
    with engine.connect() as connection:
        if _stamped(connection, newest, sqlite_file) == newest:
            return  # without a lock: another program may be writing
    with _alone(engine) as connection:
        found = _stamped(connection, newest, sqlite_file)  # another process may have been here first
        if found == newest:
            return
        if found is None and sa.inspect(connection).has_table(runs.name):
            found = 1
        if found is not None and found < newest:
            if sqlite_file is not None:
                _copy(sqlite_file, copy_path(sqlite_file, newest))
            for statement in (statement for step in steps[found - 1 :] for statement in step):
                connection.exec_driver_sql(statement)
            log.info("the database's tables were brought from version %d to %d", found, newest)
        metadata.create_all(connection)
        _check_columns(connection)
        stamp = {"version": newest, "release": __version__, "at": time.time()}
        connection.execute(schema_versions.insert().values(stamp))


def copy_path(sqlite_file: Path, version: int) -> Path:
    """Where the copy lies that was made before the tables got this version."""
    return sqlite_file.with_name(f"{sqlite_file.name}-before-version-{version}")


def _stamped(connection: sa.Connection, newest: int, sqlite_file: Path | None) -> int | None:
    """The version that the database says it has; None: it says nothing."""
    if not sa.inspect(connection).has_table(schema_versions.name):
        return None
    stamps = connection.execute(sa.select(schema_versions).order_by(schema_versions.c.version)).all()
    newer = [stamp for stamp in stamps if stamp.version > newest]
    if newer:
        copy = sqlite_file and copy_path(sqlite_file, newer[0].version)
        before = f"its copy of before, {copy}" if copy and copy.is_file() else "a copy of before that upgrade"
        release = newer[-1].release
        raise _refusal(
            f"Pixelcost {release} has brought its tables to version {newer[-1].version}, and this is "
            f"{__version__}, which knows none above {newest}: start {release} or newer again, or go back to "
            f"{before} (docs/settings.md)"
        )
    return int(stamps[-1].version) if stamps else None


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other process's start runs beside."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(START_LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's sqlite3 begins none for CREATE and ALTER
        yield connection


def _copy(source: Path, target: Path) -> None:
    """Copy a database as it is now. The name stands for a whole copy only: a broken-off one has another."""
    size_bytes, free_bytes = source.stat().st_size, shutil.disk_usage(source.parent).free
    if free_bytes < size_bytes:
        raise _refusal(
            f"its tables have to be changed, and {source.parent} has no room for the copy that is made "
            f"before ({free_bytes / 1e6:.0f} MB free, {size_bytes / 1e6:.0f} MB needed): make room there"
        )
    unfinished = target.with_name(f"{target.name}-unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL, 0o600))  # it holds photos
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(unfinished)) as new:
        old.backup(new)
    unfinished.replace(target)
    log.info("a copy of the database as it was: %s", target)


def _check_columns(connection: sa.Connection) -> None:
    """A database that lacks a column would fail later, in the middle of a run."""
    inspector = sa.inspect(connection)
    lacking = []
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        lacking += [f"{table.name}.{column.name}" for column in table.c if column.name not in there]
    if lacking:
        raise _refusal(
            f"its tables lack {', '.join(lacking)}: another program or an unreleased Pixelcost made them. "
            "Give this one an empty database (DATABASE_URL), and import the runs that you exported as JSON"
        )


def _refusal(problem: str) -> ConfigRefused:
    return ConfigRefused("The database", [problem])
