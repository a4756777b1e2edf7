"""A live gateway: `python -m gateway` under gunicorn on a free port, and a worker of its queue."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiment.queue.records import QueueSettings
from tests.support.processes.app_process import free_port
from tests.support.processes.web_process import HttpProcess

ROOT = Path(__file__).resolve().parents[3]


class GatewayProcess(HttpProcess):
    """A started gateway. `url` is its own address, `frontend_url` that of Cluster Serving's front end."""

    def __init__(self, folder: Path, *options: str):
        self.port, self.frontend_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.frontend_url = f"http://127.0.0.1:{self.frontend_port}"
        self.log_path = folder / "gateway.log"
        ports = ("--port", str(self.port), "--frontend_port", str(self.frontend_port))
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *ports, *options],
                cwd=ROOT,
                env={key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@contextmanager
def running_gateway(folder: Path, queue: QueueSettings, *options: str) -> Iterator[GatewayProcess]:
    """A ready gateway of this queue. It must end by itself when it is asked to."""
    named = ("--redis_url", queue.url, "--stream", queue.stream, "--most_jobs", str(queue.most_jobs))
    gateway = GatewayProcess(folder, *named, *options)
    try:
        gateway.wait_ready()
        yield gateway
        gateway.process.terminate()
        assert gateway.process.wait(30) == 0, gateway.log()
    finally:
        gateway.process.kill()
        gateway.process.wait()
