"""JPEG, with the settings that TensorFlow's `decode_image` hands to libjpeg-turbo.

These are the fast integer DCT and smooth upsampling of the colours. Pillow uses the accurate DCT,
which gives other levels for two samples in three.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

from serving.images.refused import ImageRefused, check_size

FOUR_COLOURS = ("CMYK", "YCCK")
START_OF_SCAN, END = b"\xff\xda", b"\xff\xd9"  # markers
WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers, but for 0, which makes FF a plain byte
ADOBE_SEGMENT, ADOBE_LEAST_BYTES = 0xEE, 12  # APP14


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused for a truncated file; damage within the pixels stays as it is.

    Some damage before the pixels, which TensorFlow forgives, is refused too.
    """
    try:
        height_px, width_px, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError) as problem:  # KeyError: colours that nobody has heard of
        raise ImageRefused(f"its JPEG header is damaged: {problem}") from problem
    check_size(width_px, height_px)
    if not data.endswith(END) and data.rfind(END) < data.rfind(START_OF_SCAN):
        raise ImageRefused("it is a truncated JPEG: its end mark is missing")
    if colours not in FOUR_COLOURS:
        return _levels(data, "RGB")
    return _without_black(_levels(data, "CMYK"), _is_inverted(data))


def _levels(data: bytes, colours: str) -> np.ndarray:
    """The usual file in one go; one with damage only after a look whether it is whole."""
    levels: np.ndarray
    try:
        levels = simplejpeg.decode_jpeg(data, colours, fastdct=True)
        return levels
    except ValueError as problem:
        _check_whole(data, str(problem))
    try:
        levels = simplejpeg.decode_jpeg(data, colours, fastdct=True, strict=False)
        return levels
    except ValueError as problem:
        raise ImageRefused(f"it is a damaged JPEG: {problem}") from problem


def _check_whole(data: bytes, reason: str) -> None:
    """Pillow, like TensorFlow, fails when the data ends early; simplejpeg makes the rest up."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as problem:
        raise ImageRefused(f"it is a truncated or damaged JPEG: {reason}") from problem


def _without_black(inks: np.ndarray, is_inverted: bool) -> np.ndarray:
    """Cyan, magenta, yellow and black to RGB, rounded down (tensorflow/core/lib/jpeg/jpeg_mem.cc)."""
    light = inks.astype(np.uint16) if is_inverted else 255 - inks.astype(np.uint16)
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _is_inverted(data: bytes) -> bool:
    """Whether Adobe's segment stands before the pixels: its programs store the inks the other way round.

    Its name elsewhere, in EXIF or in a thumbnail, means nothing. As libjpeg reads it (jdmarker.c).
    """
    return any(
        marker == ADOBE_SEGMENT and len(body) >= ADOBE_LEAST_BYTES and body.startswith(b"Adobe")
        for marker, body in _segments(data)
    )


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each segment before the pixels, without the two bytes of its length."""
    at = data.find(0xFF, 2)
    while at >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == START_OF_SCAN[1] or marker == END[1]:
            return
        if marker == 0xFF:  # filling
            at += 1
        elif marker in WITHOUT_LENGTH:
            at = data.find(0xFF, at + 2)
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, data[at + 4 : end]
            at = data.find(0xFF, max(end, at + 2))
