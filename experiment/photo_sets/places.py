"""Where the files of a set lie: a folder, a ZIP file or a bucket (s3.py). Listed at once, read one by one.

A file of a set can be pickled, so that a process on another machine reads it there; it takes no list with it.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import platform
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from experiment.errors import PixelcostError
from experiment.file_names import clean_path, is_systems_own, printable, unique

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif", ".heic", ".heif", ".hif"})
ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP file's directory
MOST_ENTRY_BYTES = 1_000  # of the directory, for each entry that is allowed
NAME_IS_UTF8 = 0x800  # flag of an entry
FIRST_WINDOWS_LETTER = 0xC0  # in cp1252; from there on cp437, but for one letter, has none of Latin script
# What zipfile and its decompressors raise for files that are damaged, made to hurt, or of other kinds.
UNREADABLE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(RuntimeError, ValueError, LookupError, OverflowError, MemoryError),
)


WHY: dict[type[Exception], str] = {  # the first that fits
    UnicodeDecodeError: "a file's name in it is marked as UTF-8 and is not",
    NotImplementedError: "it uses a compression method that is not supported; use Deflate",
    RuntimeError: "it is encrypted",
    MemoryError: "it needs more memory than this machine has",
}


class StoredFile(Protocol):
    """One file of a set. It can be pickled."""

    def read(self, max_bytes: int) -> bytes:
        """Its bytes. Raises OSError, also for one that is larger than `max_bytes`."""


class Place(Protocol):
    """Where files lie: a folder, a ZIP file or a bucket."""

    name: str

    def sizes(self) -> Mapping[str, int]:
        """Every file's path, as clean_path() has it, and its size in bytes."""

    def file(self, name: str) -> StoredFile:
        """One of them."""


class SetNotHere(PixelcostError):
    """The whole set is out of reach, so that no photo may be taken for an unreadable one."""

    code = "set_not_here"
    http_status = 422


def is_photo(name: str) -> bool:
    """By its ending, unless a system put it there."""
    return Path(name).suffix.lower() in ENDINGS and not is_systems_own(name)


def why_unreadable(error: OSError) -> str:
    """In words, without its number."""
    return error.strerror or str(error)


def named(found: Iterable[tuple[str, int]]) -> tuple[dict[str, int], dict[str, str]]:
    """Sizes by clean name, and what the file is really called where that is something else."""
    files = sorted(found)
    names = unique(clean_path(stored) for stored, _ in files)
    sizes = dict(zip(names, (size_bytes for _, size_bytes in files), strict=True))
    pairs = zip(names, (stored for stored, _ in files), strict=True)
    return sizes, {name: stored for name, stored in pairs if name != stored}


@dataclass(frozen=True, slots=True)
class FileOnDisk:
    """A file of a folder."""

    root: str  # of the set; absolute
    path: str  # within it

    def read(self, max_bytes: int) -> bytes:
        """See StoredFile. Raises SetNotHere where this machine does not have the folder."""
        try:
            with Path(self.root, self.path).open("rb") as file:
                return at_most(file.read(max_bytes + 1), max_bytes)
        except FileNotFoundError:
            if Path(self.root).is_dir():
                raise
            raise SetNotHere(
                f"The folder {self.root} is not on {platform.node()}. With workers on several machines, the "
                "photos must lie in a folder that all of them have under the same path, or in S3: "
                "--photos s3://bucket/prefix."
            ) from None


class Folder:
    """A folder on disk, with all folders in it. Links are followed."""

    def __init__(self, root: Path):
        """Raises PixelcostError when a folder in it can't be read."""
        self._root = str(root.absolute())
        self.name = printable(root.resolve().name)
        self._sizes, self._stored = named(_files_in(root))

    def sizes(self) -> Mapping[str, int]:
        """Path within the folder -> bytes."""
        return self._sizes

    def file(self, name: str) -> FileOnDisk:
        """One of its files."""
        return FileOnDisk(self._root, self._stored.get(name, name))


def _files_in(root: Path) -> Iterator[tuple[str, int]]:
    """Path within `root` and bytes of each file. Links are followed, but not back into a folder above."""
    todo: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while todo:
        prefix, above = todo.pop()
        folder = root / prefix
        try:
            stat = folder.stat()
            here = (stat.st_dev, stat.st_ino)
            if here in above:
                continue
            for entry in os.scandir(folder):
                if is_systems_own(entry.name):
                    continue
                if entry.is_dir():
                    todo.append((f"{prefix}{entry.name}/", above | {here}))
                elif entry.is_file():
                    yield f"{prefix}{entry.name}", entry.stat().st_size
                elif entry.is_symlink():
                    yield from _dead_link(prefix + entry.name, Path(entry.path))
        except OSError as error:
            where = error.filename or folder
            raise PixelcostError(f"{where} can't be read: {why_unreadable(error)}.") from None


