"""A live web process: gunicorn with our settings on a free port, the scripted worker behind it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.processes.app_process import children_of, free_port
from tests.support.processes.webapp_parts import NOWHERE, SCRIPTED, photo_bytes

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 60


class HttpProcess:
    """A started gunicorn, the master. Whoever starts it sets these."""

    url: str
    log_path: Path
    process: subprocess.Popen[bytes]

    def wait_ready(self) -> None:
        """Return when it answers; fail with its log when it ends instead."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended:\n{self.log()}"
            try:
                requests.get(f"{self.url}/healthz", timeout=5)
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"it does not answer:\n{self.log()}")

    def log(self) -> str:
        """Everything it printed so far."""
        return self.log_path.read_text("utf-8", "replace")

    @property
    def worker_pid(self) -> int:
        """The process that serves: gunicorn's only direct child; 0 while there is none."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def memory_mb(self) -> float:
        """Resident memory of the process that serves."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.worker_pid}/status").read_text())
        assert found
        return int(found[1]) / 1024


class WebProcess(HttpProcess):
    """A started gunicorn. `pid` is the master's, `worker_pid` that of the process that serves."""

    def __init__(self, folder: Path, worker_command: tuple[str, ...] = SCRIPTED, **environ: str):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = folder / "web.log"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")}
        clean |= {"PORT": str(self.port), "PIXELCOST_DATA_DIR": str(folder), "TF_SERVERS": f"1 CPU:{NOWHERE}"}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "-c", "webapp/gunicorn_conf.py"),
                    f"webapp:create_app(None, {worker_command!r})",
                ],
                cwd=ROOT,
                env=clean | environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def post(self, name: str = "cat.png", plan: str = "{}", data: bytes | None = None) -> requests.Response:
        """POST /api/runs."""
        files = {"file": (name, photo_bytes() if data is None else data)}
        return requests.post(f"{self.url}/api/runs", files=files, data={"plan": plan}, timeout=60)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET any path."""
        return requests.get(self.url + path, timeout=60, **options)

    def finished(self, run_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """The report once the run has ended. A stream over the limit ends early, so ask again."""
        deadline = time.monotonic() + timeout_s
        while True:
            stream = requests.get(f"{self.url}/api/runs/{run_id}/events", timeout=timeout_s)
            if "event: end" in stream.text:
                report: dict[str, Any] = self.get(f"/api/runs/{run_id}").json()
                return report
            assert time.monotonic() < deadline, f"run {run_id} did not end: {stream.text[-500:]}"
            time.sleep(0.1)

    def connect(self) -> socket.socket:
        """A bare connection, for what no client library would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def descendants(self) -> list[int]:
        """Every process that it started."""
        return children_of(self.process.pid)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the master and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def web_process(folder: Path, **options: Any) -> Iterator[WebProcess]:
    """A ready web process, ended at the end."""
    web = WebProcess(folder, **options)
    try:
        web.wait_ready()
        yield web
    finally:
        if web.process.poll() is None:
            web.stop()
