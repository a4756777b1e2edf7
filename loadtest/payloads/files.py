"""The images to send: files, folders, and ZIP files, as the page's download of a run's variants."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiment.errors import PixelcostError
from experiment.file_names import is_systems_own, printable
from experiment.images.header import Limits, read_header
from experiment.images.read import read_image
from experiment.photo_files import contents_of
from loadtest.errors import LoadRefused

MOST_IMAGES = 10_000
MOST_BYTES = 1024 * 1024 * 1024  # of all together: they are kept in memory
LIMITS = Limits()


class NamedImage(NamedTuple):
    """An encoded image without its metadata, as a run sends it."""

    name: str
    data: bytes


def read_images(paths: Sequence[Path], variant: str | None = None) -> list[NamedImage]:
    """The images in files, folders and ZIP files, in the order of the paths and within them of the names.

    `variant` keeps those of that name, without its ending: "512-jpeg-85". Raises LoadRefused, or ImageRefused
    for a file that is not an image; of folders and ZIP files only images are taken.
    """
    images: list[NamedImage] = []
    for path in paths:
        images += _images_in(path, variant)
        if len(images) > MOST_IMAGES or sum(len(image.data) for image in images) > MOST_BYTES:
            raise LoadRefused(
                f"That are more than {MOST_IMAGES:,} images or {MOST_BYTES // 2**20:,} MiB. Choose fewer."
            )
    if not images:
        words = f"called {variant} " if variant else ""
        raise LoadRefused(f"There is no image {words}in {', '.join(map(str, paths))}.")
    return images


def _images_in(path: Path, variant: str | None) -> Iterator[NamedImage]:
    try:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from _that_are(((file.name, file.read_bytes()) for file in files), variant)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from _that_are(_members(archive, path), variant)
        else:
            data = path.read_bytes()
            image = NamedImage(printable(path.name), read_image(data, path.name).data)  # raises ImageRefused
            yield from [image] if _is_wanted(path.name, variant) else []
    except OSError as error:
        raise LoadRefused(f"{path} can't be read: {error.strerror}.") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise LoadRefused(
            f"{path} is a ZIP file that can't be unpacked. Download or make it again."
        ) from None


def _that_are(files: Iterator[tuple[str, bytes]], variant: str | None) -> Iterator[NamedImage]:
    """Those that are whole images; a folder may hold other files too."""
    for name, data in files:
        if is_systems_own(name) or not _is_wanted(name, variant):
            continue
        try:
            kind = read_header(data, name, LIMITS).format
            yield NamedImage(printable(name), contents_of(data, kind, name).picture)
        except PixelcostError:
            continue


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, bytes]]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise LoadRefused(f"{path} unpacks to more than {MOST_BYTES // 2**20:,} MiB. Choose fewer images.")
    for member in sorted(members, key=lambda member: member.filename):
        yield member.filename, archive.read(member)


def _is_wanted(name: str, variant: str | None) -> bool:
    return variant is None or variant in {Path(name).stem, Path(name).name}
