"""JPEG with the settings that TensorFlow's `decode_image` gives to libjpeg-turbo.

These are the fast integer DCT and smooth upsampling of the colours. Pillow uses the accurate DCT, whose
levels differ in two samples of three.
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
WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers; 0 is not one, it makes FF a plain byte
ADOBE_SEGMENT, ADOBE_LEAST_BYTES = 0xEE, 12  # APP14


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused for a truncated file; damage within the pixels is decoded as it is.

    Some damage before the pixels is refused that TensorFlow forgives.
    """
    try:
        height_px, width_px, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError) as problem:  # KeyError: an unknown colour space
        raise ImageRefused(f"its JPEG header is damaged: {problem}") from problem
    check_size(width_px, height_px)
    if not data.endswith(END) and data.rfind(END) < data.rfind(START_OF_SCAN):
        raise ImageRefused("it is a truncated JPEG: its end mark is missing")
    if colours not in FOUR_COLOURS:
        return _levels(data, "RGB")
    # To RGB, rounded down (tensorflow/core/lib/jpeg/jpeg_mem.cc).
    inks = _levels(data, "CMYK").astype(np.uint16)
    light = inks if _is_inverted(data) else 255 - inks
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _levels(data: bytes, colours: str) -> np.ndarray:
    """An undamaged file at once; a damaged one only if its data does not end early."""
    levels: np.ndarray
    try:
        levels = simplejpeg.decode_jpeg(data, colours, fastdct=True)
        return levels
    except ValueError as problem:
        reason = str(problem)
    try:
        # Pillow, like TensorFlow, fails when the data ends early; simplejpeg makes the rest up.
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
        levels = simplejpeg.decode_jpeg(data, colours, fastdct=True, strict=False)
        return levels
    except (OSError, SyntaxError, ValueError) as problem:
        raise ImageRefused(f"it is a truncated or damaged JPEG: {reason}") from problem


def _is_inverted(data: bytes) -> bool:
    """Whether Adobe's segment comes before the pixels: Adobe's programs store the inks inverted.

    Its name elsewhere, in EXIF or in a thumbnail, means nothing. As libjpeg reads it (jdmarker.c).
    """
    return any(
        marker == ADOBE_SEGMENT and len(body) >= ADOBE_LEAST_BYTES and body.startswith(b"Adobe")
        for marker, body in _segments(data)
    )


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of the segments before the pixels, without the two bytes of their length."""
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
