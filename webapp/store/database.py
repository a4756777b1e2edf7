"""How a database is opened: SQLite or PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from experiment.errors import ConfigRefused
from webapp.store.schema import bring_up_to_date

PATIENCE_S = 10  # while another program writes to SQLite, and to connect to PostgreSQL
SQLITE_LOG_BYTES = 4_000_000  # its write-ahead log is cut to this size after it has grown


def open_database(url: str) -> sa.Engine:
    """Connect to `url`, create the tables or bring them up to date.

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
        bring_up_to_date(engine, path)
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
