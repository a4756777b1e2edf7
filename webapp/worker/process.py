"""The timing process, as the web process sees it: started, sent a task, read from, ended."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from webapp.worker.pipe import Job, Message, Task, message_in

ROOT = Path(__file__).resolve().parents[2]
WORKER_COMMAND = (sys.executable, "-m", "webapp.worker")
PIECE_BYTES = 1_000_000
END_GRACE_S = 5.0
# The environment variables that it gets: how to run, how to reach backends. No token, no database URL.
_PASSED_ON = re.compile(
    "PATH|HOME|TMPDIR|TZ|LANG|LC_.*|PYTHON.*|VIRTUAL_ENV|LD_LIBRARY_PATH|COVERAGE_.*|PIXELCOST_TEST_.*"
    "|(http|https|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GRPC_.*"
    "|(OMP|OPENBLAS|MKL|MALLOC)_.*|KUBERNETES_SERVICE_HOST",
    re.IGNORECASE,
)


class WorkerProcess:
    """One timing process. It ends when this process does, because its standard input closes."""

    def __init__(self, command: Sequence[str] = WORKER_COMMAND):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if _PASSED_ON.fullmatch(key)},
            start_new_session=True,  # a Ctrl-C in the terminal is for the web process alone
        )
        assert self._process.stdin and self._process.stdout  # noqa: S101  both are pipes
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._writing = threading.Lock()
        self.pid = self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def send(self, task: Task[Job], content: Iterable[bytes]) -> None:
        """Send its one task, then the parts of the job. If it has died, messages() ends."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(task.line())
            for piece in content:
                self._stdin.write(piece)
            self._stdin.flush()

    def say(self, command: str) -> None:
        """Send "go", "read" or "cancel"."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._stdin.write(command.encode() + b"\n")
            self._stdin.flush()

    def messages(self) -> Iterator[Message]:
        """Its messages, until it closes its output or dies."""
        while line := self._stdout.readline():
            if not line.endswith(b"\n"):
                return  # it died in the middle of a line
            yield message_in(line)

    def read(self, size_bytes: int) -> Iterator[bytes]:
        """The bytes that follow a message, in pieces. They must be read before the next message."""
        while size_bytes > 0:
            piece = self._stdout.read(min(size_bytes, PIECE_BYTES))
            if not piece:
                return
            size_bytes -= len(piece)
            yield piece

    def kill(self) -> None:
        """End it now. What it has written can still be read."""
        self._process.kill()

    def close(self) -> int:
        """Wait for its end, kill it after END_GRACE_S, and close its pipes. Returns the exit code."""
        with self._writing, contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(END_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        return self._process.returncode


class SpareProcess:
    """One timing process in advance, so that a run does not wait for its start."""

    def __init__(self, command: Sequence[str] = WORKER_COMMAND):
        self._command = command
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._closed = False

    def take(self) -> WorkerProcess:
        """The spare if there is a live one, else a new process."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.is_alive:
            return process
        if process is not None:
            process.close()
        return WorkerProcess(self._command)

    def refill(self) -> None:
        """Start a spare if there is none. Call it while nothing is measured."""
        with self._lock:
            if self._process is None and not self._closed:
                self._process = WorkerProcess(self._command)

    def close(self) -> None:
        """End the spare, and start no more."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()
