"""encode_png(): bit-exact for any picture, and close to Pillow's size."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from experiment.images import png
from experiment.images.png import encode_png
from tests.support.odd_photos import encoded, photo


def back(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        assert (image.mode, image.info) == ("RGB", {})
        return np.asarray(image)


def noise(width_px: int, height_px: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32))
@example(1, 1, 0)
@example(1, 300, 0)
@example(300, 1, 0)
@settings(max_examples=60, deadline=None)
def test_any_picture_comes_back_bit_for_bit(width_px, height_px, seed):
    pixels = noise(width_px, height_px, seed)
    assert np.array_equal(back(encode_png(Image.fromarray(pixels))), pixels)


@pytest.mark.parametrize("strip_bytes", [1, 100, 1000, 10**6])
def test_the_strips_in_which_it_is_made_leave_no_trace(monkeypatch, strip_bytes):
    monkeypatch.setattr(png, "_STRIP_BYTES", strip_bytes)
    pixels = noise(21, 34)
    assert np.array_equal(back(encode_png(Image.fromarray(pixels))), pixels)


def test_differences_wrap_around():
    """Black beside white beside black: the largest steps there are."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[::2, 1::2] = pixels[1::2, ::2] = 255
    assert np.array_equal(back(encode_png(Image.fromarray(pixels))), pixels)


def test_two_pixels_are_filtered_as_the_standard_says():
    """Average: 200 - 0, then 100 - floor((200 + 0) / 2) = 0; below 50 - floor((0 + 200) / 2) = -50."""
    image = Image.fromarray(np.array([[[200] * 3, [100] * 3], [[50] * 3, [80] * 3]], np.uint8))
    data = encode_png(image)
    start = data.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", data[start - 8 : start - 4])
    rows = zlib.decompress(data[start : start + length])
    assert rows == bytes([3, *[200] * 3, *[0] * 3, 3, *[206] * 3, *[5] * 3])


def test_every_chunk_carries_its_checksum():
    data, at, kinds = encode_png(photo()), 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + content),)
        kinds.append(kind)
        at += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_a_photo_is_about_as_small_as_pillow_makes_it():
    image = photo(400, 300)
    assert len(encode_png(image)) <= 1.06 * len(encoded(image, "PNG"))


def test_only_rgb_is_taken():
    with pytest.raises(ValueError, match="only RGB can be written, not L"):
        encode_png(Image.new("L", (2, 2)))
