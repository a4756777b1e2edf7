"""running_stub(): the stub server as a child process, for as long as a `with` block lasts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiment.records import BackendInfo

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub server that runs, as two backends."""

    grpc: BackendInfo
    rest: BackendInfo
    pid: int


@contextmanager
def running_stub(
    service_ms: float = 20.0,
    times: Path | None = None,
    one_at_a_time: bool = False,
    most: int | None = None,
) -> Iterator[Stub]:
    """Start one, on loopback. Service times are `service_ms`, or those of the file `times` in turn."""
    command = [sys.executable, "-m", "loadtest.cross_check.stub_server", "--service-ms", f"{service_ms:f}"]
    command += ["--times", str(times)] if times else []
    command += ["--one-at-a-time"] if one_at_a_time else []
    command += ["--most", str(most)] if most else []
    pipe = subprocess.PIPE
    # A session of its own: Ctrl-C in the terminal is for who sends.
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101  it is a pipe
            addresses = json.loads(process.stdout.readline() or "{}")
            if not addresses:
                raise RuntimeError(f"The stub server did not start; it ended with {process.wait()}.")
            yield Stub(
                grpc=BackendInfo("stub over gRPC", address=addresses["grpc"]),
                rest=BackendInfo("stub over REST", protocol="rest", address=addresses["rest"]),
                pid=process.pid,
            )
        finally:
            process.kill()  # it holds nothing that has to be kept, and may be stopped by SIGSTOP
