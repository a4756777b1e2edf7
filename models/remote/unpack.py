"""Archives and layers of images, unpacked without following names that lead elsewhere."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from models.problems import FetchFailed
from models.remote.sums import refuse_leading_elsewhere

MODEL_FOLDERS = ("model", "models")  # of an image: ours, and KServe's
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"  # what a layer removes of those below it
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError)


def is_archive(path: Path) -> bool:
    """Whether it is a tar, compressed or not, or a ZIP, by its bytes. Keras' files are ZIPs too."""
    if path.suffix in {".pt", ".pt2", ".pth", ".keras"}:
        return False
    return tarfile.is_tarfile(path) or zipfile.is_zipfile(path)


def unpack(archive: Path, into: Path, shown: str) -> None:
    """All files of an archive. Raises FetchFailed if it is damaged or holds links or odd names."""
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                for member in tar:
                    _refuse_odd(member, shown)
                    tar.extract(member, into, filter="data")
        else:
            with zipfile.ZipFile(archive) as packed:
                for name in packed.namelist():
                    refuse_leading_elsewhere(name, shown)
                    packed.extract(name, into)
    except DAMAGED as problem:
        raise FetchFailed(
            f"{shown} can't be unpacked ({type(problem).__name__}). Nothing was installed."
        ) from None


def unpack_layer(layer: Path, into: Path, shown: str) -> None:
    """The model's folder in one layer of an image, over what the layers before it held."""
    try:
        with tarfile.open(layer) as tar:
            for member, path in _below(tar):
                if path.name == OPAQUE:
                    shutil.rmtree(into / path.parent, ignore_errors=True)
                elif path.name.startswith(WHITEOUT):
                    _remove(into / path.parent / path.name.removeprefix(WHITEOUT))
                else:
                    _refuse_odd(member, shown)
                    tar.extract(member, into, filter="data")
    except DAMAGED as problem:
        raise FetchFailed(f"A layer of {shown} can't be unpacked ({type(problem).__name__}).") from None


def _below(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    for member in tar:
        path = PurePosixPath(member.name.lstrip("/"))
        first = next(iter(path.parts), "")
        if first.removeprefix(WHITEOUT) in MODEL_FOLDERS:
            yield member, path


def _refuse_odd(member: tarfile.TarInfo, shown: str) -> None:
    if member.name not in {".", "./"}:
        refuse_leading_elsewhere(member.name, shown)
    if not (member.isreg() or member.isdir()):
        raise FetchFailed(
            f"{shown}: {member.name!r} is a link or a device. Pack the files themselves: tar --dereference."
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
