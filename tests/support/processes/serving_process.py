"""A real `python -m serving` on free ports, with its output shown when it dies."""

from __future__ import annotations

import functools
import io
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image

from models.catalogue.table import DEFAULT
from tests.support.locks import alone_in
from tests.support.processes.app_process import free_port

ROOT = Path(__file__).resolve().parents[3]
MODEL = "inception"
READY = f"serving {MODEL} version"
START_TIMEOUT_S = 120


@functools.cache
def default_model_dir() -> Path:
    """Base path of the exported default model. Exported once; later test runs find it there."""
    out = ROOT / "var" / "tests" / "models" / "default"
    command = [sys.executable, "-m", "models", "export", DEFAULT, "--out", str(out)]
    with alone_in(out.parent):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@dataclass(frozen=True)
class ServingProcess:
    """A started server. Ports may not answer yet unless it is ready."""

    process: subprocess.Popen[bytes]
    grpc_address: str
    rest_url: str  # of the model: http://127.0.0.1:port/v1/models/inception
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """Everything it printed so far."""
        return self.log_path.read_text("utf-8", "replace")

    def wait_ready(self) -> None:
        """Return when it says so; fail with all it printed when it ends instead."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while READY not in self.log():
            assert self.process.poll() is None, f"the server ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log()}"
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def start_server(
    *flags: str, model_dir: Path | None = None, wait: bool = True, launcher: tuple[str, ...] = ()
) -> Iterator[ServingProcess]:
    """A server on 127.0.0.1, ended at the end. `wait=False`: yield at once, before it is ready.

    `flags` are added to the ports, the model and `--device cpu`; `launcher` comes before the command.
    """
    with tempfile.NamedTemporaryFile(prefix="serving-", suffix=".log") as log_file:
        server = _launch(flags, model_dir or default_model_dir(), launcher, log_file)
        try:
            if wait:
                server.wait_ready()
            yield server
        finally:
            server.process.kill()
            server.process.wait()


def run_server(*flags: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """For starts that are refused: the flags as they are, run to the end."""
    command = [sys.executable, "-m", "serving", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def _launch(
    flags: tuple[str, ...], model_dir: Path, launcher: tuple[str, ...], log_file: IO[bytes]
) -> ServingProcess:
    grpc_port, rest_port = free_port(), free_port()
    command = [
        *(*launcher, sys.executable, "-m", "serving", "--host", "127.0.0.1", "--device", "cpu"),
        *("--port", str(grpc_port), "--rest_api_port", str(rest_port)),
        *("--model_name", MODEL, "--model_base_path", str(model_dir), *flags),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file)
    rest_url = f"http://127.0.0.1:{rest_port}/v1/models/{MODEL}"
    return ServingProcess(process, f"127.0.0.1:{grpc_port}", rest_url, Path(log_file.name))


def picture(image_format: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    """A small encoded image: a gradient, so that no decoder gets away with nothing."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(buffer, image_format)
    return buffer.getvalue()
