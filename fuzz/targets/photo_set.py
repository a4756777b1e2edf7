"""ZIP files of photos: listed, their labels found, every photo fetched."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from experiment.errors import ImageRefused, PixelcostError
from experiment.images.header import Limits
from experiment.photo_sets.listing import open_photo_set
from fuzz.target import Target

LABELS = b'file,label\ncat/1.png,cat\r\n"dog/2,2.png","a ""dog"""\n'


def _feed(data: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        try:
            photos = open_photo_set(Path(file.name))
        except PixelcostError:
            return "refused"
        unread = 0
        for photo in photos.photos:
            try:
                photos.read(photo, Limits())
            except ImageRefused:
                unread += 1
        return "read in part" if unread else "read"


def _seeds() -> Iterator[bytes]:
    entries = {"cat/1.png": b"\x89PNG" * 9, "dog/2,2.png": b"\xff\xd8" * 9, "labels.csv": LABELS}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield _zip(entries, method)
    yield _zip({"L\u00f6we/1.jpg": b"x", "a\\b\\2.jpg": b"y", "__MACOSX/._1.jpg": b"z"}, zipfile.ZIP_DEFLATED)
    yield _zip({f"{number}.jpg": bytes(100) for number in range(40)}, zipfile.ZIP_DEFLATED)


def _zip(entries: dict[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


TOKENS = [
    *(
        b"PK\1\2",
        b"PK\3\4",
        b"PK\5\6",
        b"PK\6\6",
        b"PK\6\7",
        b"labels.csv",
        b"../",
        b"\\",
        b"\0",
        b"\xff\xff\xff\xff",
    ),
    *(
        b"\x01\0\x10\0",
        b"\x75\x70",
        b"\x09\0",
        b"\x0c\0",
        b"\x0e\0",
        b"\x5d\0",
        b"\x63\0",
        b'"',
        b"file,label\n",
    ),
]
TARGET = Target("photo_set", lambda: list(_seeds()), _feed, TOKENS)
