"""JPEG, with the settings that TensorFlow's `decode_image` hands to libjpeg-turbo.

These are the fast integer DCT and smooth upsampling of the colours. Pillow uses the accurate DCT,
which gives other levels for two samples in three.
"""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from PIL import Image

from serving.images.refused import ImageRefused, check_size

FOUR_COLOURS = ("CMYK", "YCCK")
START_OF_SCAN, END = b"\xff\xda", b"\xff\xd9"  # markers


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
    """Whether Adobe's marker stands before the pixels: its programs store the inks the other way round."""
    return b"Adobe" in data[: data.find(START_OF_SCAN)]
