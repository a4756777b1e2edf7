"""Many photos with what each of them shows: a folder or a ZIP file, listed but not read.

The label of a photo stands in a CSV with the columns file and label, else in the name of the
folder that holds it. Reading is left to whoever comes to the photo, so that a set of any
size takes the memory of one photo and a list of names.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from experiment import refusals
from experiment.errors import ImageRefused, PixelcostError
from experiment.header import Limits
from experiment.label_files import LabelsRefused, labels_in, read_text
from experiment.records import SkippedPhoto

LABELS_NAME = "labels.csv"  # taken without asking where it lies beside the photos
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})
MAX_LABELS_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A photo of a set, not read yet."""

    name: str  # its path within the set, with slashes
    size_bytes: int
    label: str | None  # as the person wrote it; None: no label was given


class Place(Protocol):
    """Where files lie: a folder or a ZIP file."""

    name: str

    def sizes(self) -> Mapping[str, int]:
        """Every file's path and its size in bytes."""

    def read(self, name: str, max_bytes: int) -> bytes:
        """One file. Raises OSError, also for one that is larger than `max_bytes`."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """The photos, sorted by name. `missing` are those that only the CSV knows."""

    name: str
    place: Place
    photos: tuple[ListedPhoto, ...]
    missing: tuple[SkippedPhoto, ...] = ()

    @property
    def sha256(self) -> str:
        """Changes when a photo comes, goes, or has another name, size or label."""
        rows = (f"{each.name}\0{each.size_bytes}\0{each.label or ''}\n" for each in self.photos)
        return hashlib.sha256("".join(rows).encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, photo: ListedPhoto, limits: Limits) -> bytes:
        """The photo's bytes. Raises ImageRefused when it is too large or can't be read."""
        if photo.size_bytes > limits.max_bytes:
            raise refusals.too_many_bytes(photo.size_bytes, limits.max_bytes)
        try:
            return self.place.read(photo.name, limits.max_bytes)
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ImageRefused(f"{photo.name} can't be read: {why}.", "unreadable", 422) from None


def open_photo_set(path: Path, labels_file: Path | None = None) -> PhotoSet:
    """The set in a folder or ZIP file; `labels_file` in place of its own labels.csv, if it has one.

    Raises PixelcostError when there are no photos, LabelsRefused for a bad CSV.
    """
    labels = None if labels_file is None else labels_in(read_text(labels_file), str(labels_file))
    return photo_set_in(place_at(path), labels)


def photo_set_in(place: Place, labels: Mapping[str, str] | None = None) -> PhotoSet:
    """The set at a place; `labels` by file name, else by its own labels.csv, else by its folders' names.

    Raises PixelcostError when there are no photos, LabelsRefused for a bad CSV.
    """
    sizes = place.sizes()
    names = sorted(name for name in sizes if _is_photo(name) and not _is_hidden(name))
    if not names:
        raise PixelcostError(
            f"{place.name} holds no photos. Photos end in {', '.join(sorted(ENDINGS))}; "
            "their labels are the names of the folders they lie in, or stand in labels.csv.",
            "no_photos",
            422,
        )
    if labels is None:
        labels = _own_labels(place, sizes)
    if labels is None:
        photos = [ListedPhoto(name, sizes[name], _folder_label(name)) for name in names]
        return PhotoSet(place.name, place, tuple(photos))
    by_name, missing = _matched(labels, names)
    photos = [ListedPhoto(name, sizes[name], by_name.get(name)) for name in names]
    return PhotoSet(place.name, place, tuple(photos), tuple(missing))


class Folder:
    """A folder on disk, with all folders in it."""

    def __init__(self, root: Path):
        self._root = root
        self.name = root.resolve().name

    def sizes(self) -> Mapping[str, int]:
        """Path within the folder -> bytes."""
        files = (each for each in self._root.rglob("*") if each.is_file())
        return {each.relative_to(self._root).as_posix(): each.stat().st_size for each in files}

    def read(self, name: str, max_bytes: int) -> bytes:
        """The file's bytes."""
        with (self._root / name).open("rb") as file:
            return _at_most(file.read(max_bytes + 1), max_bytes)


class Archive:
    """A ZIP file. Nothing is unpacked to disk."""

    def __init__(self, path: Path, name: str | None = None):
        """`name` in place of the file's own. Raises PixelcostError when it is no whole ZIP file."""
        self.name = name or path.name
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError):
            raise PixelcostError(
                f"{name or path} is no folder and no whole ZIP file. Name one of these.", "no_photos", 422
            ) from None

    def sizes(self) -> Mapping[str, int]:
        """Path within the archive -> bytes unpacked."""
        return {each.filename: each.file_size for each in self._zip.infolist() if not each.is_dir()}

    def read(self, name: str, max_bytes: int) -> bytes:
        """The file's bytes; what unpacks to more than it says is refused."""
        with self._zip.open(name) as file:
            return _at_most(file.read(max_bytes + 1), max_bytes)


def _at_most(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise OSError(f"it is larger than {max_bytes:,} bytes")
    return data


def place_at(path: Path) -> Place:
    """The folder or ZIP file at `path`. Raises PixelcostError when it is neither."""
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise PixelcostError(f"{path} is not there. Name a folder of photos, or a ZIP file.")
    return Archive(path)


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ENDINGS


def _is_hidden(name: str) -> bool:
    """What systems put beside photos: ".DS_Store", "__MACOSX/._cat.jpg"."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _folder_label(name: str) -> str | None:
    return PurePosixPath(name).parent.name or None


def _own_labels(place: Place, sizes: Mapping[str, int]) -> dict[str, str] | None:
    """File -> label from the set's own labels.csv; None where there is none.

    Paths in it begin at the folder that it lies in.
    """
    found = sorted(
        (name for name in sizes if PurePosixPath(name).name == LABELS_NAME and not _is_hidden(name)),
        key=lambda name: name.count("/"),
    )
    if not found:
        return None
    try:
        text = place.read(found[0], MAX_LABELS_BYTES).decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise LabelsRefused(f"{found[0]} can't be read: {error}.") from None
    folder = PurePosixPath(found[0]).parent
    return {(folder / file).as_posix(): label for file, label in labels_in(text, found[0]).items()}


def _matched(labels: Mapping[str, str], names: list[str]) -> tuple[dict[str, str], list[SkippedPhoto]]:
    """Labels by the photos' names. A file may be named without its folder where that is enough."""
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(PurePosixPath(name).name, []).append(name)
    known, found, missing = set(names), {}, []
    for file, label in labels.items():
        alike = [file] if file in known else by_last.get(PurePosixPath(file).name, [])
        if len(alike) == 1:
            found[alike[0]] = label
        else:
            why = "is not there" if not alike else f"could be any of {len(alike)} photos"
            missing.append(SkippedPhoto(file, "missing", f"{file} has a label, but {why}."))
    return found, missing
