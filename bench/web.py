"""The web process: how soon it answers, how much memory it takes, what it has loaded.

Targets: under 2 s from start to the first answer, under 150 MB after serving, and none
of TensorFlow's libraries mapped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.support.errors import CannotRun
from bench.support.processes import free_port
from bench.sweep import stub_server

ROOT = Path(__file__).resolve().parent.parent
CAT = ROOT / "static" / "samples" / "cat.png"
START_LIMIT_S = 30.0
PAGES = ("/", "/api/backends", "/api/config", "/api/schema", "/api/runs", "/metrics")


def bench() -> list[str]:
    """The lines to print."""
    with tempfile.TemporaryDirectory() as folder, stub_server(5) as port:
        started = time.perf_counter()
        with web(folder, port) as (url, process):
            start_s = time.perf_counter() - started
            idle_mb = worker_memory_mb(process.pid)
            _use(url)
            used_mb = worker_memory_mb(process.pid)
            worker = _worker_of(process.pid)
            libraries = len(
                set(re.findall(r"\S*/tensorflow/\S+\.so\S*", Path(f"/proc/{worker}/maps").read_text()))
            )
    return [
        f"start to first answer                            {start_s:.2f} s   (target < 2 s)",
        f"memory of the web process, idle                  {idle_mb:.0f} MB",
        f"memory after a run, its exports and 60 pages     {used_mb:.0f} MB   (target < 150 MB)",
        f"TensorFlow libraries in it                       {libraries}   (target 0)",
    ]


def _use(url: str) -> None:
    """One run with every export, then ten visits to each page."""
    with CAT.open("rb") as photo:
        answer = _directly().post(f"{url}/api/runs", files={"file": photo}, timeout=30).json()
    while json.loads(_get(f"{url}{answer['report_url']}"))["state"] in {"queued", "running"}:
        time.sleep(0.2)
    for suffix in (".csv", ".html", ".zip", "/figures"):
        _get(f"{url}{answer['report_url']}{suffix}")
    for path in PAGES * 10:
        _get(url + path)


def _get(url: str) -> bytes:
    return _directly().get(url, timeout=30).content


def _directly() -> requests.Session:
    """This machine asks itself: never through a proxy."""
    session = requests.Session()
    session.trust_env = False
    return session


@contextmanager
def web(folder: str, port: int, tree: Path = ROOT) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """gunicorn as a container starts it, with the source in `tree`, in front of one stub server."""
    web_port = free_port()
    environ = os.environ | {
        "TF_SERVERS": f"stub:127.0.0.1:{port}",
        "PORT": str(web_port),
        "PIXELCOST_DATA_DIR": folder,
        "PIXELCOST_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()"]
    url = f"http://127.0.0.1:{web_port}"
    process = subprocess.Popen(command, cwd=tree, env=environ)
    try:
        _wait_for(f"{url}/healthz", process)
        yield url, process
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _get(url)
            return
        except requests.ConnectionError:
            time.sleep(0.01)
    raise CannotRun(f"The web process gave no answer within {START_LIMIT_S:.0f} s. Its messages stand above.")


def _worker_of(pid: int) -> int:
    """The gunicorn worker: the master's child that is gunicorn too, not a timing process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(child) for child in children if "gunicorn" in Path(f"/proc/{child}/cmdline").read_text())


def worker_memory_mb(pid: int) -> float:
    """Resident memory of the web process under the gunicorn that has this id."""
    status = Path(f"/proc/{_worker_of(pid)}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print("\n".join(bench()))
