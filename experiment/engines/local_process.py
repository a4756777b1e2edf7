"""One process of the engine `local`: it keeps a worker running, or it does one item after another."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from common.processes import end_with_parent
from experiment.engines.answers import answer_of, words
from experiment.engines.base import EngineFailed
from experiment.engines.restarts import Restarts, and_again
from experiment.errors import PixelcostError

HOPELESS: Final = 3  # exit code: a restart would not mend it

_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy locks of threads and gRPC's state


class Kept:
    """The process of one worker, which is started again when it ends."""

    def __init__(
        self, work: Callable[[str, Any], None], name: str, settings: Any, say: Callable[[str], None]
    ):
        self._arguments = (work, name, settings)
        self._name = name
        self._say = say
        self._process: Any = None
        self._told: Connection | None = None
        self._restarts = Restarts()
        self._started_s = self._start_at_s = 0.0

    def start(self) -> None:
        """Start it."""
        self._told, theirs = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(
            target=_work, args=(*self._arguments, theirs), name=self._name, daemon=True
        )
        self._process.start()
        theirs.close()
        self._started_s = time.monotonic()

    def look(self) -> None:
        """Start it again if it has ended. Raises EngineFailed if that would not help."""
        if self._process is None:
            if time.monotonic() >= self._start_at_s:
                self.start()
            return
        if self._process.is_alive():
            return
        code, why = self._process.exitcode, self._last_words()
        self._process.close()
        self._process = None
        if code == HOPELESS:
            raise EngineFailed(why or f"The worker {self._name} gave up.")
        how = f"was killed by signal {-code}" if code < 0 else "failed" if why else "ended"
        what = f"Worker {self._name} {how}{f': {why}' if why else '.'}"
        pause_s = self._restarts.pause_s(what, time.monotonic() - self._started_s, was_killed=code < 0)
        self._start_at_s = time.monotonic() + pause_s
        self._say(and_again(what, pause_s))

    def ask_to_end(self) -> None:
        """Let it finish what it is at."""
        if self._process is not None:
            self._process.terminate()

    def wait_for_end(self, until_s: float) -> None:
        """Until it has ended, at the latest at `until_s` (monotonic)."""
        if self._process is not None:
            self._process.join(max(0.0, until_s - time.monotonic()))

    def kill(self) -> None:
        """At once, if it still runs."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _last_words(self) -> str:
        try:
            return str(self._told.recv()) if self._told and self._told.poll() else ""
        except (EOFError, OSError):
            return ""


class Hand:
    """A process that does one item at a time."""

    def __init__(self, task: Callable[[Any], Any]):
        self._task = task
        self.item: Any = None
        self.is_busy = False
        self.deaths = 0  # with the item that it has now
        self._start()

    def give(self, item: Any) -> None:
        """Begin an item."""
        self.item, self.is_busy, self.deaths = item, True, 0
        self._send()

    def start_again(self) -> None:
        """A new process begins the item that the dead one had."""
        self._start()
        self._send()

    def answer(self) -> tuple[bool, Any] | None:
        """Whether the item was done, and what was found or raised; None: the process died."""
        try:
            is_found, value = self.answers.recv()
        except (EOFError, OSError):
            self.deaths += 1
            self._close()
            return None
        self.item, self.is_busy = None, False
        return is_found, value

    def end(self) -> None:
        """At once; what it is at is lost."""
        self._close()

    def _start(self) -> None:
        self.answers, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_do_items, args=(self._task, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # it died before: answer() will say so
            self.answers.send(self.item)

    def _close(self) -> None:
        self.answers.close()
        self._process.kill()
        self._process.join()


def _work(work: Callable[[str, Any], None], name: str, settings: Any, told: Connection) -> None:
    _begin_child()
    try:
        work(name, settings)
    except PixelcostError as error:
        told.send(error.message)
        sys.exit(HOPELESS)
    except Exception as bug:
        traceback.print_exc()
        told.send(words(bug))
        sys.exit(1)


def _do_items(task: Callable[[Any], Any], pipe: Connection) -> None:
    _begin_child()
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(answer_of(task, item))
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as unsent:
            pipe.send((False, EngineFailed(f"What a task found can't be sent: {words(unsent)}")))


def _begin_child() -> None:
    """Ctrl-C reaches all processes of a terminal; the parent alone decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it died before end_with_parent()
        sys.exit(1)
