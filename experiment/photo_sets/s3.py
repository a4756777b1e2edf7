"""Photos in S3, or in a store that speaks its protocol (MinIO, Ceph, R2): s3://bucket/prefix.

PyArrow lists and reads them; it is imported only for such a set. Credentials and the region come from
where AWS' own tools look for them, and AWS_ENDPOINT_URL names another store.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from experiment.errors import PixelcostError
from experiment.file_names import is_systems_own, printable
from experiment.photo_sets.places import SetNotHere, at_most, named

ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
SCHEMES: Final = ("s3", "s3a")  # the second is Hadoop's name for the same
ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # as AWS' own tools read them, in this order
REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
DENIED: Final = frozenset(
    {"ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID"}
)
CONNECT_S: Final = 5.0
REQUEST_S: Final = 30.0
AWS_ERROR: Final = re.compile(r"AWS Error (\w+) during (\w+) operation")


def is_address(text: str) -> bool:
    """Whether it is an address like s3://bucket/prefix, and not a path."""
    return ADDRESS.match(text) is not None


class Bucket:
    """The files below a prefix of a bucket."""

    def __init__(self, address: str):
        """List them. Raises PixelcostError for a wrong address, SetNotHere if the store does not answer."""
        self._bucket, self._prefix = _parts(address)
        self._shown = "/".join(filter(None, (f"s3://{self._bucket}", self._prefix)))
        self.name = printable((self._prefix or self._bucket).rpartition("/")[2])
        self._sizes, self._stored = named(self._listed())

    def sizes(self) -> Mapping[str, int]:
        """Key below the prefix -> bytes."""
        return self._sizes

    def file(self, name: str) -> S3File:
        """One of its files."""
        key = self._stored.get(name, name)
        return S3File(self._bucket, f"{self._prefix}/{key}" if self._prefix else key)

    def _listed(self) -> Iterator[tuple[str, int]]:
        root = f"{self._bucket}/{self._prefix}" if self._prefix else self._bucket
        fs = _pyarrow_fs()
        try:
            found = _file_system(self._bucket).get_file_info(fs.FileSelector(root, recursive=True))
        except FileNotFoundError:
            raise PixelcostError(
                f"There is nothing at {self._shown}. Name the prefix that photos lie under, like a folder."
            ) from None
        except OSError as error:
            raise SetNotHere(_why(error, self._bucket)) from None
        for info in found:
            key = info.path[len(root) + 1 :]
            if info.type == fs.FileType.File and key and not is_systems_own(key):
                yield key, info.size


@dataclass(frozen=True, slots=True)
class S3File:
    """An object of a bucket."""

    bucket: str
    key: str

    def read(self, max_bytes: int) -> bytes:
        """See StoredFile. Raises SetNotHere if the store does not answer or refuses: no photo is at fault."""
        try:
            with _file_system(self.bucket).open_input_file(f"{self.bucket}/{self.key}") as file:
                data = file.read(max_bytes + 1)
        except FileNotFoundError:
            raise OSError("it is no longer in the bucket") from None
        except OSError as error:
            raise SetNotHere(_why(error, self.bucket)) from None
        return at_most(data, max_bytes)


def _parts(address: str) -> tuple[str, str]:
    """Bucket and prefix. Raises PixelcostError."""
    matched = ADDRESS.match(address)
    scheme, rest = matched.groups() if matched else ("", address)
    if scheme.lower() not in SCHEMES:
        raise PixelcostError(
            f"{printable(address)} can't be read: photos lie in a folder, in a ZIP file, or at "
            "s3://bucket/prefix. Many other stores speak S3's protocol too: set AWS_ENDPOINT_URL to their "
            "address."
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not bucket:
        raise PixelcostError(f"{printable(address)} names no bucket. Write s3://bucket/prefix.")
    if prefix.lower().endswith(".zip"):
        raise PixelcostError(
            f"{printable(address)} is a ZIP file, which is read from a disk alone. Download it, or unpack it "
            "into the bucket."
        )
    return bucket, prefix


def _pyarrow_fs() -> Any:
    try:
        from pyarrow import fs  # noqa: PLC0415  60 MB of memory, for sets in S3 alone
    except ModuleNotFoundError:
        raise PixelcostError(
            "Photos in S3 are read with PyArrow, which is not installed. Install it with: "
            "pip install -r requirements/jobs.txt"
        ) from None
    return fs


@lru_cache(maxsize=4)
def _file_system(bucket: str) -> Any:
    """The connection of this process; another process makes its own."""
    fs = _pyarrow_fs()
    endpoint = _endpoint()
    options: dict[str, Any] = {"connect_timeout": CONNECT_S, "request_timeout": REQUEST_S}
    if endpoint is not None:
        split = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        if split.scheme not in {"http", "https"} or not split.netloc or "@" in split.netloc:
            raise PixelcostError(
                "AWS_ENDPOINT_URL must be an address such as https://minio.example:9000, without a password: "
                "credentials have variables of their own."
            )
        options |= {"scheme": split.scheme, "endpoint_override": split.netloc}
    elif not any(os.environ.get(name) for name in REGIONS):
        try:
            options["region"] = fs.resolve_s3_region(bucket)
        except OSError as error:
            raise SetNotHere(_why(error, bucket)) from None
    return fs.S3FileSystem(**options)


def _endpoint() -> str | None:
    """The store's address; None: AWS."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)


def _code(error: OSError) -> str | None:
    """AWS' name of an error, "ACCESS_DENIED"; None: it has none."""
    found = AWS_ERROR.search(str(error))
    return found.group(1) if found else None


def _why(error: OSError, bucket: str) -> str:
    """What went wrong with a bucket, and what to do."""
    code = _code(error) or ""
    where = _endpoint() or "AWS"
    if code == "NO_SUCH_BUCKET" or f"Bucket '{bucket}' not found" in str(error):
        return f"There is no bucket named {bucket} at {where}. Check its name, and AWS_ENDPOINT_URL."
    if code in DENIED:
        return (
            f"The bucket {bucket} may not be read with these credentials ({code.replace('_', ' ').lower()}). "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to ones with s3:ListBucket and "
            "s3:GetObject."
        )
    if code == "NETWORK_CONNECTION" or "curlCode" in str(error):
        return (
            f"{where} does not answer, so the bucket {bucket} can't be read. Check the network, and "
            "AWS_ENDPOINT_URL."
        )
    return f"The bucket {bucket} can't be read: {printable(str(error))[:300]}"
