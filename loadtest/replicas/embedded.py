"""Embedded replicas: as many model servers on this machine as the largest number asked for.

All run all the time and a burst goes to the first n of them, so that the numbers can change at every burst;
one that gets no request only takes memory. Each may use the same cores, as containers without a limit do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from experiment.embedded.profiles import Profile
from experiment.embedded.supervisor import EmbeddedServers
from experiment.records import BackendInfo
from experiment.wording import size
from loadtest.errors import LoadRefused

KEPT_FREE = 0.1  # of the machine's memory, for everything else
MEMINFO = Path("/proc/meminfo")


class EmbeddedReplicas(AbstractContextManager["EmbeddedReplicas"]):
    """Starts them one after another, and refuses to when memory would not do."""

    is_cheap = True

    def __init__(
        self,
        profile: Profile,
        most: int,
        model: Mapping[str, Any],
        folder: Path,
        say: Callable[[str], None],
        over_rest: bool = False,
    ):
        self._profile, self._most, self._model, self._folder = profile, most, model, folder
        self._say, self._over_rest = say, over_rest
        self._running = ExitStack()
        self._infos: list[BackendInfo] = []

    def __enter__(self) -> EmbeddedReplicas:
        with self._running:  # ends those that run if a further one can't start
            for number in range(1, self._most + 1):
                self._infos.append(self._started(number))
                self._say(f"{number} of {self._most} replicas answer.")
            self._running = self._running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def scaled(self, replicas: int | None, hosts: int, requests: int) -> BackendInfo:
        """The first `replicas` of them as one backend."""
        chosen = self._infos[: replicas or self._most]
        address = ",".join(info.address for info in chosen)
        return replace(chosen[0], name=self._profile.name, address=address, replicas=len(chosen))

    def _started(self, number: int) -> BackendInfo:
        folder = self._folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        profile = replace(self._profile, name=f"replica {number}", replicas=1)
        servers = self._running.enter_context(EmbeddedServers(folder, self._model, [profile]))
        servers.wait_ready()
        if number < self._most:
            state = json.loads(servers.state_path.read_text("utf-8"))
            check_memory(resident_bytes(state["backends"][0]["pid"]), number, self._most)
        return servers.infos()[1 if self._over_rest else 0]


def check_memory(replica_bytes: int, running: int, most: int) -> None:
    """Raises LoadRefused if the machine has not enough memory left for the other replicas."""
    total_bytes, free_bytes = memory_bytes()
    usable_bytes = max(free_bytes - KEPT_FREE * total_bytes, 0.0)
    if (most - running) * replica_bytes <= usable_bytes:
        return
    possible = running + int(usable_bytes / replica_bytes)
    raise LoadRefused(
        f"{most} replicas need about {size(most * replica_bytes)} of memory, {size(replica_bytes)} each, and "
        f"{size(free_bytes)} are free: enough for {possible}. Choose fewer with --replicas."
    )


def resident_bytes(pid: int) -> int:
    """The memory that a process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_bytes() -> tuple[float, float]:
    """Of this machine: all, and what programs can still have."""
    rows = dict(line.split(":", 1) for line in MEMINFO.read_text("ascii").splitlines())
    total, free = (int(rows[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    return total, free
