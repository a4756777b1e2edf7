"""What can have more or fewer replicas: a Docker service, a Kubernetes deployment, or nothing of these."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol

from experiment.backends.probe import probe
from experiment.backends.replicas import addresses_of
from experiment.records import BackendInfo
from experiment.wording import one_line
from loadtest.errors import LoadRefused

COMMAND_S = 120.0  # of one call of a program; `docker service scale` waits for the replicas itself
READY_S = 600.0
LOOK_AGAIN_S = 0.5
SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Scaler(Protocol):
    """A backend whose number of replicas can be chosen. Use in a `with` block."""

    @property
    def is_cheap(self) -> bool:
        """Whether another number costs nothing."""

    def scaled(self, replicas: int | None, hosts: int, requests: int) -> BackendInfo:
        """The backend with so many replicas on each of so many hosts, ready. Raises LoadRefused."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that scales, and the words of its commands. `{name}` and `{count}` are filled in."""

    name: str
    scale: Sequence[str]
    asked: Sequence[str]  # prints the number that is asked for now
    ready: Sequence[str]  # prints what is_ready() reads
    is_ready: Callable[[str, int], bool]

    def command(self, words: Sequence[str], service: str, count: int = 0) -> list[str]:
        """A command line."""
        return [
            self.name,
            *(word.replace("{name}", service).replace("{count}", str(count)) for word in words),
        ]


def _all_run(output: str, count: int) -> bool:
    """Of `docker service ps`: a line for each task, "Running 3 seconds ago"."""
    return [line.startswith("Running") for line in output.splitlines()] == [True] * count


PROGRAMS = (
    Program(
        "docker",
        scale=("service", "scale", "{name}={count}"),
        asked=("service", "inspect", "--format", "{{.Spec.Mode.Replicated.Replicas}}", "{name}"),
        ready=(
            *("service", "ps", "{name}", "--filter", "desired-state=running"),
            *("--format", "{{.CurrentState}}"),
        ),
        is_ready=_all_run,
    ),
    Program(
        "kubectl",
        scale=("scale", "deployment/{name}", "--replicas={count}"),
        asked=("get", "deployment/{name}", "-o", "jsonpath={.spec.replicas}"),
        # Without replicas the fields are absent.
        ready=("get", "deployment/{name}", "-o", "jsonpath={.status.readyReplicas} {.status.replicas}"),
        is_ready=lambda output, count: output.split() == [str(count)] * (2 if count else 0),
    ),
)


class Service(AbstractContextManager["Service"]):
    """A service of Docker or Kubernetes. At the end it has as many replicas as before."""

    is_cheap = False

    def __init__(self, info: BackendInfo, name: str, program: Program, before: int):
        self._info, self._name, self._program, self._before = info, name, program, before
        self._now: int | None = before

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._now != self._before:
            _run(self._program.command(self._program.scale, self._name, self._before))

    def scaled(self, replicas: int | None, hosts: int, requests: int) -> BackendInfo:
        """With a connection for each request: a service spreads connections, not requests."""
        if replicas is not None and replicas != self._now:
            self._now = None  # until it is known that it was done
            _run(self._program.command(self._program.scale, self._name, replicas))
            self._wait(replicas)
            self._now = replicas
        info = _ready(self._info)
        places = addresses_of(info.address) or (info.address,)
        if len(places) == 1 and requests > 1:
            return replace(info, address=",".join(places * requests), replicas=replicas)
        return replace(info, address=",".join(places), replicas=replicas)

    def _wait(self, count: int) -> None:
        deadline = time.monotonic() + READY_S
        command = self._program.command(self._program.ready, self._name)
        while not self._program.is_ready(output := _run(command), count):
            if time.monotonic() > deadline:
                raise LoadRefused(
                    f"{self._name} has not {count} ready replicas after {READY_S / 60:.0f} min. "
                    f"`{' '.join(command)}` says: {one_line(output) or 'nothing'}"
                )
            time.sleep(LOOK_AGAIN_S)


class AsItIs(AbstractContextManager["AsItIs"]):
    """Servers that nothing here can scale, one on each host."""

    is_cheap = True

    def __init__(self, info: BackendInfo):
        self._info = info

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was changed."""

    def scaled(self, replicas: int | None, hosts: int, requests: int) -> BackendInfo:
        """The first `hosts` of the addresses."""
        return replace(self._info, address=",".join(self._info.address.split(",")[:hosts]))


def service_of(info: BackendInfo, name: str) -> Service | None:
    """The service of that name, by the first program that is installed and knows it; None: there is none.

    Raises LoadRefused for a name that no service can have; it could be read as an option of the program.
    """
    if not SERVICE_NAME.fullmatch(name):
        raise LoadRefused(f"--service {name} is not the name of a service: letters, digits, dots, - and _.")
    for program in PROGRAMS:
        if shutil.which(program.name) is None:
            continue
        try:
            output = _run(program.command(program.asked, name)).strip()
        except LoadRefused:
            continue
        if output.isdigit():
            return Service(info, name, program, int(output))
    return None


def what_to_type(name: str | None, count: int) -> str:
    """How a person scales it."""
    docker, kubernetes = (
        " ".join(program.command(program.scale, name or "NAME", count)) for program in PROGRAMS
    )
    return f"`{docker}` (Docker swarm) or `{kubernetes}` (Kubernetes)"


def _ready(info: BackendInfo) -> BackendInfo:
    deadline = time.monotonic() + READY_S
    while (seen := probe(info)).state not in {"ready", "wrong_signature"}:
        if time.monotonic() > deadline:
            raise LoadRefused(f"{info.name} is not ready: {seen.detail}")
        time.sleep(LOOK_AGAIN_S)
    return replace(info, version=seen.version, device=seen.device)


def _run(command: Sequence[str]) -> str:
    """Run a program; returns what it printed. Raises LoadRefused with what it said."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadRefused(f"`{' '.join(command)}` failed: {error}") from None
    if done.returncode:
        raise LoadRefused(f"`{' '.join(command)}` failed: {one_line(done.stderr or done.stdout)}")
    return done.stdout
