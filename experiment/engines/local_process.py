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
from experiment.engines.base import EngineFailed
from experiment.errors import PixelcostError
from experiment.wording import one_line

EARLY_S: Final = 10.0  # one that fails sooner than this has not worked
PAUSES_S: Final = (0.0, 1, 2, 5, 10)  # before a restart, by how often it failed early; then it is given up
KILLED_EARLY_S: Final = 1.0  # killed sooner: the same pause before the restart, in case it is out of memory
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
        self._early_failures = 0
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
        pause_s = self._pause_s(code, what)
        self._start_at_s = time.monotonic() + pause_s
        self._say(f"{what} It is started again {f'in {pause_s:g} s' if pause_s else 'now'}.")

    def _pause_s(self, code: int, what: str) -> float:
        """Before it is started again. Raises EngineFailed if it failed too often."""
        lived_s = time.monotonic() - self._started_s
        if code < 0:
            return 0.0 if lived_s >= KILLED_EARLY_S else KILLED_EARLY_S
        self._early_failures = self._early_failures + 1 if lived_s < EARLY_S else 0
        if self._early_failures > len(PAUSES_S):
            raise EngineFailed(
                f"{what} That was the {self._early_failures}th time in a row, right after its start."
            )
        return PAUSES_S[max(self._early_failures - 1, 0)]

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
        told.send(_words(bug))
        sys.exit(1)


def _do_items(task: Callable[[Any], Any], pipe: Connection) -> None:
    _begin_child()
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, task(item))
        except Exception as error:
            answer = (False, _sendable(error))
        try:
            pipe.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as unsent:
            pipe.send((False, EngineFailed(f"What a task found can't be sent: {_words(unsent)}")))


def _sendable(error: Exception) -> Exception:
    """The error itself if it survives being pickled, else its words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:
        return EngineFailed(_words(error))
    return error


def _begin_child() -> None:
    """Ctrl-C reaches all processes of a terminal; the parent alone decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it died before end_with_parent()
        sys.exit(1)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(str(error), 200)}"
