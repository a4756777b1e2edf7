"""Starts what a deployment would start, as processes of this machine.

Commands, arguments and environment are those of the deployment's own files. What has to differ is
done here and nowhere else:

- images are played by this source tree: `tensorflow_model_server` by `python -m serving`, which takes
  its flags; the packages by those of the tests;
- volumes are folders;
- a place (an address of the loopback network, or a network namespace) stands for a container's own
  network. On loopback, names become addresses, and who listens on all addresses listens on its own.

GPUs are not played: the server that needs one is not started, and the page has to live with that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.deploy.deployments import MODEL, SERVING, WEB, Container
from tests.support.deploy.dockerfile import ROOT
from tests.support.processes.serving_process import default_model_dir

HEALTHY_TIMEOUT_S = 120
PROGRAMS = {
    "python": [sys.executable],
    "gunicorn": [sys.executable, "-m", "gunicorn"],
    "tensorflow_model_server": [sys.executable, "-m", "serving"],
}


class Place(Protocol):
    """Where a container's process runs."""

    address: str

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        ...

    def localised(self, text: str) -> str:
        """An argument or value, as it has to be there."""
        ...


@dataclass
class Started:
    """A running container."""

    container: Container
    place: Place
    process: subprocess.Popen[bytes]
    log_path: Path

    def log(self) -> str:
        """Everything it printed so far."""
        return self.log_path.read_text("utf-8", "replace")


@dataclass
class Rehearsal:
    """A deployment being rehearsed in `folder`. `places`: service -> one place for each replica."""

    folder: Path
    places: Mapping[str, Sequence[Place]]
    node: Place
    started: list[Started] = field(default_factory=list)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, containers: Sequence[Container]) -> None:
        """Fill the volumes, start everything, return when all are healthy."""
        for container in containers:
            if container.role == MODEL:
                self._run_to_the_end(container)
        for role in (SERVING, WEB):
            self._start_all([each for each in containers if each.role == role and not each.needs_gpu])
        for container in containers:
            for outside, inside in container.published.items():
                self._publish(outside, f"{self.places[container.service][0].address}:{inside}")

    def _start_all(self, containers: Sequence[Container]) -> None:
        started = [
            self._start(container, place)
            for container in containers
            for place in self.places[container.service]
        ]
        for each in started:
            self._wait_healthy(each)

    def stop(self) -> None:
        """End every process that was started."""
        for process in [*(each.process for each in self.started), *self.others]:
            process.kill()
            process.wait()

    def _run_to_the_end(self, container: Container) -> None:
        command = [str(default_model_dir()) if part == "/model" else part for part in container.command]
        done = subprocess.run(
            self._command(container, command),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _start(self, container: Container, place: Place) -> Started:
        log_path = self.folder / f"{container.service}-{place.address}.log"
        command = [place.localised(part) for part in self._command(container, container.command)]
        if container.command[0] == "tensorflow_model_server":
            command += [place.localised("--host=0.0.0.0")]
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                place.wrapped(command),
                cwd=ROOT,
                env=self._environ(container, place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(Started(container, place, process, log_path))
        return self.started[-1]

    def _command(self, container: Container, command: Sequence[str]) -> list[str]:
        program, *arguments = command
        return [*PROGRAMS[program], *(self._in_folders(container, part) for part in arguments)]

    def _environ(self, container: Container, place: Place) -> dict[str, str]:
        """The container's, but for what says where the image keeps its programs."""
        own = {key: value for key, value in container.environ.items() if key not in {"PATH", "PYTHONPATH"}}
        moved = {key: place.localised(self._in_folders(container, value)) for key, value in own.items()}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **moved}

    def _in_folders(self, container: Container, text: str) -> str:
        """`text` with the paths of volumes replaced by their folders."""
        folders = {path: self.folder / "volumes" / volume for path, volume in container.mounts.items()}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        paths = "|".join(map(re.escape, folders)) or "(?!)"
        return re.sub(rf"(?<![\w/.])({paths})(?=/|$)", lambda found: str(folders[found[1]]), text)

    def _wait_healthy(self, each: Started) -> None:
        """By the deployment's own check."""
        deadline = time.monotonic() + HEALTHY_TIMEOUT_S
        while not self._is_healthy(each):
            assert each.process.poll() is None, f"{each.container.service} ended:\n{each.log()}"
            assert time.monotonic() < deadline, f"{each.container.service} is not healthy:\n{each.log()}"
            time.sleep(0.2)

    def _is_healthy(self, each: Started) -> bool:
        if isinstance(each.container.health, int):
            url = f"http://{each.place.address}:{each.container.health}{each.container.health_path}"
            code = f"import requests, sys; sys.exit(requests.get({url!r}, timeout=5).status_code != 200)"
            command = [sys.executable, "-c", code]
        else:
            program, *arguments = each.container.health
            command = [*PROGRAMS.get(program, [program]), *map(each.place.localised, arguments)]
        environ = self._environ(each.container, each.place)
        done = subprocess.run(
            each.place.wrapped(command), env=environ, capture_output=True, timeout=30, check=False
        )
        return done.returncode == 0

    def _publish(self, outside: int, target: str) -> None:
        listen = f"{self.node.address}:{outside}"
        command = self.node.wrapped([sys.executable, "-m", "tests.support.deploy.node_port", listen, target])
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.others.append(process)
        assert process.stdout and process.stdout.readline() == "ready\n", f"nothing listens on {listen}"


@contextmanager
def rehearsed(
    containers: Sequence[Container], folder: Path, places: Mapping[str, Sequence[Place]], node: Place
) -> Iterator[Rehearsal]:
    """The deployment, running and healthy; ended at the end."""
    rehearsal = Rehearsal(folder, places, node)
    try:
        rehearsal.start(containers)
        yield rehearsal
    finally:
        rehearsal.stop()
