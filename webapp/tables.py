"""The tables that runs are kept in, and how each database is opened."""

from __future__ import annotations

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
LIVE_STATES = ("queued", "running")

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
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        most = 60 if is_sqlite else 20  # PostgreSQL allows 100 of all processes, unless told otherwise
        engine = create_engine(parsed, pool_size=4, max_overflow=most, pool_pre_ping=not is_sqlite)
        if is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        _create_tables(engine)
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigRefused(
            "The database", [f"it can't be opened ({cause}); see DATABASE_URL and PIXELCOST_DATA_DIR"]
        ) from None
    return engine


def _create_tables(engine: Engine) -> None:
    """Those that are missing; of several processes that start at once, one after another."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(START_LOCK)))
        metadata.create_all(connection)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers beside one writer, foreign keys, space given back, little memory per connection."""
    cursor = connection.cursor()
    for pragma in (
        "auto_vacuum=INCREMENTAL",  # only has an effect before the first table
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=10000",
        "foreign_keys=ON",
        "cache_size=-512",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
