"""Crowd: how many users, how fast they arrive, how long they stay; and whether this machine can hold them."""

from __future__ import annotations

import re
import resource
from dataclasses import dataclass

from experiment.wording import count
from loadtest.errors import LoadRefused

MOST_USERS = 20_000
MOST_RUN_TIME_S = 24 * 3600
FILES_BESIDE = 100  # that a process has open beside its users' connections

_RUN_TIME = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s?)?")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Users of one kind. Each sends its next request when the last one is answered."""

    users: int
    spawn_per_s: float
    run_time_s: int  # until they stop, their arrival included

    def check_open_files(self) -> None:
        """Raises LoadRefused if this process may not have a connection for each user."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)  # the command line has raised it
        needed = self.users + FILES_BESIDE
        if resource.RLIM_INFINITY != limit < needed:
            raise LoadRefused(
                f"{count(self.users, 'user')} need {needed:,} open files, one connection each, and only "
                f"{limit:,} are allowed here. Type `ulimit -n {needed}` as root first, or start the "
                f"container with --ulimit nofile={needed}:{needed}. The server needs as many."
            )


def run_time(text: str) -> int:
    """Seconds of a duration as Locust writes it: "5m", "1h30m", "90s", "90". Raises LoadRefused."""
    found = _RUN_TIME.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total_s = 3600 * hours + 60 * minutes + seconds
    if not 0 < total_s <= MOST_RUN_TIME_S:
        raise LoadRefused(f"--run-time must be a duration like 5m, 90s or 1h30m, up to 24h, not {text}.")
    return total_s
