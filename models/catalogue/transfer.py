"""One file on its way from a web server into a `.part` file, by as many requests as it takes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3

from models.catalogue.checksum import Checksum, in_header
from models.problems import FetchFailed

PIECE_BYTES = 16 * 1024  # read at once: small, so that a slow line is told from a dead one
BROKEN_OFF = 5  # times in a row that a connection may break after it brought something
WHOLE, PARTIAL, BEYOND_THE_END, NOT_FOUND = 200, 206, 416, 404
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Reporter(Protocol):
    """Who is told how it goes."""

    def say(self, text: str) -> None: ...
    def progress(self, done_bytes: int, total_bytes: int | None) -> None: ...


class _BrokenOff(Exception):
    """The connection ended before the file did."""


class _Damaged(Exception):
    """What lies in the part is not the file."""


class Transfer:
    """Give it to a thread: `run`. Others may look at `has_begun` and `moved_at`, and `give_up`."""

    def __init__(self, url: str, part: Path, checksum: Checksum | None, reporter: Reporter):
        self.host = urlsplit(url).netloc or url
        self.has_begun = False  # the server has answered
        self.moved_at = time.monotonic()  # when something last arrived
        self._url, self._part, self._checksum, self._reporter = url, part, checksum, reporter
        self._is_given_up = False

    def give_up(self) -> None:
        """Nobody waits any more: write nothing from now on."""
        self._is_given_up = True

    def run(self, longest_silence_s: float) -> None:
        """Until the whole file is in the part. Raises FetchFailed and OSError."""
        breaks = 0
        while True:
            before = self._have_bytes()
            try:
                return self._attempt(before, longest_silence_s)
            except _BrokenOff as problem:
                breaks = breaks + 1 if self._have_bytes() > before else BROKEN_OFF
                if breaks >= BROKEN_OFF or self._is_given_up:
                    raise FetchFailed(str(problem)) from problem
            except _Damaged as problem:
                self._part.unlink()
                if before == 0:
                    raise FetchFailed(
                        f"What {self.host} sent is damaged and was removed: {problem}."
                    ) from None
                self._reporter.say("The part that was there does not fit the rest; starting over.")

    def _attempt(self, offset: int, longest_silence_s: float) -> None:
        """Ask for the file from `offset` on."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
        timeout_s = (
            longest_silence_s + 5
        )  # only so that the thread ends: whoever waits for it gives up before
        try:
            with requests.get(self._url, headers=headers, timeout=timeout_s, stream=True) as response:
                self.has_begun, self.moved_at = True, time.monotonic()
                self._refuse_bad_answers(response)
                if response.status_code == BEYOND_THE_END:
                    return self._check_part(response)
                self._receive(response, offset if response.status_code == PARTIAL else 0)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as problem:
            if self.has_begun:
                raise _BrokenOff(f"The connection to {self.host} broke: {_cause(problem)}.") from problem
            raise FetchFailed(f"{self.host} can't be reached: {_cause(problem)}.") from problem
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as problem:
            raise FetchFailed(f"{self._url} can't be fetched: {_cause(problem)}.") from problem

    def _refuse_bad_answers(self, response: requests.Response) -> None:
        if self._url.startswith("https:") and not response.url.startswith("https:"):
            raise FetchFailed(f"{self._url} leads to {response.url}, which is not encrypted.")
        if response.status_code == NOT_FOUND:
            raise FetchFailed(f"There is no file {response.url} (404).")
        if response.status_code not in {WHOLE, PARTIAL, BEYOND_THE_END}:
            raise FetchFailed(f"{response.url} was answered with {response.status_code} {response.reason}.")

    def _receive(self, response: requests.Response, offset: int) -> None:
        total = _total_bytes(response, offset)
        self._check_room(total, offset)
        wanted = self._checksum or in_header(response.headers.get("x-goog-hash", ""))
        with self._part.open("r+b" if offset else "wb", buffering=0) as file:
            digest = _digest_of_start(file, offset, wanted)
            for piece in response.iter_content(PIECE_BYTES):
                if self._is_given_up:
                    raise _BrokenOff("It was given up.")
                self._write(file, piece)
                digest.update(piece)
                self.moved_at = time.monotonic()
                self._reporter.progress(file.tell(), total)
            os.fsync(file.fileno())
            done = file.tell()
        if total is not None and done < total:
            raise _BrokenOff(f"The connection to {self.host} ended after {_mb(done)} of {_mb(total)}.")
        _compare(Checksum(digest.hexdigest()), wanted)

    def _check_part(self, response: requests.Response) -> None:
        """The server has nothing after the part: is that because the part is whole?"""
        told = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if not told or int(told[1]) != self._have_bytes():
            raise _Damaged("it is longer than the file")
        if self._checksum:
            _compare(self._checksum.of(self._part), self._checksum)

    def _check_room(self, total: int | None, offset: int) -> None:
        free = shutil.disk_usage(self._part.parent).free
        if total is not None and total - offset > free:
            raise self._no_room(f"{_mb(total - offset)} are still to come, {_mb(free)} are free")

    def _write(self, file: IO[bytes], piece: bytes) -> None:
        try:
            while piece:
                piece = piece[file.write(piece) :]
        except OSError as problem:
            if problem.errno in FULL:
                raise self._no_room(problem.strerror or "") from problem
            raise

    def _no_room(self, detail: str) -> FetchFailed:
        return FetchFailed(f"There is no room for the file in {self._part.parent}: {detail}.")

    def _have_bytes(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0


def _digest_of_start(file: IO[bytes], offset: int, wanted: Checksum | None) -> Any:
    """Of what is there already. Leaves the file at `offset`, its end."""
    digest = hashlib.new(wanted.algorithm if wanted else "md5", usedforsecurity=False)
    left = offset
    while left and (piece := file.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    return digest


def _compare(found: Checksum, wanted: Checksum | None) -> None:
    if wanted is not None and found != wanted:
        raise _Damaged(f"its checksum is {found}, not {wanted}")


def _total_bytes(response: requests.Response, offset: int) -> int | None:
    """Of the whole file. None when the server does not tell."""
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if response.status_code == PARTIAL and told:
        if int(told[1]) != offset:
            raise _Damaged("the server sent another range than the one asked for")
        return int(told[2])
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdecimal() else None


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _cause(problem: BaseException) -> str:
    """The innermost reason, without the wrapping that libraries put around it."""
    inner = problem
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    reason = inner.strerror if isinstance(inner, OSError) else None
    return (reason or str(inner) or type(inner).__name__).rstrip(".")
