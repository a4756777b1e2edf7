"""The tables that runs are stored in, and how a database is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from experiment.errors import ConfigRefused

START_LOCK = 0x7069786C  # "pixl": any number that no other program locks in this database
PATIENCE_S = 10  # while another program writes to SQLite, and to connect to PostgreSQL
SQLITE_LOG_BYTES = 4_000_000  # its write-ahead log is cut to this size after it has grown

metadata = sa.MetaData()


def _run_id() -> sa.Column[str]:
    """The run that a row belongs to."""
    return sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # counts up: newest first means highest first
    sa.Column("id", sa.String(32), unique=True, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("name", sa.Text, nullable=False),  # of the photo
    sa.Column("created_at", sa.Float, nullable=False),  # seconds since the epoch
    sa.Column("finished_at", sa.Float),  # null until the run has ended
    sa.Column("plan", sa.Text, nullable=False),  # JSON, as the next three
    sa.Column("backends", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("failure", sa.Text),  # null unless the run as a whole failed
    sa.Column("requests_planned", sa.Integer, nullable=False, default=0),
    sa.Column("requests_done", sa.Integer, nullable=False, default=0),
    sa.Column("requests_failed", sa.Integer, nullable=False, default=0),
    sa.Column("last_seq", sa.Integer, nullable=False, default=0),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, default=0),  # of its events and blobs
    sa.Column("headline", sa.Text),  # the recommendation, for the history; null until the run has ended
    sa.Index("runs_by_state", "state"),
)

# What happened in a run, in order. `data` is the JSON that event streams send;
# `scores` holds a prediction's full distribution, which only reports need.
events = sa.Table(
    "events",
    metadata,
    _run_id(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),  # 1, 2, ...
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("scores", sa.Text),
)

# The bytes of each variant, in parts, so that no large image is ever held as a whole.
blobs = sa.Table(
    "blobs",
    metadata,
    _run_id(),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),  # 0, 1, ...
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# Small pictures of what a run sent. A search for the breaking point has its own, as a follow-up.
thumbs = sa.Table(
    "thumbs",
    metadata,
    _run_id(),
    sa.Column("key", sa.String(64), primary_key=True),  # of a variant, step or photo
    sa.Column("media_type", sa.String(32), nullable=False),
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# The leases of live runs: which process has which run, and until when (webapp/store/leases.py).
leases = sa.Table(
    "claims",  # what earlier versions called it
    metadata,
    _run_id(),
    sa.Column("owner", sa.String(32), nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),  # seconds since the epoch, by the database's clock
    sa.Column("is_next", sa.Boolean, nullable=False, default=False),  # first in its process's queue
    sa.Column("is_cancelled", sa.Boolean, nullable=False, default=False),  # by a request to another process
)

# Which runs are follow-ups: stored and queued like any run, but their results belong to the run `of_run`.
follow_ups = sa.Table(
    "follow_ups",
    metadata,
    _run_id(),
    sa.Column("of_run", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),  # a FollowUpKind
)


def open_database(url: str) -> sa.Engine:
    """Connect to `url` and create the tables that are missing.

    Raises ConfigRefused when that can't be done; the message holds no password.
    """
    path = sqlite_path(url)
    try:
        if path is not None:
            _make_private(path)
        most = 20 if path is None else 60  # PostgreSQL's default is 100 for all processes
        patience = "timeout" if path is not None else "connect_timeout"
        engine = sa.create_engine(
            sa.make_url(url),
            pool_size=4,
            max_overflow=most,
            pool_pre_ping=path is None,
            connect_args={patience: PATIENCE_S},
        )
        if path is not None:
            sa.event.listen(engine, "connect", _prepare_sqlite)
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
    """The file of an SQLite database; None: PostgreSQL. Raises ConfigRefused for any other URL."""
    try:
        parsed = sa.make_url(url)
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
    """Create the file and its folder, if new, for this user only: it will hold photos."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's other files get its mode


def _create_tables(engine: sa.Engine) -> None:
    """Create missing tables. Processes that start at the same time do it one after another."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(START_LOCK)))
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
