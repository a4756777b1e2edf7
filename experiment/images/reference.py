"""The reference, with which every variant is compared. It is a variant too.

It is the uploaded file without its metadata if a model server reads the same pixels from it as we do.
Otherwise it is those pixels as lossless PNG, and `encoder` says why.
"""

from __future__ import annotations

import hashlib
import math
import time

from PIL import Image

from experiment.images.formats import READ_BY_CONTRACT
from experiment.images.png import encode_png
from experiment.images.resize import RESAMPLERS, scaled
from experiment.records import REFERENCE_ID, SourceImage, Variant
from experiment.wording import AS_UPLOADED, WITHOUT_METADATA

# Backends take messages of 64 MiB, and the rest of a message needs some room.
MAX_REFERENCE_BYTES = 60 * 1024**2


def make_reference(source: SourceImage, max_bytes: int = MAX_REFERENCE_BYTES) -> Variant:
    """The original without its metadata, or as lossless PNG, of at most `max_bytes`."""
    reasons = [_within_sentence(note) for note in source.notes]
    if source.media_type not in READ_BY_CONTRACT:
        reasons.append("model servers may not read its format")
    if len(source.data) > max_bytes:
        reasons.append("too large for a message")
    if not reasons:
        is_same = hashlib.sha256(source.data).hexdigest() == source.sha256
        how = AS_UPLOADED if is_same else WITHOUT_METADATA
        return _variant(source, (source.width_px, source.height_px), source.data, how, None)
    assert source.pixels is not None, "a stored source has no pixels"  # noqa: S101
    started_s = time.thread_time()
    image, data = _fitting_png(source.pixels, max_bytes)
    encode_ms = (time.thread_time() - started_s) * 1000
    what = "lossless PNG of the original"
    if image.size != source.pixels.size:
        what += f" shrunk to {max(image.size)} px to fit a message"
    return _variant(source, image.size, data, f"{what}: {', '.join(reasons)}", encode_ms)


def _within_sentence(note: str) -> str:
    """A note without capital and full stop: "Turned upright." -> "turned upright"; "CMYK" stays."""
    first = note[0] if note[1:2].isupper() else note[0].lower()
    return first + note[1:].removesuffix(".")


def _fitting_png(image: Image.Image, max_bytes: int) -> tuple[Image.Image, bytes]:
    """The image as PNG, shrunk until it has at most `max_bytes`."""
    smaller, data = image, encode_png(image)
    while len(data) > max_bytes and max(smaller.size) > 1:
        shrink = 0.97 * math.sqrt(max_bytes / len(data))
        size = scaled(*image.size, max(1, int(max(smaller.size) * shrink)))
        smaller = image.resize(size, RESAMPLERS["lanczos"])
        data = encode_png(smaller)
    return smaller, data


def _variant(
    source: SourceImage, size: tuple[int, int], data: bytes, encoder: str, encode_ms: float | None
) -> Variant:
    return Variant(
        id=REFERENCE_ID,
        size_px=max(size),
        width_px=size[0],
        height_px=size[1],
        format=source.media_type.removeprefix("image/") if encode_ms is None else "png",
        quality=None,
        encoder=encoder,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=source.decode_ms,
        resize_ms=None,
        encode_ms=encode_ms,
        is_reference=True,
        data=data,
    )
