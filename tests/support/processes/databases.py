"""The databases that tests run on: SQLite, and a PostgreSQL where one is given or installed.

PIXELCOST_TEST_DATABASE_URL=postgresql://… names one; its tables are emptied. Without it a server of its own
is started from /usr/lib/postgresql for the length of the test run, where Debian's package put one.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from tests.support.processes.app_process import free_port
from webapp.config import read_settings
from webapp.store.tables import metadata

GIVEN = os.environ.get("PIXELCOST_TEST_DATABASE_URL", "")
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
NO_POSTGRESQL = not (GIVEN or INSTALLED)
USER = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
PR_SET_PDEATHSIG = 1  # linux/prctl.h

needs_postgresql = pytest.mark.skipif(
    NO_POSTGRESQL, reason="no PostgreSQL: apt-get install postgresql, or set PIXELCOST_TEST_DATABASE_URL"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    return f"sqlite:///{tmp_path}/runs.db" if request.param == "sqlite" else empty_postgresql()


@pytest.fixture
def postgresql_url() -> str:
    """An empty PostgreSQL. The test that uses it is marked `needs_postgresql`."""
    return empty_postgresql()


def empty_postgresql() -> str:
    found = read_settings({"DATABASE_URL": GIVEN or _own_server()}, dotenv=None).store_url
    engine = create_engine(found)
    metadata.drop_all(engine)
    engine.dispose()
    return found


@functools.cache
def _own_server() -> str:
    """Start a server on loopback that ends with this process, however that ends."""
    tools, port = INSTALLED[-1].parent, free_port()
    folder = Path(tempfile.mkdtemp(prefix="pixelcost-postgresql-"))
    if USER:
        shutil.chown(folder, USER)
    data = folder / "data"
    initdb = [tools / "initdb", "--pgdata", data, "--auth", "trust", "--username", "pixelcost", "--no-sync"]
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": "/", "user": USER, "start_new_session": True}
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, timeout=120, **quiet)
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [tools / "postgres", "-D", data, *settings],
            stdout=log,
            stderr=log,
            **quiet,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  only prctl, before any thread exists in the child
        )

    def stop() -> None:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    found = f"postgresql://pixelcost@127.0.0.1:{port}/postgres"
    for _ in range(600):
        assert server.poll() is None, (folder / "log").read_text("utf-8")
        if subprocess.run([tools / "pg_isready", "-q", "-d", found], check=False, **quiet).returncode == 0:
            return found
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL is not ready:\n{(folder / 'log').read_text('utf-8')}")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def another_writer(path: Path) -> Iterator[None]:
    """Another program that holds the database's only place for writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
