"""The processes that are measured: our server, the same model without a server, and bare echoes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.support.errors import CannotRun
from bench.support.servables import ROOT

MODEL = "m"


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Child:
    """A Python process that says a line when it is ready, then answers lines with lines."""

    process: subprocess.Popen[str]
    errors: IO[str]

    def line(self) -> str:
        """The next one it says. Raises CannotRun with its last words when it ends instead."""
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return line
        self.process.wait()
        self.errors.seek(0)
        raise CannotRun(f"{self.process.args!r} ended:\n{self.errors.read()[-2000:]}")

    def ask(self, line: str) -> str:
        """Say a line, get one."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        return self.line()


@contextmanager
def child(*arguments: str) -> Iterator[Child]:
    """`python ARGUMENTS`, ended with the block."""
    command, pipe = [sys.executable, *arguments], subprocess.PIPE
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=errors, text=True, bufsize=1
        )
        try:
            yield Child(process, errors)
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    address: str
    pid: int


@contextmanager
def server(model: Path, core: int, *flags: str) -> Iterator[Served]:
    """`python -m serving` on one core."""
    port = free_port()
    own = ("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--cores", str(core))
    named = ("--model_name", MODEL, "--model_base_path", str(model))
    with child("-m", "serving", *own, *named, *flags) as process:
        process.line()
        yield Served(f"127.0.0.1:{port}", process.process.pid)


@dataclass(frozen=True)
class Loop:
    """The same model in a process that computes and nothing else."""

    process: Child

    def times_ms(self, count: int) -> list[float]:
        """One photo, so many times."""
        return [float(ms) for ms in json.loads(self.process.ask(str(count)))]


@contextmanager
def loop(model: Path, core: int, photo: Path, **how: Any) -> Iterator[Loop]:
    """Ready and warm. `how`: runtime, precision and signature, see `bench.support.loop`."""
    facts = {"model": str(model / "1"), "core": core, "photo": str(photo), **how}
    with child("-m", "bench.support.loop", json.dumps(facts)) as process:
        process.line()
        yield Loop(process)


@dataclass(frozen=True)
class Echoes:
    """Ports of the bare servers."""

    grpc_address: str
    tcp_port: int


@contextmanager
def echoes(
    core: int, answer_bytes: int, model: Path | None = None, photo: Path | None = None
) -> Iterator[Echoes]:
    """What answers anything with so many bytes, over gRPC and over plain TCP, on one core.

    With a model and a photo the gRPC one computes before it answers.
    """
    facts: dict[str, Any] = {"core": core, "answer_bytes": answer_bytes}
    if model and photo:
        facts |= {"model": str(model / "1"), "photo": str(photo)}
    with child("-m", "bench.support.echo", json.dumps(facts)) as process:
        grpc_port, tcp_port = process.line().split()
        yield Echoes(f"127.0.0.1:{grpc_port}", int(tcp_port))
