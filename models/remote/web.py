"""Models on a web server: an archive, a file, or a folder (the address ends with /) that has a SHA256SUMS.

`MODEL_AUTHORIZATION` holds the header Authorization, such as "Bearer ..." or "Basic ...". It is not sent on
to another host that the server may lead to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests

from common.words import first_line
from models.problems import FetchFailed, ModelProblem
from models.remote.source import (
    CONNECT_S,
    PIECE_BYTES,
    SILENCE_S,
    Broken,
    Changed,
    RemoteFile,
    Sum,
    refused,
    without_secrets,
)
from models.remote.sums import SUMS, parse_sums

CREDENTIALS = "Check MODEL_AUTHORIZATION, which holds the header Authorization, such as Bearer and a token."
PARTIAL, NOT_FOUND, GONE, PRECONDITION, BEYOND_THE_END, TOO_MANY = 206, 404, 410, 412, 416, 429
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class WebServer:
    """One file at an address, or the files that a list beside them names."""

    def __init__(self, address: str):
        self.shown = without_secrets(address)
        if not urlsplit(address).hostname:
            raise ModelProblem(f"{self.shown} names no server.")
        self._address = address
        self._session = requests.Session()
        if authorization := os.environ.get("MODEL_AUTHORIZATION", ""):
            self._session.auth = _Authorization(authorization)

    def files(self) -> Sequence[RemoteFile]:
        """The file, as the server describes it; of a folder what its SHA256SUMS lists, and that itself."""
        if not urlsplit(self._address).path.endswith("/"):
            return [self._described(self._address, unquote(urlsplit(self._address).path.rpartition("/")[2]))]
        with self._asked(self._url_of(SUMS), {}) as response:
            text = response.text
        listed = parse_sums(text, f"{self.shown}{SUMS}")
        own = RemoteFile(SUMS, None, "")
        return [
            own,
            *(RemoteFile(name, None, digits, Sum("sha256", digits)) for name, digits in listed.items()),
        ]

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The rest of the file if it is still the same; with another ETag the server sends all of it."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and file.sum is None:
            headers["If-Range"] = file.identity
        url = self._url_of(file.name) if urlsplit(self._address).path.endswith("/") else self._address
        with self._asked(url, headers) as response:
            if file.identity and file.sum is None and _identity(response) not in {"", file.identity}:
                raise Changed(self.shown)
            yield from pieces(response, offset, self.shown)

    def _described(self, url: str, name: str) -> RemoteFile:
        with self._asked(url, {}) as response:  # not HEAD, which signed addresses and some servers refuse
            length = response.headers.get("Content-Length", "")
            return RemoteFile(name, int(length) if length.isdecimal() else None, _identity(response))

    def _url_of(self, name: str) -> str:
        parts = urlsplit(self._address)
        return urljoin(self._address, quote(name)) + (f"?{parts.query}" if parts.query else "")

    def _asked(self, url: str, headers: Mapping[str, str]):  # type: ignore[no-untyped-def]
        return answered(self._session, url, self.shown, CREDENTIALS, headers, {})


class _Authorization(requests.auth.AuthBase):
    """The header as it is: `requests` would replace one in `headers` by what ~/.netrc says."""

    def __init__(self, value: str):
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


@contextmanager
def answered(
    session: requests.Session,
    url: str,
    shown: str,
    credentials: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> Iterator[requests.Response]:
    """The answer to a GET if its status is good. Raises Broken, Changed and FetchFailed, without the URL."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    asked = {"Accept-Encoding": "identity", **headers}
    try:
        with session.get(
            url, params=query, headers=asked, timeout=(CONNECT_S, SILENCE_S), stream=True
        ) as response:
            if url.startswith("https:") and not response.url.startswith("https:"):
                raise FetchFailed(f"{shown} leads to an address that is not encrypted.")
            _refuse_bad_status(response, shown, host, credentials)
            yield response
    except BROKEN as problem:
        raise Broken(f"{host}: {cause(problem)}") from None
    except (requests.RequestException, ValueError) as problem:  # ValueError: not a host's name
        raise FetchFailed(
            f"{shown} can't be fetched ({type(problem).__name__}). Check the address."
        ) from None


def pieces(response: requests.Response, offset: int, shown: str) -> Iterator[bytes]:
    """The bytes from `offset` on, also of a server that knows no ranges and sends all of it."""
    left_out = 0 if response.status_code == PARTIAL else offset
    if response.status_code == PARTIAL and not response.headers.get("Content-Range", "").startswith(
        f"bytes {offset}-"
    ):
        raise FetchFailed(f"{shown}: the server sent another part of the file than the one asked for.")
    for piece in response.iter_content(PIECE_BYTES):
        if left_out >= len(piece):
            left_out -= len(piece)
            continue
        yield piece[left_out:]
        left_out = 0


def cause(problem: BaseException) -> str:
    """The innermost reason, without the wrapping of libraries, which quotes addresses whole."""
    inner = problem
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    reason = inner.strerror if isinstance(inner, OSError) else None
    return first_line(reason or type(inner).__name__, "unknown").rstrip(".")


def _refuse_bad_status(response: requests.Response, shown: str, host: str, credentials: str) -> None:
    status, reason = response.status_code, f"{response.status_code} {response.reason}"
    if status in {401, 403}:
        raise refused(shown, reason, credentials)
    if status in {NOT_FOUND, GONE}:
        raise FetchFailed(f"There is nothing at {shown} ({status}). Check the address.")
    if status in {PRECONDITION, BEYOND_THE_END}:
        raise Changed(shown)
    if status >= 500 or status == TOO_MANY:
        raise Broken(f"{host} answered {reason}")
    if status not in {200, PARTIAL}:
        raise FetchFailed(f"{shown} was answered with {reason}.")


def _identity(response: requests.Response) -> str:
    """A strong ETag. A weak one, or a date, may stay the same when bytes change: then nothing is resumed."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else ""
