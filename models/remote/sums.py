"""SHA256SUMS, a list of files as `sha256sum` writes it: it makes a folder as checkable as an archive."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from models.problems import FetchFailed

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def parse_sums(text: str, shown: str) -> Mapping[str, str]:
    """Name of a file -> its SHA-256. Raises FetchFailed for other lines, and names that lead elsewhere."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise FetchFailed(f"{shown}, line {number}, is not a line of `sha256sum`. Nothing was installed.")
        name = match[2].removeprefix("./")
        refuse_leading_elsewhere(name, shown)
        found[name] = match[1].lower()
    if not found:
        raise FetchFailed(f"{shown} lists no file. Write it with: sha256sum $(find . -type f) > {SUMS}")
    return found


def check_sums(folder: Path, shown: str, left_out: Collection[str] = ()) -> None:
    """Compare the files of a folder with its SHA256SUMS, if it has one, and remove that. Raises FetchFailed.

    `left_out`: folders that it may list although they were not fetched.
    """
    if not (folder / SUMS).is_file():
        return
    listed = parse_sums((folder / SUMS).read_text("utf-8", "replace"), f"{shown}/{SUMS}")
    listed = {name: digits for name, digits in listed.items() if name.partition("/")[0] not in left_out}
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {SUMS}
    if wrong := sorted(set(listed) ^ names):
        what = "is missing" if wrong[0] in listed else f"is not in {SUMS}"
        raise FetchFailed(f"{shown}: {wrong[0]} {what}. Nothing was installed.")
    for name, digits in listed.items():
        if sum_of(folder / name, "sha256") != digits:
            raise FetchFailed(f"{shown}: {name} has other bytes than {SUMS} says. Nothing was installed.")
    (folder / SUMS).unlink()


def sum_of(path: Path, algorithm: str) -> str:
    """The checksum that a file really has, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def refuse_leading_elsewhere(name: str, shown: str) -> None:
    """Raises FetchFailed for a name that would be written outside of the folder, such as ../x or /x."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or "\\" in name:
        raise FetchFailed(
            f"{shown} holds a file named {name!r}, which leads elsewhere. Nothing was installed."
        )
