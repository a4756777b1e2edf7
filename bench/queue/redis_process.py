"""A Redis of our own that can be killed and started again."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from bench.support.errors import CannotRun

SAFE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")


class RedisProcess:
    """A server with its data in `folder`, on a socket there."""

    def __init__(self, folder: Path, options: tuple[str, ...] = SAFE):
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise CannotRun("It needs redis-server or valkey-server on the PATH.")
        self._socket = folder / "redis.sock"
        self._command = [program, "--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder)]
        self._command += ["--save", "", "--loglevel", "warning", *options]
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client = redis.Redis(unix_socket_path=str(self._socket))
        for _ in range(1000):
            try:
                client.ping()
                return
            except redis.RedisError:
                if self._process.poll() is not None:
                    raise CannotRun(f"{self._command[0]} ended with {self._process.returncode}.") from None
                time.sleep(0.02)
        raise CannotRun(f"{self._command[0]} does not answer.")

    def kill(self) -> None:
        """As a crash does: without a last word."""
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_process(folder: Path, *options: str) -> Iterator[RedisProcess]:
    """A server until the end of the block. `options` as on its command line, after those of SAFE."""
    server = RedisProcess(folder, (*SAFE, *options))
    try:
        yield server
    finally:
        server.kill()
