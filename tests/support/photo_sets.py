"""Tiny photo sets, and a model server that tells their colours. What it gets wrong, the test decides."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
from PIL import Image

from experiment.protocol import predict_pb2
from tests.support.scripted_server import good_answer, grpc_server

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"  # what the two headers of a ZIP file's entry begin with
Guess = Callable[[str, int, int], str]  # true colour, longest side in px, number of the photo -> answer


def photo(colour: str, number: int, side_px: int = 48) -> bytes:
    """A JPEG of one colour. Its height tells its number, 0 to 39, at any size."""
    height_px = round(side_px * (60 + number) / 100)
    pixels = np.full((height_px, side_px, 3), COLOURS[colour], np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=90)
    return data.getvalue()


def write_folders(root: Path, count: int, side_px: int = 48) -> Path:
    """`count` photos in folders named by colour; returns `root`."""
    names = list(COLOURS)
    for number in range(count):
        colour = names[number % len(names)]
        (root / colour).mkdir(parents=True, exist_ok=True)
        (root / colour / f"{number:04}.jpg").write_bytes(photo(colour, number % 40, side_px))
    return root


def zipped(folder: Path, path: Path) -> Path:
    """All files of `folder` in a ZIP file at `path`."""
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                archive.write(each, each.relative_to(folder).as_posix())
    return path


def packed(path: Path, entries: dict[bytes, bytes], **header: int) -> Path:
    """A ZIP file with names as they are given, byte for byte; `header`: flags and method of each entry."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for at, (name, data) in enumerate(entries.items()):
            info = zipfile.ZipInfo(str(at).ljust(len(name), "x")[: len(name)])
            info.compress_type = archive.compression
            with archive.open(info, "w") as file:
                file.write(data)
    data = bytearray(buffer.getvalue())
    for signature, flags_at, name_at in ((LOCAL, 6, 30), (CENTRAL, 8, 46)):
        at = -1
        for name in entries:
            at = data.index(signature, at + 1)
            data[at + flags_at : at + flags_at + 2] = struct.pack("<H", header.get("flags", 0))
            if "method" in header:
                data[at + flags_at + 2 : at + flags_at + 4] = struct.pack("<H", header["method"])
            data[at + name_at : at + name_at + len(name)] = name
    path.write_bytes(data)
    return path


def colour_of(data: bytes) -> tuple[str, int, int]:
    """What a photo of this file shows: colour, longest side, number."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    mean = np.asarray(image).reshape(-1, 3).mean(0)
    return list(COLOURS)[int(mean.argmax())], image.width, round(100 * image.height / image.width) - 60


def always_right(colour: str, side_px: int, number: int) -> str:
    """A model without faults."""
    return colour


def blind_when_small(colour: str, side_px: int, number: int) -> str:
    """A model that calls everything blue below 32 px."""
    return colour if side_px >= 32 else "blue"


@contextmanager
def colour_server(guess: Guess = always_right, **options: object) -> Iterator[str]:
    """A gRPC model server that looks at the pixels. Its model knows red, green and blue."""

    def predict(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = predict_pb2.PredictRequest.FromString(request)
        answer = guess(*colour_of(asked.inputs["images"].string_val[0]))
        others = [each for each in COLOURS if each != answer]
        return good_answer((answer, *others), (0.7, 0.2, 0.1))

    with grpc_server(predict, **options) as address:  # type: ignore[arg-type]
        yield address
