"""The tables that runs are kept in, and how each database is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from experiment.errors import ConfigRefused

START_LOCK = 0x7069786C  # "pixl": any number will do that nobody else takes in this database
PATIENCE_S = 10  # while another program writes to SQLite, and until a PostgreSQL is reached
SQLITE_LOG_BYTES = 4_000_000  # what its write-ahead log is cut to when it has grown

metadata = MetaData()


def _run_id() -> Column[str]:
    """The run that a row belongs to."""
    return Column("run_id", String(32), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # counts up: newest first means highest first
    Column("id", String(32), unique=True, nullable=False),
    Column("state", String(16), nullable=False),
    Column("name", Text, nullable=False),  # of the photo
    Column("created_at", Float, nullable=False),  # seconds since the epoch
    Column("finished_at", Float),  # null until the run has ended
    Column("plan", Text, nullable=False),  # JSON, as the next three
    Column("backends", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("failure", Text),  # null unless the run as a whole failed
    Column("requests_planned", Integer, nullable=False, default=0),
    Column("requests_done", Integer, nullable=False, default=0),
    Column("requests_failed", Integer, nullable=False, default=0),
    Column("last_seq", Integer, nullable=False, default=0),
    Column("size_bytes", BigInteger, nullable=False, default=0),  # of its events and blobs
    Column("headline", Text),  # the recommendation, for the history; null until the run has ended
    Index("runs_by_state", "state"),
)

# What happened in a run, in order. `data` is the JSON that event streams send;
# `scores` holds a prediction's full distribution, which only reports need.
events = Table(
    "events",
    metadata,
    _run_id(),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, ...
    Column("kind", String(16), nullable=False),
    Column("data", Text, nullable=False),
    Column("scores", Text),
)

# The bytes of each variant, in parts, so that no large image is ever held as a whole.
blobs = Table(
    "blobs",
    metadata,
    _run_id(),
    Column("name", String(64), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),  # 0, 1, ...
    Column("data", LargeBinary, nullable=False),
)

# Which process has each live run. A table of its own, so that databases of older versions get it as they are.
claims = Table(
    "claims",
    metadata,
    _run_id(),
    Column("owner", String(32), nullable=False),
    Column("seen_at", Float, nullable=False),  # seconds since the epoch, by the database's clock
    Column("is_next", Boolean, nullable=False, default=False),  # it may begin as soon as others let it
    Column("is_cancelled", Boolean, nullable=False, default=False),  # asked for through another process
)

# Measuring that was added to a finished run. It is a run of its own, with turns, events and an end like any
# other, but its results belong to that one.
follow_ups = Table(
    "follow_ups",
    metadata,
    _run_id(),
    Column("of_run", String(32), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # follow_up.KINDS
)


def open_database(url: str) -> Engine:
    """Connect to `url` and create the tables that are missing.

    Raises ConfigRefused when that can't be done; the message holds no password.
    """
    path = sqlite_path(url)
    try:
        if path is not None:
            _make_private(path)
        most = 20 if path is None else 60  # PostgreSQL's default is 100 for all processes
        patience = "timeout" if path is not None else "connect_timeout"
        engine = create_engine(
            make_url(url),
            pool_size=4,
            max_overflow=most,
            pool_pre_ping=path is None,
            connect_args={patience: PATIENCE_S},
        )
        if path is not None:
            event.listen(engine, "connect", _prepare_sqlite)
        _create_tables(engine)
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigRefused(
            "The database", [f"it can't be opened ({cause}): {_TO_CHECK[path is None]}"]
        ) from None
    return engine


_TO_CHECK = {
    True: "check that its server runs, and host, port, user, password and name in DATABASE_URL",
    False: "check its folder's rights and free space, and DATABASE_URL or PIXELCOST_DATA_DIR",
}


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite database; None: it is of another kind. Raises ConfigRefused for no such URL."""
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
    except (SQLAlchemyError, ValueError):  # whose words may hold the password
        raise ConfigRefused(
            "The database",
            [
                "DATABASE_URL can't be read; write postgresql://user:password@host/name or sqlite:////folder/file"
            ],
        ) from None
    if is_sqlite and parsed.database in {None, "", ":memory:"}:
        raise ConfigRefused(
            "The database",
            ["DATABASE_URL names no file to keep runs in; write sqlite:////folder/file, or leave it out"],
        )
    return Path(parsed.database or "") if is_sqlite else None


def _make_private(path: Path) -> None:
    """Photos lie in it: a new one, and a new folder around it, are for this user alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what SQLite makes beside it has its mode


def _create_tables(engine: Engine) -> None:
    """Create missing tables. Processes that start at once do it one after another."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(START_LOCK)))
        metadata.create_all(connection)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers beside one writer, foreign keys, space given back, little memory per connection."""
    cursor = connection.cursor()
    is_new = cursor.execute("PRAGMA page_count").fetchone() == (0,)
    for pragma in (
        # Only has an effect before the first table, and later would be a write that waits for other writers.
        *(["auto_vacuum=INCREMENTAL"] if is_new else []),
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-512",
        "secure_delete=FAST",  # Debian's default writes zeros over all it removes: not on a full disk
        f"journal_size_limit={SQLITE_LOG_BYTES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
