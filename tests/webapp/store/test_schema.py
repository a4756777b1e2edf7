"""The version of the tables: databases of before, steps, copies, refusals; on SQLite and PostgreSQL.

`version_1.*.sql` are the tables as they were when versions were introduced, with a run and its follow-up.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from experiment import __version__
from experiment.errors import ConfigRefused
from tests.support.processes.databases import url
from webapp.store.database import sqlite_path
from webapp.store.schema import STEPS, bring_up_to_date, copy_path
from webapp.store.store import Store
from webapp.store.tables import metadata

__all__ = ["url"]  # a fixture

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
RUN, FOLLOW_UP = "31166e982ede14f2", "05b396d648211128"
NEWEST = 1 + len(STEPS)
# What a later release might do: a column with a value for the runs that are there. Twice would add 2.
LATER = (
    *STEPS,
    ("ALTER TABLE runs ADD COLUMN stars INTEGER", "UPDATE runs SET stars = coalesce(stars, 0) + 1"),
)
MUCH_LATER = (*LATER, ("ALTER TABLE runs ADD COLUMN colour TEXT", "UPDATE runs SET colour = 'red'"))

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def old(url: str) -> str:
    """A database as Pixelcost made it before its tables had a version."""
    path = sqlite_path(url)
    with closing(sqlite3.connect(path or ":memory:")) as connection:
        connection.executescript((HERE / "version_1.sqlite.sql").read_text("utf-8"))
        connection.row_factory = sqlite3.Row
        if path is None:
            _fill_postgresql(url, connection)
    return url


def _fill_postgresql(url: str, rows_of: sqlite3.Connection) -> None:
    engine, tables = sa.create_engine(url), sa.MetaData()
    with engine.begin() as connection:
        connection.exec_driver_sql((HERE / "version_1.postgresql.sql").read_text("utf-8"))
        tables.reflect(connection)
        for table in tables.sorted_tables:
            rows = [dict(row) for row in rows_of.execute(f"SELECT * FROM {table.name}")]
            if rows:
                connection.execute(table.insert(), rows)
        connection.exec_driver_sql("SELECT setval('runs_number_seq', (SELECT max(number) FROM runs))")
    engine.dispose()


@pytest.fixture
def engine(url: str):
    made = sa.create_engine(url)
    yield made
    made.dispose()


def rows(engine: sa.Engine, leave_out: str = "pixelcost_schema") -> Rows:
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(sa.select(table)))
            for table in tables.sorted_tables
            if table.name != leave_out
        }


def versions(engine: sa.Engine) -> list[tuple[int, str]]:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT version, release FROM pixelcost_schema ORDER BY version")
        return [tuple(row) for row in found]


def columns(engine: sa.Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    return {
        name: (
            {each["name"]: (str(each["type"]), each["nullable"]) for each in inspector.get_columns(name)},
            sorted(tuple(each["column_names"]) for each in inspector.get_indexes(name)),
            inspector.get_pk_constraint(name)["constrained_columns"],
        )
        for name in inspector.get_table_names()
    }


def test_a_database_without_a_version_keeps_every_run_and_gets_one(old: str, engine: sa.Engine) -> None:
    before = rows(engine)
    assert {name: len(found) for name, found in before.items()} == {
        "blobs": 2,
        "claims": 0,
        "events": 34,
        "follow_ups": 1,
        "runs": 2,
        "thumbs": 2,
    }
    store = Store(old)
    assert rows(engine) == before
    assert versions(engine) == [(NEWEST, __version__)]
    assert [row.id for row in store.history(10)] == [RUN]
    assert (
        store.run(RUN).headline == "For this photo: the original (40 px PNG) on eye (0.72 ms). Answer: red."
    )
    assert len(store.events(FOLLOW_UP)) == 11
    store.create("new", "dog.jpg", {}, [], {}, 3)
    assert [row.id for row in store.history(10)] == ["new", RUN]
    store.close()


def test_a_database_of_the_first_release_may_lack_whole_tables(old: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for name in ("thumbs", "follow_ups"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
    Store(old).close()
    assert {name: rows(engine)[name] for name in ("thumbs", "follow_ups")} == {"thumbs": [], "follow_ups": []}
    assert len(rows(engine)["runs"]) == 2


def test_a_new_database_has_the_newest_version_and_no_copy(url: str, engine: sa.Engine) -> None:
    bring_up_to_date(engine, sqlite_path(url), MUCH_LATER[: len(STEPS)])
    assert versions(engine) == [(NEWEST, __version__)]
    path = sqlite_path(url)
    assert path is None or not list(path.parent.glob("*before*"))


def test_steps_lead_to_the_tables_that_a_new_database_has(old: str, engine: sa.Engine) -> None:
    """Fails when a table is changed without a step: databases of before would lack that change."""
    Store(old).close()
    led_to = columns(engine)
    metadata.drop_all(engine)
    Store(old).close()
    assert led_to == columns(engine)


@pytest.mark.parametrize("has_version", [False, True])
def test_steps_change_the_tables_and_keep_the_rows(old: str, engine: sa.Engine, has_version: bool) -> None:
    if has_version:
        Store(old).close()
    before = rows(engine)
    bring_up_to_date(engine, sqlite_path(old), LATER)
    bring_up_to_date(engine, sqlite_path(old), MUCH_LATER)
    bring_up_to_date(engine, sqlite_path(old), MUCH_LATER)
    after = rows(engine)
    assert after.pop("runs") == [(*row, 1, "red") for row in before.pop("runs")]
    assert after == before
    assert [version for version, _ in versions(engine)][-2:] == [NEWEST + 1, NEWEST + 2]


def test_a_copy_of_the_file_is_made_before_a_step(old: str, engine: sa.Engine) -> None:
    path = sqlite_path(old)
    if path is None:
        pytest.skip("of a PostgreSQL its owner makes the copy")
    before = rows(engine)
    bring_up_to_date(engine, path, LATER)
    copy = copy_path(path, NEWEST + 1)
    assert sorted(each.name for each in path.parent.glob("*before*")) == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    kept = sa.create_engine(f"sqlite:///{copy}")
    assert rows(kept) == before
    kept.dispose()
    copy.replace(path)  # the way back that the guide describes
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    Store(old).close()


def test_no_room_for_the_copy_is_said_before_anything_is_changed(
    old: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sqlite_path(old)
    if path is None:
        pytest.skip("of a PostgreSQL its owner makes the copy")
    before = rows(engine)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ConfigRefused, match=r"no room for the copy .* MB needed\): make room there"):
        bring_up_to_date(engine, path, LATER)
    assert rows(engine) == before


def test_a_step_that_fails_leaves_the_database_as_it_was(old: str, engine: sa.Engine) -> None:
    Store(old).close()
    before, broken = rows(engine), (*LATER, ("UPDATE runs SET no_such_column = 1",))
    with pytest.raises(sa.exc.SQLAlchemyError):
        bring_up_to_date(engine, sqlite_path(old), broken)
    assert rows(engine) == before
    assert versions(engine) == [(NEWEST, __version__)]


def test_processes_that_start_at_once_do_each_step_once(old: str, engine: sa.Engine) -> None:
    def start() -> None:
        own = sa.create_engine(old)
        bring_up_to_date(own, sqlite_path(old), LATER)
        own.dispose()

    with ThreadPoolExecutor(4) as starters:
        for starting in [starters.submit(start) for _ in range(4)]:
            starting.result()
    assert {row[-1] for row in rows(engine)["runs"]} == {1}
    assert [version for version, _ in versions(engine)] == [NEWEST + 1]


def test_a_release_that_was_rolled_back_refuses_the_newer_tables(old: str, engine: sa.Engine) -> None:
    path = sqlite_path(old)
    bring_up_to_date(engine, path, MUCH_LATER)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pixelcost_schema SET release = '9.1.0'")
    with pytest.raises(ConfigRefused) as refusal:
        Store(old)
    copy = f"its copy of before, {copy_path(path, NEWEST + 2)}" if path else "a copy of before that upgrade"
    said = (
        f"Pixelcost 9.1.0 has brought its tables to version {NEWEST + 2}, and this is {__version__}, which "
        f"knows none above {NEWEST}: start 9.1.0 or newer again, or go back to {copy} (docs/settings.md)"
    )
    assert refusal.value.problems == (said,)
    bring_up_to_date(engine, path, MUCH_LATER)  # nothing was changed: the newer one goes on


def test_the_web_process_ends_with_that_sentence_alone(tmp_path: Path) -> None:
    path = tmp_path / "pixelcost.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / "version_1.sqlite.sql").read_text("utf-8"))
    newer = sa.create_engine(f"sqlite:///{path}")
    bring_up_to_date(newer, path, LATER)
    newer.dispose()
    environ = {**os.environ, "PIXELCOST_DATA_DIR": str(tmp_path), "TF_SERVERS": "1 CPU:127.0.0.1:9"}
    environ["PORT"] = "1024"  # never opened
    done = subprocess.run(
        [sys.executable, "-c", "import webapp.gunicorn_conf"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Pixelcost can't start. The database has 1 problem: Pixelcost ")
    assert f"go back to its copy of before, {copy_path(path, NEWEST + 1)} (" in done.stderr
    assert done.stderr.count("\n") == 1


def test_tables_that_lack_a_column_are_refused_at_the_start(old: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE runs DROP COLUMN headline")
    with pytest.raises(ConfigRefused, match=r"its tables lack runs.headline: another program"):
        Store(old)
    assert "pixelcost_schema" not in sa.inspect(engine).get_table_names()
