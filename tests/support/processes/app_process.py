"""The whole app as a user starts it: `python -m webapp` on a free port, with a client."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[3]
CAT = ROOT / "static" / "samples" / "cat.png"
READY = "Pixelcost is ready: "
START_TIMEOUT_S = 240
IN_CHECKOUT = (sys.executable, "-u", "-m", "webapp")


class App:
    """A started app. `output` holds what it printed so far."""

    def __init__(
        self, data_dir: Path, command: Sequence[str] = IN_CHECKOUT, cwd: Path = ROOT, **environ: str
    ):
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")}
        clean |= {"PORT": str(self.port), "PIXELCOST_DATA_DIR": str(data_dir)}
        clean |= environ
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_ready(self) -> None:
        """Return when it says so; fail with all it printed when it ends instead."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            line = self._lines.get(timeout=START_TIMEOUT_S)
            if line is None:
                break
            if line.startswith(READY):
                return
        raise AssertionError("the app did not start:\n" + "".join(self.output))

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def post_run(self, photo: bytes, plan: str = "{}", name: str = "cat.png") -> requests.Response:
        """POST /api/runs."""
        return requests.post(
            f"{self.url}/api/runs", files={"file": (name, photo)}, data={"plan": plan}, timeout=30
        )

    def report(self, run_id: str) -> dict[str, Any]:
        """The report as it is now."""
        return requests.get(f"{self.url}/api/runs/{run_id}", timeout=30).json()

    def finished(self, run_id: str, timeout_s: float = 120) -> dict[str, Any]:
        """The report once the run has ended."""
        deadline = time.monotonic() + timeout_s
        while (report := self.report(run_id))["state"] in {"queued", "running"}:
            assert time.monotonic() < deadline, f"run {run_id} did not end: {report['requests']}"
            time.sleep(0.2)
        return report

    def backends(self) -> dict[str, dict[str, Any]]:
        """State of the backends by name, asked anew."""
        rows = requests.get(f"{self.url}/api/backends?refresh=1", timeout=30).json()["backends"]
        return {row["name"]: row for row in rows}


@contextmanager
def running_app(
    data_dir: Path, command: Sequence[str] = IN_CHECKOUT, cwd: Path = ROOT, **environ: str
) -> Iterator[App]:
    """A ready app; ended, with its children, at the end."""
    app = App(data_dir, command, cwd, **environ)
    try:
        app.wait_ready()
        yield app
    finally:
        if app.process.poll() is None:
            app.stop()


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """All descendants of a process that are alive."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
