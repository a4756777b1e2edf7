"""Models in Google Cloud Storage: gs://bucket/prefix, over its JSON API.

Credentials are Google's own: GOOGLE_APPLICATION_CREDENTIALS, workload identity, `gcloud auth`.
STORAGE_EMULATOR_HOST names another server.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from models.problems import FetchFailed, ModelProblem
from models.remote.source import RemoteFile, Sum, without_secrets
from models.remote.web import answered, pieces

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
FIELDS = "nextPageToken,items(name,size,generation,md5Hash)"
CREDENTIALS = "Check GOOGLE_APPLICATION_CREDENTIALS, and that this account may list and read the bucket."


class Bucket:
    """The objects below a prefix of a bucket, or one object."""

    def __init__(self, address: str, *, is_anonymous: bool):
        parts = urlsplit(address)
        self.shown = without_secrets(address)
        self._prefix = parts.path.strip("/")
        if not parts.netloc:
            raise ModelProblem(f"{self.shown} names no bucket. Write gs://BUCKET/PREFIX.")
        self._names: dict[str, str] = {}  # of a file -> of its object
        server = os.environ.get("STORAGE_EMULATOR_HOST", "") or "https://storage.googleapis.com"
        server = server if "://" in server else f"http://{server}"
        self._url = f"{server}/storage/v1/b/{quote(parts.netloc, safe='')}/o"
        self._session = requests.Session() if is_anonymous else _authorised(self.shown)

    def files(self) -> Sequence[RemoteFile]:
        """The object of that name, or those below it."""
        rows = {row["name"]: row for row in self._rows() if not row["name"].endswith("/")}
        if self._prefix in rows:
            rows = {self._prefix: rows[self._prefix]}
            self._names = {self._prefix.rpartition("/")[2]: self._prefix}
        else:
            below = f"{self._prefix}/" if self._prefix else ""
            self._names = {key.removeprefix(below): key for key in rows if key.startswith(below)}
        if not self._names:
            raise FetchFailed(f"There is nothing at {self.shown}. Name the model's object or prefix.")
        return [_file(name, rows[key]) for name, key in self._names.items()]

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The bytes of that generation of the object."""
        url = f"{self._url}/{quote(self._names[file.name], safe='')}"
        query = {"alt": "media", "ifGenerationMatch": file.identity}
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with answered(self._session, url, self.shown, CREDENTIALS, headers, query) as response:
            yield from pieces(response, offset, self.shown)

    def _rows(self) -> Iterator[dict[str, Any]]:
        query = {"prefix": self._prefix, "fields": FIELDS}
        while True:
            with answered(self._session, self._url, self.shown, CREDENTIALS, {}, query) as response:
                page = response.json()
            yield from page.get("items", ())
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]


def _file(name: str, row: dict[str, Any]) -> RemoteFile:
    told = row.get("md5Hash")  # an object composed of others has none
    md5 = Sum("md5", base64.b64decode(told).hex()) if told else None
    return RemoteFile(name, int(row["size"]), str(row["generation"]), md5)


def _authorised(shown: str) -> requests.Session:
    try:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession
    except ImportError:
        raise ModelProblem(
            "Models from Google Cloud Storage need the package google-auth: "
            "pip install -r requirements/remote.txt"
        ) from None
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except google.auth.exceptions.GoogleAuthError:
        raise FetchFailed(
            f"There are no credentials for {shown}. Set GOOGLE_APPLICATION_CREDENTIALS to the file of a "
            "service account's key, or add --anonymous if everybody may read it."
        ) from None
    session: requests.Session = AuthorizedSession(credentials)
    return session
