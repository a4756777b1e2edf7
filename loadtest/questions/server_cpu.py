"""How much CPU time a model server has used: of its process on this machine, or from its Prometheus page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loadtest.machine import is_on_this_machine
from loadtest.questions.prometheus import read_counters
from loadtest.questions.target import Target, addresses

PROC = Path("/proc")
LISTENING = "0A"  # state of a socket in /proc/net/tcp
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROXIES = {"docker-proxy", "rootlessport", "kubectl", "ssh"}  # they listen for a server elsewhere


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """Where a server's CPU time can be read. Neither processes nor a page: `reason` says why."""

    target: Target
    pids: tuple[int, ...] = ()
    cores: int | None = None  # that the server may use; None: not known
    usable: frozenset[int] = frozenset()  # their numbers on this machine
    has_page: bool = False
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether cpu_s() can be read."""
        return bool(self.pids) or self.has_page

    def cpu_s(self) -> float | None:
        """CPU seconds of all threads of the server since it started; None if it has ended meanwhile."""
        if self.pids:
            with suppress(OSError):
                return sum(cpu_seconds(pid) for pid in self.pids)
            return None
        counters = read_counters(self.target)
        return counters.cpu_s if counters else None

    def all_programs_s(self) -> float | None:
        """CPU seconds of every program on the cores that the server may use; None: not known."""
        with suppress(OSError, ValueError, LookupError):
            return sum(_busy_s(self.usable)) if self.usable else None
        return None


def meter_of(target: Target) -> CpuMeter:
    """How the CPU time of a server can be read. Its process first: what it may use is known then."""
    cores = len(target.info.cores) if target.info.cores else None
    places = addresses(target.info)
    if all(map(is_on_this_machine, places)):
        pids, reason = _pids_listening([int(place.rpartition(":")[2]) for place in places])
        if pids:
            usable = set[int]().union(*(_affinity(pid) for pid in pids))
            return CpuMeter(target, tuple(pids), cores or len(usable) or None, frozenset(usable))
    else:
        reason = "it does not run on this machine"
    counters = read_counters(target)
    if counters is not None and counters.cpu_s is not None:
        return CpuMeter(target, cores=cores or target.info.cpus, has_page=True)
    return CpuMeter(target, reason=f"{reason}, and no page for Prometheus says process_cpu_seconds_total")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads together. Raises OSError if it has ended."""
    fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime and stime: 14th and 15th of proc(5)


def _busy_s(cores: frozenset[int]) -> Iterator[float]:
    """Of each core, the seconds since the start in which it was not idle (proc(5), /proc/stat)."""
    for line in (PROC / "stat").read_text("ascii").splitlines():
        name, *ticks = line.split()
        if name.removeprefix("cpu").isdigit() and int(name[3:]) in cores:
            user, nice, system, _, _, irq, softirq, *_ = map(int, ticks)
            yield (user + nice + system + irq + softirq) / TICKS_PER_S


def _pids_listening(ports: Sequence[int]) -> tuple[list[int], str]:
    """The processes that listen on the ports, or why they are not known."""
    sockets = {inode for inode, port in _listening() if port in ports}
    if not sockets:
        return [], "no process of this machine is seen to listen on its port"
    pids = [pid for pid in _pids() if sockets & set(_sockets_of(pid))]
    if not pids:
        return [], "its process belongs to somebody else (run this as the same user, or with sudo)"
    names = {(PROC / str(pid) / "comm").read_text("utf-8", "replace").strip() for pid in pids}
    if names & PROXIES:
        return [], f"{(names & PROXIES).pop()} listens on its port for a server in a container or elsewhere"
    return pids, ""


def _listening() -> Iterator[tuple[str, int]]:
    """Inode and port of every listening TCP socket."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _pids() -> list[int]:
    return sorted(int(path.name) for path in PROC.iterdir() if path.name.isdigit())


def _sockets_of(pid: int) -> Iterator[str]:
    """Inodes of a process's sockets; none if it belongs to somebody else or has ended."""
    with suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if found := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                    yield found[1]


def _affinity(pid: int) -> set[int]:
    """Cores that any thread of a process may use."""
    usable: set[int] = set()
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                usable |= os.sched_getaffinity(int(thread.name))
    return usable
