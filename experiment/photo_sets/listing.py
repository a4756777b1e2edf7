"""Many photos with what each of them shows: a folder, a ZIP file or a bucket, listed but not read.

The label of a photo stands in a CSV with the columns file and label, else in the name of the
folder that holds it. Reading is left to whoever comes to the photo, so that a set of any
size takes the memory of one photo and a list of names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from experiment import refusals
from experiment.errors import ImageRefused, PixelcostError
from experiment.file_names import is_systems_own, printable
from experiment.images.header import Limits
from experiment.photo_sets.label_files import LabelsRefused, decoded, labels_in, read_text, refuse_above
from experiment.photo_sets.label_match import matched
from experiment.photo_sets.places import (
    ENDINGS,
    Archive,
    Folder,
    Place,
    StoredFile,
    is_photo,
    why_unreadable,
)
from experiment.photo_sets.s3 import Bucket, is_address
from experiment.records import GivenLabels, SkippedPhoto

LABELS_NAME = "labels.csv"  # taken without asking where it lies beside the photos
MAX_LABELS_BYTES = 100_000_000
MOST_NAMED_ROWS = 20  # of those that label no photo; all are counted


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A photo of a set, not read yet."""

    name: str  # its path within the set, with slashes
    size_bytes: int
    label: str | None  # as the person wrote it; None: no label was given


@dataclass(frozen=True, slots=True)
class LabelsCsv:
    """A CSV of labels, read."""

    name: str
    by_file: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """The photos, sorted by name. `missing` are the first few that only the CSV knows."""

    name: str
    place: Place
    photos: tuple[ListedPhoto, ...]
    missing: tuple[SkippedPhoto, ...] = ()
    given_labels: GivenLabels | None = None  # None: the labels are not from a CSV

    @property
    def sha256(self) -> str:
        """Changes when a photo comes, goes, or has another name, size or label."""
        rows = (f"{photo.name}\0{photo.size_bytes}\0{photo.label or ''}\n" for photo in self.photos)
        return hashlib.sha256("".join(rows).encode("utf-8")).hexdigest()

    @property
    def photos_sha256(self) -> str:
        """The same, whatever the labels: what is measured does not depend on them."""
        rows = (f"{photo.name}\0{photo.size_bytes}\n" for photo in self.photos)
        return hashlib.sha256("".join(rows).encode("utf-8")).hexdigest()

    @property
    def labels(self) -> dict[str, str | None]:
        """What each photo shows, by its name."""
        return {photo.name: photo.label for photo in self.photos}

    def read(self, photo: ListedPhoto, limits: Limits) -> bytes:
        """The photo's bytes. Raises ImageRefused when it is too large or can't be read."""
        return bytes_of(photo, self.place.file(photo.name), limits)


def bytes_of(photo: ListedPhoto, file: StoredFile, limits: Limits) -> bytes:
    """The photo's bytes. Raises ImageRefused when it is too large or can't be read."""
    if photo.size_bytes > limits.max_bytes:
        raise refusals.too_many_bytes(photo.size_bytes, limits.max_bytes)
    try:
        return file.read(limits.max_bytes)
    except OSError as error:
        why = why_unreadable(error)
        raise ImageRefused(f"{photo.name} can't be read: {why}.", "unreadable", 422) from None


def open_photo_set(path: Path | str, labels_file: Path | None = None) -> PhotoSet:
    """The set in a folder, a ZIP file or at s3://; `labels_file` in place of its own labels.csv.

    Raises PixelcostError when there are no photos, LabelsRefused for a bad CSV.
    """
    labels = None
    if labels_file is not None:
        name = printable(str(labels_file))
        labels = LabelsCsv(name, labels_in(read_text(labels_file), name))
    return photo_set_in(_place_at(path), labels)


def _place_at(path: Path | str) -> Place:
    if isinstance(path, str) and is_address(path):
        return Bucket(path)
    path = Path(path)
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise PixelcostError(
            f"{path} does not exist. Name a folder of photos, a ZIP file, or s3://bucket/prefix."
        )
    return Archive(path)


def photo_set_in(
    place: Place, labels: LabelsCsv | None = None, max_labels_bytes: int = MAX_LABELS_BYTES
) -> PhotoSet:
    """The set at a place; `labels`, else its own labels.csv, else the names of its folders are the labels.

    Raises PixelcostError when there are no photos, LabelsRefused for a bad CSV.
    """
    sizes = place.sizes()
    names = sorted(name for name in sizes if is_photo(name))
    if not names:
        raise PixelcostError(
            f"{place.name} holds no photos. Photos end in {', '.join(sorted(ENDINGS))}; "
            "their labels come from folder names or labels.csv.",
            "no_photos",
            422,
        )
    labels = labels or _own_labels(place, sizes, max_labels_bytes)
    if labels is None:
        photos = [ListedPhoto(name, sizes[name], PurePosixPath(name).parent.name or None) for name in names]
        return PhotoSet(place.name, place, tuple(photos))
    by_name, unused = matched(labels.by_file, names)
    photos = [ListedPhoto(name, sizes[name], by_name.get(name)) for name in names]
    missing = tuple(
        SkippedPhoto(row.file, "missing", f"{row.file} has a label, but {row.why}.")
        for row in unused[:MOST_NAMED_ROWS]
    )
    unlabelled = next((name for name in names if name not in by_name), None)
    given = GivenLabels(labels.name, len(labels.by_file), len(unused), len(by_name), unlabelled)
    return PhotoSet(place.name, place, tuple(photos), missing, given)


def _own_labels(place: Place, sizes: Mapping[str, int], max_bytes: int) -> LabelsCsv | None:
    """The set's own labels.csv; of several those that lie highest. None: it has none.

    Paths in it begin at the folder that it lies in.
    """
    csvs = (name for name in sizes if PurePosixPath(name).name.casefold() == LABELS_NAME)
    found = [name for name in csvs if not is_systems_own(name)]
    depth = min((name.count("/") for name in found), default=0)
    highest = sorted(name for name in found if name.count("/") == depth)
    title = " and ".join([*highest[:1], *([f"{len(highest) - 1:,} more"] if highest[1:] else [])])
    refuse_above(sum(sizes[name] for name in highest), max_bytes, title)
    by_file: dict[str, str] = {}
    for name in highest:
        try:
            data = place.file(name).read(max_bytes)
        except OSError as error:
            raise LabelsRefused(f"{name} can't be read: {why_unreadable(error)}.") from None
        folder = PurePosixPath(name).parent
        by_file |= {
            (folder / file).as_posix(): label for file, label in labels_in(decoded(data, name), name).items()
        }
    return LabelsCsv(title, by_file) if highest else None
