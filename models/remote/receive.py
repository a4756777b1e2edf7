"""Receives files into a folder: resumed where it stopped, also by another process, and checked."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from models.problems import FetchFailed
from models.remote.source import Broken, RemoteFile, Source
from models.remote.sums import refuse_leading_elsewhere, sum_of

TRIES = 4  # in a row without a single new byte
FIRST_WAIT_S = 1.0
LINE_EVERY_S = 5.0
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Say(Protocol):
    """Takes one line for people."""

    def __call__(self, text: str) -> None: ...


class Progress:
    """A line now and then, as logs want it."""

    def __init__(self, say: Say, total_bytes: int | None):
        self._say, self._total_bytes, self._done_bytes = say, total_bytes, 0
        self._next_at = time.monotonic() + LINE_EVERY_S

    def add(self, count_bytes: int) -> None:
        """So much more has arrived."""
        self._done_bytes += count_bytes
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + LINE_EVERY_S
            whole = "" if self._total_bytes is None else f" of {self._total_bytes / 1e6:.1f}"
            self._say(f"{self._done_bytes / 1e6:.1f}{whole} MB have arrived.")


def receive(source: Source, files: Sequence[RemoteFile], folder: Path, say: Say) -> None:
    """Make sure that `folder` holds these files, whole and checked. Raises FetchFailed and OSError."""
    sizes = [file.size_bytes for file in files]
    total_bytes = None if None in sizes else sum(size for size in sizes if size is not None)
    _refuse_if_too_large(total_bytes, folder)
    progress = Progress(say, total_bytes)
    for file in files:
        refuse_leading_elsewhere(file.name, source.shown)
        path = folder / file.name
        if path.exists():  # whole and checked, by a run that was ended later
            progress.add(path.stat().st_size)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        _complete(source, file, part, progress, say)
        _check(source, file, part)
        part.replace(path)


def patiently(source: Source, say: Say) -> Sequence[RemoteFile]:
    """The source's files, asked for again if the store can't be reached. Raises FetchFailed."""
    for waits in range(TRIES):
        try:
            return source.files()
        except Broken as problem:
            if waits == TRIES - 1:
                raise _given_up(source, problem) from None
            if not waits:
                say(f"{source.shown}: {problem}. Trying again.")
            time.sleep(FIRST_WAIT_S * 2**waits)
    raise AssertionError


def _given_up(source: Source, problem: Broken) -> FetchFailed:
    return FetchFailed(
        f"{source.shown} could not be fetched: {problem}, {TRIES} times in a row. What has arrived is kept: "
        "run the command again to go on. Check the network, a proxy, and NetworkPolicies."
    )


def _complete(source: Source, file: RemoteFile, part: Path, progress: Progress, say: Say) -> None:
    """Ask for the rest until nothing is missing. Raises FetchFailed."""
    fruitless = 0
    if not file.identity:
        part.unlink(missing_ok=True)  # the rest might be that of another file
    elif part.exists() and part.stat().st_size:
        progress.add(part.stat().st_size)
        say(f"{file.name}: going on after {part.stat().st_size / 1e6:.1f} MB.")
    while True:
        offset = part.stat().st_size if part.exists() else 0
        if file.size_bytes is not None and offset == file.size_bytes and offset:
            return
        try:
            _append(source, file, part, offset, progress)
        except Broken as problem:
            have = part.stat().st_size if part.exists() else 0
            fruitless = fruitless + 1 if have <= offset else 0
            if not file.identity:
                part.unlink(missing_ok=True)
                fruitless = max(fruitless, 1)
            if fruitless >= TRIES:
                raise _given_up(source, problem) from None
            if fruitless:
                time.sleep(FIRST_WAIT_S * 2 ** (fruitless - 1))
        else:
            return


def _append(source: Source, file: RemoteFile, part: Path, offset: int, progress: Progress) -> None:
    with part.open("ab") as output:
        for piece in source.read(file, offset):
            output.write(piece)
            progress.add(len(piece))
        output.flush()
        os.fsync(output.fileno())


def _check(source: Source, file: RemoteFile, part: Path) -> None:
    have_bytes = part.stat().st_size
    if file.size_bytes is not None and have_bytes != file.size_bytes:
        part.unlink()
        raise FetchFailed(
            f"{source.shown}: {file.name} has {have_bytes} bytes, not {file.size_bytes}. It was removed: run "
            "the command again."
        )
    if file.sum and (found := sum_of(part, file.sum.algorithm)) != file.sum.digits:
        part.unlink()
        raise FetchFailed(
            f"{source.shown}: {file.name} is damaged and was removed: its {file.sum.algorithm} is {found}, "
            f"not {file.sum.digits}."
        )


def _refuse_if_too_large(total_bytes: int | None, folder: Path) -> None:
    """Before gigabytes are fetched in vain."""
    if total_bytes is None:
        return
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if total_bytes - there > free:
        raise OSError(
            errno.ENOSPC,
            f"the model has {total_bytes / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free",
        )
