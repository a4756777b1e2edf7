"""The model server of the folder of models: one `python -m serving`, started again when it ends."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from common.addresses import free_port
from common.processes import end
from gateway.models.catalog import VERSIONS, Model, replace_file

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = "models.config"
POLL_S: Final = 1
LOOK_S: Final = 0.2
ANSWER_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 8.0
LONGEST_PAUSE_S: Final = 30.0  # before another start
DIRECTLY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy: it is this machine

log = logging.getLogger(__name__)


class Status(NamedTuple):
    """What the server says about one version of a model."""

    state: str = ""  # AVAILABLE, LOADING, ...; empty: it does not know the version (yet)
    reason: str = ""


def cpu_quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """CPUs that a container may use, at least one; None: as many as the machine has.

    More threads than that would be stopped for the rest of each period when the quota is used up.
    """
    try:
        quota, period = file.read_text("ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no container, or "max"
        return None


class ModelServer:
    """Serves what it is given, and takes another list while it runs."""

    def __init__(self, cache: Path):
        self._cache = cache
        self._config = cache / CONFIG
        self._port, self._rest_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._listed: Sequence[Model] = ()
        self._is_up = False
        self._writing = threading.Lock()
        self._ends = threading.Event()
        self._watcher = threading.Thread(target=self._keep_running, name="model-server", daemon=True)

    @property
    def address(self) -> str:
        """host:port of its gRPC."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Of its process; None before the start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it. It is not up yet when this returns."""
        self._watcher.start()

    def serve(self, models: Sequence[Model]) -> None:
        """Have it serve the newest version of each of these models, as soon as it looks at its file."""
        with self._writing:
            self._listed = models
            if self._is_up:
                self._write(models)

    def status(self, model: Model) -> Status:
        """What it says about the version that it is to load."""
        path = f"/v1/models/{model.id}/versions/{model.next_version}"
        try:
            with self._asked(path) as answer:
                (found,) = json.load(answer)["model_version_status"]
                return Status(str(found["state"]), str(found["status"].get("error_message", "")))
        except (OSError, ValueError, KeyError, TypeError):  # it starts, or has not seen the file yet
            return Status()

    def stop(self) -> None:
        """End it."""
        self._ends.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self._process and self._process.poll() is None:
            end(self._process, STOP_TIMEOUT_S)

    def _keep_running(self) -> None:
        pause_s = 1.0
        while not self._ends.is_set():
            began = time.monotonic()
            self._start()
            while self._process and self._process.poll() is None and not self._ends.wait(LOOK_S):
                self._give_list()
            if self._ends.is_set():
                return
            code = self._process.returncode if self._process else None
            log.error("The model server ended (exit code %s); it is started again.", code)
            pause_s = 1.0 if time.monotonic() - began > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            self._ends.wait(pause_s)

    def _start(self) -> None:
        """Start it without models: one bad model in the list would keep it from starting."""
        with self._writing:
            self._is_up = False
            self._write([])
        self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, cwd=ROOT)

    def _give_list(self) -> None:
        """Give it the list as soon as it answers."""
        if self._is_up:
            return
        try:
            self._asked("/v1/models/none").close()
        except urllib.error.HTTPError:  # it knows no such model: it answers
            with self._writing:
                self._is_up = True
                self._write(self._listed)
        except OSError:
            pass

    def _write(self, models: Sequence[Model]) -> None:
        rows = [
            f"config {{ name: {json.dumps(model.id)} base_path: {json.dumps(str(self._folder(model)))} "
            "model_version_policy { specific { "
            f"versions: {model.next_version or model.version} }} }} }}"
            for model in models
        ]
        replace_file(self._config, "\n".join(["model_config_list {", *rows, "}"]))

    def _folder(self, model: Model) -> Path:
        return (self._cache / VERSIONS / model.id).resolve()

    def _asked(self, path: str) -> Any:
        return DIRECTLY.open(f"http://127.0.0.1:{self._rest_port}{path}", timeout=ANSWER_TIMEOUT_S)

    def _command(self) -> list[str]:
        flags: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self._port,
            "rest_api_port": self._rest_port,
            "model_config_file": self._config,
            "model_config_file_poll_wait_seconds": POLL_S,
        }
        if threads := cpu_quota():
            flags["tensorflow_session_parallelism"] = threads
        given = [f"--{name}={value}" for name, value in flags.items()]
        return [sys.executable, "-m", "serving", *given, "--exit_with_parent"]
