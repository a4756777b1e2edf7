"""Photos for training: read once, squashed to squares, kept in one file that is mapped into memory."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from models.imagenet import classes
from models.problems import ModelProblem, first_line

SQUARE_PX = 160  # the photos that the demo model was trained on have 144 px on their shorter side
SQUARES = "photos.npy"
LABELS = "labels.csv"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# What zipfile raises for archives that are damaged, encrypted or packed in another way.
ZIP_PROBLEMS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
UNKNOWN = -1  # the true class of a photo whose folder does not tell


@dataclass(frozen=True)
class File:
    """A photo as it lies in a folder or a ZIP file."""

    name: str  # source and path in it; the same wherever the source lies
    data: bytes
    imagenet: int  # its true class of ImageNet's 0..999, or UNKNOWN


@dataclass(frozen=True)
class Photos:
    """All photos that could be read. `squares` is uint8 [n, 160, 160, 3], `imagenet` is int [n]."""

    names: list[str]
    squares: np.ndarray
    imagenet: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def files(sources: Sequence[Path]) -> Iterator[File]:
    """Every photo of the sources, in a fixed order. Raises ModelProblem when one holds no photos."""
    for source in sources:
        if source.is_dir():
            names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
            yield from _among(source, names, partial(_read_from, source))
        elif source.is_file() and zipfile.is_zipfile(source):
            try:
                with zipfile.ZipFile(source) as archive:
                    yield from _among(source, archive.namelist(), archive.read)
            except ZIP_PROBLEMS as problem:
                raise ModelProblem(
                    f"{source} can't be read as a ZIP file: {first_line(problem)}"
                ) from problem
        elif source.is_file() and source.suffix.lower() in SUFFIXES:
            yield File(source.name, source.read_bytes(), UNKNOWN)
        else:
            raise ModelProblem(
                f"{source} is no folder, no ZIP file and no photo. Give photos as one of them."
            )


def check(sources: Sequence[Path]) -> None:
    """Raises ModelProblem when one of them holds no photos, before anything is written."""
    for source in sources:
        if next(files([source]), None) is None:
            raise _no_photo([source])


def _no_photo(sources: Sequence[Path]) -> ModelProblem:
    where = ", ".join(map(str, sources))
    return ModelProblem(f"no photo in {where}. Looked for {', '.join(sorted(SUFFIXES))}, also in folders.")


def _read_from(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _among(source: Path, names: list[str], read: Callable[[str], bytes]) -> Iterator[File]:
    """The photos of a source, with the class that its labels.csv or a folder named by WordNet id tells."""
    listed = _labels(read(LABELS)) if LABELS in names else {}
    of_folder = {each.wordnet_id: index for index, each in enumerate(classes())}
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES:
            true_class = listed.get(name, of_folder.get(path.parent.name, UNKNOWN))
            yield File(f"{source.name}/{name}", read(name), true_class)


def _labels(table: bytes) -> dict[str, int]:
    """Class of each photo. First columns of the table: its path, and the index in ImageNet's 0..999."""
    try:
        _titles, *rows = csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""))
        return {row[0]: int(row[1]) for row in rows if row}
    except (ValueError, IndexError, csv.Error) as problem:
        raise ModelProblem(
            f"{LABELS} is no table of photos in UTF-8: {first_line(problem)} "
            "After a line of titles each line begins with a path and an index of ImageNet, 0 to 999."
        ) from problem


def read_square(data: bytes, side_px: int) -> np.ndarray:
    """The whole photo, squashed. Returns uint8 [side_px, side_px, 3]; raises OSError or ValueError."""
    with Image.open(io.BytesIO(data)) as photo:
        square = photo.convert("RGB").resize((side_px, side_px), Image.Resampling.BILINEAR)
    return np.asarray(square)


def gather(sources: Sequence[Path], work: Path, say: Callable[[str], None]) -> Photos:
    """The photos as squares, from `work` when they lie there already.

    A photo that can't be read is named and left out. Raises ModelProblem when none is left.
    """
    index, store = work / "photos.json", work / SQUARES
    if not index.exists():
        _store(sources, index, store, say)
    listed = json.loads(index.read_text(encoding="utf-8"))
    squares = np.load(store, mmap_mode="r")
    return Photos(listed["names"], squares, np.array(listed["imagenet"]))


def _store(sources: Sequence[Path], index: Path, store: Path, say: Callable[[str], None]) -> None:
    names: list[str] = []
    imagenet: list[int] = []
    squares: list[np.ndarray] = []
    for file in files(sources):
        try:
            squares.append(read_square(file.data, SQUARE_PX))
        except (OSError, ValueError, Image.DecompressionBombError) as problem:
            say(f"left out {file.name}: {problem}")
            continue
        names.append(file.name)
        imagenet.append(file.imagenet)
    if not names:
        raise _no_photo(sources)
    np.save(store, np.stack(squares))
    index.write_text(
        json.dumps({"names": names, "imagenet": imagenet}), encoding="utf-8"
    )  # last: all is there
