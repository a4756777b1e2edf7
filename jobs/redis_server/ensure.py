"""Makes sure that a Redis answers: the one at the URL, else one of our own in the data folder."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

import redis

from common.addresses import is_ip_address
from experiment.queue.connection import QueueUnavailable, connection, place_of, sentence
from jobs.redis_server.own import OwnServer, OwnSettings

FOLDER: Final = "redis"  # in the data folder
LOCK_NAME: Final = "in-use-by"
WATCH_S: Final = 0.5
LOADED_S: Final = 120.0
MOST_MEMORY_BYTES: Final = 8 << 30  # Cluster Serving's default
LEAST_MEMORY_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis that answers."""

    url: str  # for the processes of this command
    address: str  # as people read it: "localhost:6379"
    started: bool  # by this command, and ended with it
    folder: Path | None = None  # with its data and log; None: not ours


@contextmanager
def ensure(
    url: str,
    data_dir: Path,
    say: Callable[[str], None] = lambda text: None,
    max_memory_bytes: int | None = None,
    fsync: str = "everysec",
) -> Iterator[Place]:
    """A Redis that answers during the block; if none does at `url` and that is this machine, one is started.

    `max_memory_bytes` and `fsync` are for that one; None: a quarter of the machine's memory, at most 8 GiB.
    It keeps its data for the next start, is started again if it dies, and ends with the block or with this
    process. Raises QueueUnavailable.
    """
    place = place_of(url)
    if _answers(url):
        yield Place(url, place, started=False)
        return
    if not _is_here(url):
        raise QueueUnavailable(f"Redis at {place} can't be reached. Is it running there?")
    memory = max_memory_bytes or default_memory_bytes()
    settings = OwnSettings(data_dir / FOLDER, url, memory, fsync)
    with _claimed(settings.folder):
        keeper = _Keeper(OwnServer(settings), say)
        keeper.start()
        try:
            yield Place(settings.own_url, place, started=True, folder=settings.folder)
        finally:
            keeper.end()


def default_memory_bytes() -> int:
    """A quarter of this machine's or container's memory, from 64 MiB to 8 GiB: a rewrite of the append-only
    file may need as much again, and the model server needs the rest."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        whole = min(whole, int(limit)) if limit.isdigit() else whole
    except OSError:
        pass
    return min(max(whole // 4, LEAST_MEMORY_BYTES), MOST_MEMORY_BYTES)


class _Keeper:
    """Starts the server in a thread of its own, which starts it again if it dies.

    The kernel ends the server when the thread that started it is gone, so one thread does all starts.
    """

    def __init__(self, server: OwnServer, say: Callable[[str], None]):
        self._server = server
        self._say = say
        self._stop = threading.Event()
        self._is_ready = threading.Event()
        self._failure: QueueUnavailable | None = None
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)

    def start(self) -> None:
        """Return when it answers. Raises QueueUnavailable."""
        self._thread.start()
        self._is_ready.wait()
        if self._failure:
            raise self._failure

    def end(self) -> None:
        """Stop the server."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._server.start()
        except QueueUnavailable as failure:
            self._failure = failure
            self._stop.set()
        finally:
            self._is_ready.set()
        while not self._stop.wait(WATCH_S):
            if self._server.pid is None:
                self._start_again()
        self._server.stop()

    def _start_again(self) -> None:
        self._say("Redis has ended. It is started again with its data.")
        try:
            self._server.start()
        except QueueUnavailable as failure:
            self._say(failure.message)
            self._stop.wait(5.0)


def _answers(url: str) -> bool:
    """Whether a Redis is there; one that loads its data is waited for. Raises QueueUnavailable if there is
    one that can't be used, or a server that is not Redis."""
    until_s = time.monotonic() + LOADED_S
    while True:
        try:
            with connection(url, retries=0) as client:
                client.ping()
            return True
        except redis.InvalidResponse:
            raise QueueUnavailable(f"What answers at {place_of(url)} is not Redis.") from None
        except redis.BusyLoadingError as error:
            if time.monotonic() > until_s:
                raise QueueUnavailable(sentence(error, url)) from None
            time.sleep(0.2)
        except redis.AuthenticationError as error:
            raise QueueUnavailable(sentence(error, url)) from None
        except redis.ConnectionError:
            return False
        except redis.RedisError as error:
            raise QueueUnavailable(sentence(error, url)) from None


def _is_here(url: str) -> bool:
    """Whether one may be started there: plain TCP on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_loopback = ip_address(host).is_loopback if is_ip_address(host) else host == "localhost"
    return parts.scheme == "redis" and is_loopback and parts.username in {None, "", "default"}


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Nobody else starts a server on these files meanwhile. Raises QueueUnavailable."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock: IO[str] = (folder / LOCK_NAME).open("a+")
    except OSError as error:
        raise QueueUnavailable(
            f"The folder {folder} for Redis' data can't be used: {error.strerror}. "
            "Set PIXELCOST_DATA_DIR to another folder."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = (folder / LOCK_NAME).read_text("ascii") or "unknown"
            raise QueueUnavailable(
                f"Process {owner} runs a Redis on {folder}, at another address than this one asks for. "
                "Use that address, or set PIXELCOST_DATA_DIR to another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
