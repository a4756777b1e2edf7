"""Models in S3, or in a store that speaks its protocol (MinIO, Ceph, R2): s3://bucket/prefix.

Credentials, region and endpoint come from where AWS' own tools look for them.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

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

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # as AWS' own tools read them, in this order
CREDENTIALS = (
    "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that this key may list and read the bucket."
)
BUSY = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504"}


class Bucket:
    """The objects below a prefix of a bucket, or one object."""

    def __init__(self, address: str, *, is_anonymous: bool):
        parts = urlsplit(address)
        self.shown = without_secrets(address)
        self._bucket, self._prefix = parts.netloc.rpartition("@")[2], parts.path.strip("/")
        if not self._bucket:
            raise ModelProblem(f"{self.shown} names no bucket. Write s3://BUCKET/PREFIX.")
        self._endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), None)
        self._client = self._connected(is_anonymous)
        self._keys: dict[str, str] = {}  # name of a file -> key of its object

    def files(self) -> Sequence[RemoteFile]:
        """The object of that name, or those below it."""
        keys = [key for key in self._listed() if not key.endswith("/")]  # consoles mark folders so
        below = f"{self._prefix}/" if self._prefix else ""
        if self._prefix in keys:
            self._keys = {self._prefix.rpartition("/")[2]: self._prefix}
        else:
            self._keys = {key.removeprefix(below): key for key in keys if key.startswith(below)}
        if not self._keys:
            raise FetchFailed(f"There is nothing at {self.shown}. Name the model's object or prefix.")
        return [self._file(name, key) for name, key in self._keys.items()]

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The object's bytes, only as long as it is the one that was listed."""
        asked = {"Range": f"bytes={offset}-"} if offset else {}
        body = self._ask("get_object", Key=self._keys[file.name], IfMatch=file.identity, **asked)["Body"]
        try:
            yield from body.iter_chunks(PIECE_BYTES)
        except self._errors.BotoCoreError as problem:
            raise Broken(type(problem).__name__) from None

    def _listed(self) -> Iterator[str]:
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=self._prefix, **more)
            yield from (row["Key"] for row in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _file(self, name: str, key: str) -> RemoteFile:
        about = self._ask("head_object", Key=key, ChecksumMode="ENABLED")
        return RemoteFile(name, about["ContentLength"], about["ETag"], _sum(about))

    def _connected(self, is_anonymous: bool) -> Any:
        try:
            import botocore.config
            import botocore.exceptions
            import botocore.session
            from botocore import UNSIGNED
        except ImportError:
            raise ModelProblem(
                "Models from S3 need the package botocore: pip install -r requirements/remote.txt"
            ) from None
        self._errors = botocore.exceptions
        config = botocore.config.Config(
            connect_timeout=CONNECT_S,
            read_timeout=SILENCE_S,
            retries={"total_max_attempts": 1},  # receive.py tries again, from where it stopped
            s3={"addressing_style": "path" if self._endpoint else "auto"},
            **({"signature_version": UNSIGNED} if is_anonymous else {}),
        )
        try:
            return botocore.session.get_session().create_client(
                "s3", region_name=os.environ.get("AWS_REGION") or None, config=config
            )
        except (self._errors.BotoCoreError, ValueError) as problem:  # ValueError: no URL as endpoint
            raise ModelProblem(f"S3 can't be asked: {_without_values(problem)}.") from None

    def _ask(self, operation: str, **what: object) -> Any:
        errors = self._errors
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **what)
        except errors.ClientError as problem:
            raise self._why(problem.response["Error"]["Code"]) from None
        except (errors.NoCredentialsError, errors.PartialCredentialsError, errors.CredentialRetrievalError):
            raise FetchFailed(
                f"There are no credentials for {self.shown}. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or add --anonymous if everybody may read it."
            ) from None
        except (errors.ConnectionError, errors.HTTPClientError) as problem:
            raise Broken(f"{self._store()} can't be reached ({type(problem).__name__})") from None
        except (errors.BotoCoreError, ValueError) as problem:
            raise FetchFailed(f"{self.shown} can't be fetched: {_without_values(problem)}.") from None

    def _why(self, code: str) -> Exception:
        if code in BUSY:
            return Broken(f"{self._store()} answered {code}")
        if code in {"PreconditionFailed", "412"}:
            return Changed(self.shown)
        if code == "NoSuchBucket":
            return FetchFailed(f"{self._store()} has no bucket {self._bucket}. Check name and region.")
        if code in {"NoSuchKey", "404", "InvalidRange", "416"}:  # gone or shorter since it was listed
            return Changed(self.shown)
        return refused(self.shown, "AccessDenied" if code == "403" else code, CREDENTIALS)

    def _store(self) -> str:
        return urlsplit(self._endpoint).netloc.rpartition("@")[2] if self._endpoint else "S3"


def _sum(about: dict[str, Any]) -> Sum | None:
    """The SHA-256 that was stored with the object; else its ETag, where that is an MD5.

    It is none if the object came in parts ("-2") or is encrypted with a key of KMS or of the client.
    """
    told = about.get("ChecksumSHA256", "")
    if told and "-" not in told:
        return Sum("sha256", base64.b64decode(told).hex())
    etag = about["ETag"].strip('"')
    is_md5 = re.fullmatch("[0-9a-f]{32}", etag) and not about.get("SSECustomerAlgorithm")
    is_md5 = is_md5 and about.get("ServerSideEncryption", "AES256") == "AES256"
    return Sum("md5", etag) if is_md5 else None


def _without_values(problem: Exception) -> str:
    """The problem's kind only: botocore's sentences may quote what was configured."""
    return type(problem).__name__
