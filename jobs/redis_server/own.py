"""A Redis or Valkey that this process runs, with its data, socket and log in one folder."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import redis

from common.processes import end, end_with_parent
from experiment.queue.connection import QueueUnavailable, connection
from experiment.wording import one_line
from jobs.redis_server.program import find_program

READY_S: Final = 120.0  # loading a large append-only file takes long
STOP_S: Final = 20.0  # writing its data to the disk, too
LONGEST_SOCKET: Final = 100  # bytes; the kernel takes 107
LOG_NAME: Final = "redis.log"


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """How it is run."""

    folder: Path
    url: str  # where clients on this machine look for it: its port, password and database are taken from here
    max_memory_bytes: int
    fsync: str = "everysec"  # or "always": nothing is lost in a power cut, and it is slower

    @property
    def socket(self) -> Path | None:
        """None: the path would be too long for the kernel."""
        path = self.folder.resolve() / "redis.sock"
        return path if len(str(path).encode()) <= LONGEST_SOCKET else None

    @property
    def own_url(self) -> str:
        """For the processes of this command: over the socket."""
        parts = urlsplit(self.url)
        if self.socket is None:
            return self.url
        login = f":{parts.password}@" if parts.password else ""
        return f"unix://{login}{quote(str(self.socket))}?db={database(self.url)}"


def database(url: str) -> int:
    """The number of the database in redis://host:port/NUMBER."""
    text = urlsplit(url).path.strip("/")
    return int(text) if text.isdigit() else 0


class OwnServer:
    """The process."""

    def __init__(self, settings: OwnSettings):
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None: it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, and wait until it has loaded its data. Raises QueueUnavailable with what its log says."""
        settings = self._settings
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.folder.chmod(0o700)
        with tempfile.TemporaryFile() as configuration:  # by stdin, so that no list of processes shows it
            configuration.write("".join(f"{line}\n" for line in _configuration(settings)).encode())
            configuration.seek(0)
            self._process = subprocess.Popen(
                [find_program(), "-"],
                stdin=configuration,
                stdout=subprocess.DEVNULL,
                cwd=settings.folder,
                start_new_session=True,  # Ctrl-C reaches only this process, which ends the others in order
                preexec_fn=end_with_parent,  # noqa: PLW1509  only prctl
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End it; it writes its data first."""
        if self._process is not None:
            end(self._process, STOP_S)

    def _wait_until_ready(self) -> None:
        client = connection(self._settings.own_url, retries=0)
        until_s = time.monotonic() + READY_S
        while True:
            try:
                client.ping()
                return
            except redis.RedisError as error:
                if self.pid is None:
                    raise QueueUnavailable(f"Redis could not be started: {self._last_words()}") from None
                if time.monotonic() > until_s:
                    self.stop()
                    raise QueueUnavailable(
                        f"Redis was started, and did not answer in {READY_S:.0f} s: {error}. "
                        f"Its log is {self._log}."
                    ) from None
            time.sleep(0.02)

    @property
    def _log(self) -> Path:
        return self._settings.folder / LOG_NAME

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()[-20:]
        except OSError:
            lines = []
        bad = [line for line in lines if " # " in line or "FATAL" in line] or lines or ["it said nothing"]
        said = one_line(bad[-1].rpartition(" # ")[2]).rstrip(".")
        if any("already in use" in line for line in bad):
            port = urlsplit(self._settings.url).port or 6379
            said = (
                f"port {port} is in use by another program. "
                f"End that one, or choose another port: --redis localhost:{port + 1}"
            )
        return f"{said}. Its log is {self._log}."


def _configuration(settings: OwnSettings) -> Iterator[str]:
    parts = urlsplit(settings.url)
    yield f"port {parts.port or 6379}"
    yield "bind 127.0.0.1 -::1"  # clients of Cluster Serving know no sockets
    if settings.socket:
        yield f"unixsocket {_quoted(str(settings.socket))}"
        yield "unixsocketperm 700"
    if parts.password:
        yield f"requirepass {_quoted(unquote(parts.password))}"
    yield f"dir {_quoted(str(settings.folder.resolve()))}"
    yield f"logfile {_quoted(LOG_NAME)}"
    yield "daemonize no"
    yield 'save ""'
    yield "appendonly yes"
    yield f"appendfsync {settings.fsync}"
    yield f"maxmemory {settings.max_memory_bytes}"
    yield "maxmemory-policy noeviction"
    yield f"databases {max(16, database(settings.url) + 1)}"


def _quoted(text: str) -> str:
    """As redis.conf wants it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
