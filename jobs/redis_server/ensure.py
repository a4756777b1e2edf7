"""Makes sure that a Redis answers: the one at the URL, else one of our own in the data folder."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import redis

from common.addresses import is_ip_address
from experiment.errors import PixelcostError
from experiment.queue.connection import QueueUnavailable, connection, place_of, sentence
from jobs.locks import Held, held, not_usable, note_of_holder
from jobs.redis_server.own import OwnServer, OwnSettings

FOLDER: Final = "redis"  # in the data folder
LOCK_NAME: Final = "in-use-by"
WATCH_S: Final = 0.5
LOADED_S: Final = 120.0
PAUSE_S: Final = 5.0  # after a start that failed
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
    memory = max_memory_bytes or default_memory_bytes()
    settings = OwnSettings(data_dir / FOLDER, url, memory, fsync)
    keeper = _Keeper(settings, say)
    is_there = _answers(url)
    if is_there and note_of_holder(settings.folder / LOCK_NAME) is None:
        yield Place(url, place_of(url), started=False)
        return
    if not is_there and not _is_here(url):
        raise QueueUnavailable(f"Redis at {place_of(url)} can't be reached. Is it running there?")
    keeper.start(is_heir=is_there)
    try:
        if is_there:
            yield Place(url, place_of(url), started=False)
        else:
            yield Place(settings.own_url, place_of(url), started=True, folder=settings.folder)
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

    The kernel ends the server when the thread that started it is gone, so one thread does all starts. An heir
    starts none as long as the one of another command on the same folder runs.
    """

    def __init__(self, settings: OwnSettings, say: Callable[[str], None]):
        self._settings = settings
        self._server = OwnServer(settings)
        self._say = say
        self._stop = threading.Event()
        self._is_ready = threading.Event()
        self._failure: PixelcostError | None = None
        self._lock = ExitStack()
        self._is_owner = False
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)

    def start(self, is_heir: bool) -> None:
        """Return when it answers; at once for an heir. Raises PixelcostError."""
        if is_heir:
            self._is_ready.set()
        self._thread.start()
        self._is_ready.wait()
        if self._failure:
            self._thread.join()
            raise self._failure

    def end(self) -> None:
        """Stop the server."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._lock:
            if not self._is_ready.is_set():
                try:
                    self._take_over()
                except PixelcostError as failure:
                    self._failure = failure
                    self._stop.set()
                self._is_ready.set()
            while not self._stop.wait(WATCH_S):
                self._look()
            self._server.stop()

    def _look(self) -> None:
        if self._is_owner and self._server.pid is not None:
            return
        try:
            if self._is_owner:
                self._say("Redis has ended. It is started again with its data.")
                self._server.start()
            elif note_of_holder(self._settings.folder / LOCK_NAME) is None and not _answers(
                self._settings.url
            ):
                self._say("The command that ran Redis has ended. This one runs it now, with its data.")
                self._take_over()
        except PixelcostError as failure:
            self._say(failure.message)
            self._stop.wait(PAUSE_S)

    def _take_over(self) -> None:
        folder = self._settings.folder
        try:
            if not self._is_owner:
                self._lock.enter_context(held(folder / LOCK_NAME, str(os.getpid())))
        except OSError as error:
            raise not_usable(folder / LOCK_NAME, error) from None
        except Held as other:
            raise QueueUnavailable(
                f"Process {other.note or 'unknown'} runs a Redis on {folder}, at another address than this "
                "one asks for. Use that address, or set PIXELCOST_DATA_DIR to another folder."
            ) from None
        self._is_owner = True
        self._server.start()


def _answers(url: str) -> bool:
    """Whether a Redis is there; one that loads its data is waited for. Raises QueueUnavailable if there is
    one that can't be used, or a server that is not Redis."""
    until_s = time.monotonic() + LOADED_S
    while True:
        try:
            with connection(url, retries=0) as client:
                client.ping()
            return True
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
