"""Downloads one file: whole, checked, within time limits, and going on where it stopped.

What arrives is kept beside the target with the ending `.part`. It gets its name when all of it is there
and its checksum is right, so a file that has its name is good. A lock lets one process at a time work on
a target.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.catalogue.checksum import Checksum
from models.catalogue.transfer import Reporter, Transfer
from models.problems import FetchFailed


@dataclass(frozen=True)
class Limits:
    """How long to wait, in seconds."""

    first_byte_s: float = 30.0  # for the name to be found, the connection and the first answer
    stall_s: float = 30.0  # without a byte after that
    total_s: float | None = None  # for all of it


def download(url: str, target: Path, checksum: Checksum | None, limits: Limits, reporter: Reporter) -> None:
    """Make sure that `target` is there. A good file is left alone, a damaged one replaced.

    Raises FetchFailed and OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target, reporter):
        if _is_good(target, checksum, reporter):
            return
        part = part_of(target)
        _run_in_time(Transfer(url, part, checksum, reporter), limits)
        part.replace(target)


def part_of(target: Path) -> Path:
    """Where an unfinished download of it lies."""
    return target.with_name(target.name + ".part")


def _run_in_time(transfer: Transfer, limits: Limits) -> None:
    """In a thread of its own: looking up a host's name can't be given a time limit."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            transfer.run(longest_silence_s=max(limits.first_byte_s, limits.stall_s))
        except BaseException as problem:  # handed to the thread that waits
            problems.append(problem)

    worker = threading.Thread(target=run, daemon=True)
    started_at = time.monotonic()
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
        if (late := _too_late(transfer, limits, started_at)) and worker.is_alive():
            transfer.give_up()
            raise FetchFailed(late)
    if problems:
        raise problems[0]


def _too_late(transfer: Transfer, limits: Limits, started_at: float) -> str:
    """Which limit is passed, as a sentence; empty while all is well."""
    now = time.monotonic()
    if limits.total_s is not None and now - started_at > limits.total_s:
        return f"The download took longer than {limits.total_s:g} s."
    silent_s = now - transfer.moved_at
    if not transfer.has_begun and silent_s > limits.first_byte_s:
        return f"{transfer.host} did not answer within {limits.first_byte_s:g} s."
    if transfer.has_begun and silent_s > limits.stall_s:
        return f"{transfer.host} sent nothing for {limits.stall_s:g} s."
    return ""


@contextmanager
def _alone(target: Path, reporter: Reporter) -> Iterator[None]:
    """The lock ends with the process that held it."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.say(f"Another process is downloading {target.name}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_good(target: Path, checksum: Checksum | None, reporter: Reporter) -> bool:
    if not target.is_file():
        return False
    found = checksum.of(target) if checksum else None
    if found == checksum:
        return True
    reporter.say(f"{target} is damaged: its checksum is {found}, not {checksum}. It is downloaded again.")
    target.unlink()
    return False
