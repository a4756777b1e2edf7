"""Downloads one file: complete, checked, within time limits, and resumed where it stopped.

What arrives is kept beside the target with the ending `.part`. It is renamed when it is complete and its
checksum is right, so a file under its final name is good. A lock lets one process at a time work on a target.
"""

from __future__ import annotations

import base64
import binascii
import errno
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import requests

from models.problems import FetchFailed

PIECE_BYTES = 16 * 1024  # read at once: small, so that a slow connection is not taken for a dead one
WHOLE, PARTIAL, NOT_FOUND, BEYOND_THE_END = 200, 206, 404, 416
ALGORITHM_OF_LENGTH = {32: "md5", 64: "sha256"}  # by the number of hexadecimal digits
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Checksum:
    """A published checksum, `digits` in hexadecimal: MD5 or SHA-256, by their number."""

    digits: str

    @property
    def algorithm(self) -> str:
        return ALGORITHM_OF_LENGTH[len(self.digits)]

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digits}"

    def of(self, path: Path) -> Checksum:
        """The checksum of the same kind that a file really has."""
        with path.open("rb") as file:
            return Checksum(hashlib.file_digest(file, self.algorithm).hexdigest())


@dataclass(frozen=True)
class Limits:
    """How long to wait, in seconds."""

    first_byte_s: float = 30.0  # for the name look-up, the connection and the first answer
    stall_s: float = 30.0  # without a byte after that
    total_s: float | None = None  # for the whole download; None: no limit


class Reporter(Protocol):
    """Shows messages and progress."""

    def say(self, text: str) -> None: ...
    def progress(self, done_bytes: int, total_bytes: int | None) -> None: ...


def download(url: str, target: Path, checksum: Checksum | None, limits: Limits, reporter: Reporter) -> None:
    """Make sure that `target` exists with this checksum. A good file is left alone, a damaged one replaced.

    Raises FetchFailed and OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target, reporter):
        if not _is_good(target, checksum, reporter):
            part = part_of(target)
            _run_in_time(_Transfer(url, part, checksum, reporter), limits)
            part.replace(target)


def part_of(target: Path) -> Path:
    """The path of a file's unfinished download."""
    return target.with_name(target.name + ".part")


class _Transfer:
    """One request for the rest of a file, made in a thread of its own."""

    def __init__(self, url: str, part: Path, checksum: Checksum | None, reporter: Reporter):
        self.host = urlsplit(url).netloc or url
        self.has_begun = False  # the server has answered
        self.moved_at = time.monotonic()  # when something last arrived
        self.is_given_up = False  # the caller has stopped waiting: from then on nothing may be written
        self._url, self._part, self._checksum, self._reporter = url, part, checksum, reporter

    def run(self, timeout_s: float) -> None:
        """Complete the `.part` file and check it. Raises FetchFailed and OSError."""
        # Without a checksum it would go unnoticed if the rest came from another file.
        offset = self._part.stat().st_size if self._checksum and self._part.exists() else 0
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-" if offset else None}
        try:
            with requests.get(self._url, headers=headers, timeout=timeout_s, stream=True) as response:
                self.has_begun, self.moved_at = True, time.monotonic()
                is_after_the_end = bool(offset) and response.status_code == BEYOND_THE_END
                if not is_after_the_end:  # else the part is complete already, or from another file
                    self._refuse_bad_answers(response)
                    self._receive(response, offset if response.status_code == PARTIAL else 0)
                self._compare(self._checksum or in_header(response.headers.get("x-goog-hash", "")))
        except BROKEN as problem:
            what = (
                f"The connection to {self.host} broke" if self.has_begun else f"{self.host} can't be reached"
            )
            raise FetchFailed(f"{what}: {_cause(problem)}.") from problem
        except (requests.RequestException, ValueError) as problem:  # ValueError: not a host name
            raise FetchFailed(f"{self._url} can't be fetched: {_cause(problem)}.") from problem
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            raise FetchFailed(
                f"The file does not fit into {self._part.parent}: {problem.strerror}."
            ) from problem

    def _refuse_bad_answers(self, response: requests.Response) -> None:
        if self._url.startswith("https:") and not response.url.startswith("https:"):
            raise FetchFailed(f"{self._url} leads to {response.url}, which is not encrypted.")
        if response.status_code == NOT_FOUND:
            raise FetchFailed(f"The server has no file {response.url} (404).")
        if response.status_code not in {WHOLE, PARTIAL}:
            raise FetchFailed(f"{response.url} was answered with {response.status_code} {response.reason}.")

    def _receive(self, response: requests.Response, offset: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdecimal() else None
        with self._part.open("ab" if offset else "wb") as file:
            for piece in response.iter_content(PIECE_BYTES):
                if self.is_given_up:
                    raise FetchFailed("The download was stopped.")
                file.write(piece)
                file.flush()  # so that nothing is left to be written once it is given up
                self.moved_at = time.monotonic()
                self._reporter.progress(file.tell(), total)
            os.fsync(file.fileno())

    def _compare(self, wanted: Checksum | None) -> None:
        if wanted and (found := wanted.of(self._part)) != wanted:
            self._part.unlink()
            raise FetchFailed(
                f"What {self.host} sent is damaged and was removed: its checksum is {found}, not {wanted}."
            )


def _run_in_time(transfer: _Transfer, limits: Limits) -> None:
    """Run it in a thread of its own, because looking up a host's name has no time limit.

    Raises FetchFailed when a limit is passed, and what the transfer raises.
    """
    problems: list[BaseException] = []
    # Only so that the thread ends some time: the loop below gives up earlier.
    timeout_s = max(limits.first_byte_s, limits.stall_s) + 5

    def run() -> None:
        try:
            transfer.run(timeout_s)
        except BaseException as problem:  # raised again by the thread that waits
            problems.append(problem)

    worker = threading.Thread(target=run, daemon=True)
    started_at = time.monotonic()
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
        if (late := _too_late(transfer, limits, started_at)) and worker.is_alive():
            transfer.is_given_up = True
            raise FetchFailed(late)
    if problems:
        raise problems[0]


def _too_late(transfer: _Transfer, limits: Limits, started_at: float) -> str:
    """A sentence on the limit that is passed; empty while none is."""
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
    """Hold the target's lock during the block. The kernel releases it when the process ends."""
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
    return False


def _cause(problem: BaseException) -> str:
    """The innermost reason, without the wrapping that libraries put around it."""
    inner = problem
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    reason = inner.strerror if isinstance(inner, OSError) else None
    return (reason or str(inner) or type(inner).__name__).rstrip(".")


def in_header(text: str) -> Checksum | None:
    """The MD5 that Google Cloud Storage sends with a file, in base64, as in "crc32c=n03x6A==,md5=kQ...".

    https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.split(","))
    try:
        return Checksum(base64.b64decode(parts["md5"], validate=True).hex())
    except (KeyError, binascii.Error, ValueError):
        return None
