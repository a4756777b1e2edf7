"""The databases that tests run on: SQLite, and a PostgreSQL where one is given or installed.

PIXELCOST_TEST_DATABASE_URL=postgresql://… names one; its tables are emptied. Without it a server of its own
is started from /usr/lib/postgresql for the length of the test run, where Debian's package put one.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.app_process import free_port
from webapp.config import read_settings
from webapp.tables import metadata

GIVEN = os.environ.get("PIXELCOST_TEST_DATABASE_URL", "")
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
NO_POSTGRESQL = not (GIVEN or INSTALLED)
AS_POSTGRES = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()  # it refuses to run as root

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
    """Start a server on loopback that ends with this process."""
    tools, port = INSTALLED[-1].parent, free_port()
    folder = Path(tempfile.mkdtemp(prefix="pixelcost-postgresql-"))
    if AS_POSTGRES:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    _run(f"{tools}/initdb", "--pgdata", data, "--auth", "trust", "--username", "pixelcost", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    _run(
        f"{tools}/pg_ctl", "--pgdata", data, "--options", options, "--log", folder / "log", "--wait", "start"
    )

    def stop() -> None:
        _run(f"{tools}/pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return f"postgresql://pixelcost@127.0.0.1:{port}/postgres"


def _run(*command: str | Path) -> None:
    subprocess.run(
        [*AS_POSTGRES, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120
    )
