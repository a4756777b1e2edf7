"""Worker processes that are started again when they die, under the same names."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

RESTART_S = 0.3  # as long as a supervisor takes to notice

# A server of fresh copies: no process inherits another one's connections or threads, and a start takes 20 ms.
spawned = multiprocessing.get_context("forkserver")
spawned.set_forkserver_preload(["bench.queue.new_rules", "bench.queue.old_rules"])


class Fleet:
    """Keeps one process running for each name."""

    def __init__(self, work: Callable[..., None], names: Sequence[str], arguments: tuple[Any, ...]):
        self._work, self._arguments = work, arguments
        self._ended = threading.Event()
        self._processes = {name: self._started(name) for name in names}
        self._paused: set[str] = set()
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self._thread.start()

    @property
    def names(self) -> list[str]:
        return list(self._processes)

    def kill(self, name: str) -> bool:
        """SIGKILL; whether there was a process to kill."""
        process = self._processes[name]
        if name in self._paused or not process.is_alive():
            return False
        process.kill()
        process.join()
        return True

    def pause(self, name: str) -> bool:
        """SIGSTOP, until resume()."""
        self._paused.add(name)
        return self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._paused.discard(name)
        self._signal(name, signal.SIGCONT)

    def end(self) -> None:
        """Stop them all, and wait for it."""
        self._ended.set()
        self._thread.join()
        for name, process in self._processes.items():
            self.resume(name)
            process.terminate()
        for process in self._processes.values():
            process.join(20)
            process.kill()

    def _signal(self, name: str, number: int) -> bool:
        process = self._processes[name]
        if not process.is_alive() or process.pid is None:
            return False
        os.kill(process.pid, number)
        return True

    def _started(self, name: str) -> Any:
        process = spawned.Process(target=self._work, args=(name, *self._arguments), name=name)
        process.start()
        return process

    def _watch(self) -> None:
        while not self._ended.wait(RESTART_S):
            for name, process in self._processes.items():
                if not process.is_alive():
                    self._processes[name] = self._started(name)


@contextmanager
def fleet(work: Callable[..., None], names: Sequence[str], *arguments: Any) -> Iterator[Fleet]:
    """`work(name, *arguments)` in a process for each name until the end of the block."""
    started = Fleet(work, names, arguments)
    try:
        yield started
    finally:
        started.end()
