"""Checksums of files that are published: MD5 or SHA-256, told apart by their length."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

ALGORITHM_OF_LENGTH = {32: "md5", 64: "sha256"}


@dataclass(frozen=True)
class Checksum:
    """`digits` in hexadecimal."""

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


def in_header(text: str) -> Checksum | None:
    """The MD5 that Google Cloud Storage tells of an object, in base64, as in "crc32c=n03x6A==,md5=kQ...".

    https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash
    """
    for part in text.split(","):
        kind, _, value = part.strip().partition("=")
        if kind == "md5":
            try:
                return Checksum(base64.b64decode(value, validate=True).hex())
            except (binascii.Error, ValueError):
                return None
    return None
