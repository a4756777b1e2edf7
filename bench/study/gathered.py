"""Photos from several places as one folder, which `python -m experiment --photos` takes."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiment.errors import PixelcostError
from experiment.images.header import Limits
from experiment.photo_sets.listing import LABELS_NAME, open_photo_set
from experiment.photo_sets.places import is_photo

PLACES = "places.txt"  # within the folder: where its photos are from


def gathered(places: Sequence[Path], folder: Path) -> Path:
    """The one place itself, or `folder` with the photos of all and one labels.csv.

    A place is a folder or ZIP of photos, or one photo, which has no label. In `folder` each has
    a folder of its own, so names that two of them share don't clash. Copied whole or not at all.
    Raises PixelcostError for a place that can't be read, where two have the same name, and where
    `folder` was made from others.
    """
    if len(places) == 1 and not _is_single(places[0]):
        open_photo_set(places[0])  # which refuses what is none, before hours are spent
        return places[0]
    listed = "".join(f"{place}\n" for place in places)
    if folder.exists():
        if (folder / PLACES).read_text("utf-8") != listed:
            raise PixelcostError(f"{folder} holds other photos. Name another --out for these.")
        return folder
    twice = [name for name, times in Counter(place.stem for place in places).items() if times > 1]
    if twice:
        raise PixelcostError(f"Two of the places are named {twice[0]}. Rename one of them.")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / PLACES).write_text(listed, "utf-8")
    with (part / LABELS_NAME).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "label"))
        for place in places:
            rows.writerows(_copied(place, part / place.stem))
    return part.rename(folder)


def _copied(place: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Its photos go into `folder`; name and label of those that have one."""
    folder.mkdir()
    if _is_single(place):
        shutil.copyfile(place, folder / place.name)
        return
    photos = open_photo_set(place)
    for photo in photos.photos:
        copy = folder / photo.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(photos.read(photo, Limits()))
        if photo.label is not None:
            yield f"{folder.name}/{photo.name}", photo.label


def _is_single(place: Path) -> bool:
    return place.is_file() and is_photo(place.name)