def _dead_link(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """A photo that leads nowhere is listed, and skipped by name later; a class that does would be lost."""
    if is_photo(name):
        yield name, 0
    elif not path.suffix:
        raise PixelcostError(f"{path} is a broken link. Repair the link, or remove it.")


class Archive:
    """A ZIP file. Nothing is unpacked to disk."""

    def __init__(self, path: Path, name: str | None = None, most_entries: int | None = None):
        """`name` in place of the file's own. Raises PixelcostError when it is not a whole ZIP file.

        `most_entries`: more are refused before they are listed, which takes time; None: any number.
        """
        self.name = name or printable(path.name)
        self._path = str(path.absolute())
        shown = name or path
        try:
            file = _Counted(path, most_entries)
            self._zip = zipfile.ZipFile(file)
            file.most_entries = None  # what is read from now on is photos
        except _TooManyEntries:
            raise PixelcostError(
                f"{shown} holds more than {most_entries:,} files. Pack the photos alone, or fewer of them.",
                "too_many_files",
                422,
            ) from None
        except zipfile.BadZipFile:
            raise PixelcostError(
                f"{shown} is neither a folder nor a complete ZIP file. Name one of these.", "no_photos", 422
            ) from None
        except UNREADABLE as error:
            raise PixelcostError(
                f"{shown} can't be read: {_why(error)}. Pack the photos again.", "no_photos", 422
            ) from None
        # Of two entries with one name the later one counts, as when they are unpacked.
        by_name = {_name_of(entry): entry for entry in self._zip.infolist()}
        files = {name: entry for name, entry in by_name.items() if name and not name.endswith(("/", "\\"))}
        self._entries = dict(zip(unique(map(clean_path, files)), files.values(), strict=True))

    def sizes(self) -> Mapping[str, int]:
        """Path within the archive -> bytes unpacked."""
        return {name: entry.file_size for name, entry in self._entries.items()}

    def file(self, name: str) -> ZippedFile:
        """One of its files."""
        return ZippedFile(self._path, self._entries[name], self)

    def read(self, entry: zipfile.ZipInfo, max_bytes: int) -> bytes:
        """The entry's bytes; what unpacks to more than it says is refused with an OSError."""
        try:
            with self._zip.open(entry) as file:
                data = file.read(max_bytes + 1)
        except UNREADABLE as error:
            raise OSError(_why(error)) from None
        return at_most(data, max_bytes)


class ZippedFile:
    """A file of a ZIP file. Another process opens the ZIP file for itself, once."""

    def __init__(self, path: str, entry: zipfile.ZipInfo, archive: Archive | None = None):
        self._path = path
        self._entry = entry
        self._archive = archive

    def __reduce__(self) -> tuple[type[ZippedFile], tuple[str, zipfile.ZipInfo]]:
        return ZippedFile, (self._path, self._entry)

    def read(self, max_bytes: int) -> bytes:
        """See StoredFile. Raises SetNotHere where this machine does not have the ZIP file."""
        archive = self._archive or _opened(self._path)
        return archive.read(self._entry, max_bytes)


@lru_cache(maxsize=1)
def _opened(path: str) -> Archive:
    if not Path(path).exists():
        raise SetNotHere(
            f"The ZIP file {path} is not on {platform.node()}. With workers on several machines, it must lie "
            "where all of them have it under the same path; photos may also lie in S3: "
            "--photos s3://bucket/prefix."
        )
    return Archive(Path(path))


class _TooManyEntries(Exception):
    pass


class _Counted(io.BufferedReader):
    """A ZIP file whose entries are counted while zipfile reads its directory.

    It does so in one go, before it makes an object of each entry: that is what takes long.
    """

    def __init__(self, path: Path, most_entries: int | None):
        super().__init__(io.FileIO(path))
        self.most_entries = most_entries

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises _TooManyEntries."""
        most = self.most_entries
        if most is not None and size is not None and size > most * MOST_ENTRY_BYTES:
            raise _TooManyEntries
        data = super().read(size)
        if most is not None and data.count(ENTRY) > most:
            raise _TooManyEntries
        return data


def _name_of(entry: zipfile.ZipInfo) -> str:
    """Its name, where old tools wrote UTF-8 or Windows' own letters without saying so."""
    name: str = entry.orig_filename
    if entry.flag_bits & NAME_IS_UTF8 or name.isascii():
        return name
    stored = name.encode("cp437")  # which zipfile takes for granted, as the format says
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        is_windows = all(byte < 0x80 or byte >= FIRST_WINDOWS_LETTER for byte in stored)
        return stored.decode("cp1252") if is_windows else name


def _why(error: BaseException) -> str:
    """In words that a person who packed photos can do something with."""
    for kind, words in WHY.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return error.strerror
    return "it is damaged"  # EINVAL too: numbers in it lead to a place before its beginning


def at_most(data: bytes, max_bytes: int) -> bytes:
    """The data, if it is not more than that; else an OSError."""
    if len(data) > max_bytes:
        raise OSError(f"it is larger than {max_bytes:,} bytes")
    return data
