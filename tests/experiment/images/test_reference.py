"""The reference is the uploaded file wherever model servers read the same pixels from it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageChops

from experiment.images.read import read_image
from experiment.images.reference import MAX_REFERENCE_BYTES, make_reference
from experiment.records import SourceImage
from tests.support.odd_photos import (
    animation,
    encoded,
    exif,
    odd_photos,
    photo,
    png,
    profile_with_red_and_blue_swapped,
)


def source(data: bytes) -> SourceImage:
    return read_image(data, "cat.jpg")


def same_pixels(data: bytes, image: Image.Image) -> bool:
    return ImageChops.difference(Image.open(io.BytesIO(data)), image).getbbox() is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_an_ordinary_photo_is_sent_as_uploaded(kind):
    data = encoded(photo(), kind)
    reference = make_reference(source(data))
    assert reference.data == data
    assert (reference.id, reference.is_reference, reference.format) == ("original", True, kind.lower())
    assert (reference.encoder, reference.quality) == ("as uploaded", None)
    assert (reference.encode_ms, reference.resize_ms) == (None, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_metadata_is_cut_out_and_the_picture_keeps_every_byte(kind):
    plain = encoded(photo(), kind)
    reference = make_reference(source(encoded(photo(), kind, exif=exif(1))))
    assert reference.data == plain
    assert reference.encoder == "as uploaded, without metadata"
    assert (reference.encode_ms, reference.size_bytes) == (None, len(plain))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded(photo(), "JPEG", exif=exif(6)), "turned upright (EXIF orientation 6)"),
        (encoded(photo(), "WEBP"), "model servers may not read its format"),
        (encoded(photo().convert("CMYK"), "JPEG"), "CMYK colours converted to sRGB"),
        (encoded(photo().convert("L"), "BMP"), "BMP brought to 24 bits per pixel"),
        (animation("GIF", 2), "only the first frame of the animation is used"),
        (encoded(photo(), "JPEG", icc_profile=b"junk"), "the colour profile can't be used and was ignored"),
    ],
)
def test_else_its_pixels_are_sent_as_lossless_png_and_the_reason_is_told(data, reason):
    photo_ = source(data)
    reference = make_reference(photo_)
    assert reference.encoder == f"lossless PNG of the original: {reason}"
    assert (reference.format, reference.quality) == ("png", None)
    assert same_pixels(reference.data, photo_.pixels)
    assert reference.encode_ms > 0


def test_a_stream_that_goes_on_far_behind_the_last_row_is_not_sent_on():
    """30 MB of nothing in 30 kB, which every model server would unpack with each request."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(photo()))
    long_ = png(48, 32, 8, 2, zlib.compress(rows + bytes(30_000_000), 9))
    reference = make_reference(source(long_))
    assert reference.encoder == (
        "lossless PNG of the original: the packed rows of the PNG do not end as they should"
    )
    assert same_pixels(reference.data, photo())
    assert reference.size_bytes < 10_000 < len(long_)


def test_several_reasons_are_told_together():
    data = encoded(photo(), "WEBP", exif=exif(8), icc_profile=profile_with_red_and_blue_swapped())
    assert make_reference(source(data)).encoder == (
        "lossless PNG of the original: turned upright (EXIF orientation 8), "
        'colours converted from the colour profile "sRGB built-in" to sRGB, '
        "model servers may not read its format"
    )


def test_an_original_too_large_for_a_message_is_shrunk_to_fit():
    photo_ = source(encoded(photo(300, 200), "BMP"))
    reference = make_reference(photo_, max_bytes=40_000)
    assert 20_000 < reference.size_bytes <= 40_000
    assert reference.encoder == (
        f"lossless PNG of the original shrunk to {reference.size_px} px to fit a message: "
        "too large for a message"
    )
    assert reference.width_px == reference.size_px < 300
    assert Image.open(io.BytesIO(reference.data)).size == (reference.width_px, reference.height_px)


def test_a_reference_that_is_smaller_as_png_keeps_all_its_pixels():
    flat = source(encoded(Image.new("RGB", (300, 200)), "BMP"))
    reference = make_reference(flat, max_bytes=40_000)
    assert reference.encoder == "lossless PNG of the original: too large for a message"
    assert (reference.width_px, reference.height_px) == (300, 200)


def test_the_message_limit_is_one_for_what_is_sent():
    data = encoded(photo(), "JPEG", exif=exif(1))
    photo_ = source(data)
    assert MAX_REFERENCE_BYTES == 60 * 2**20
    assert make_reference(photo_, len(photo_.data)).encoder == "as uploaded, without metadata"
    assert make_reference(photo_, len(photo_.data) - 1).encoder.endswith("too large for a message")


READ_ALL = """
import json, sys
import numpy as np
import tensorflow as tf
paths = json.load(sys.stdin)
decoded = {path: tf.io.decode_image(open(path, "rb").read(), 3, expand_animations=False) for path in paths}
np.savez(sys.argv[1], **{path: image.numpy() for path, image in decoded.items()})
"""


def test_tensorflow_reads_the_same_pixels_from_every_reference(tmp_path):
    """That is what "as uploaded" promises. TensorFlow's JPEG decoder rounds a little otherwise."""
    sources = {}
    for number, (name, data, why) in enumerate(odd_photos()):
        if "MP" not in why:
            path = tmp_path / str(number)
            sources[str(path)] = read_image(data, name)
            path.write_bytes(make_reference(sources[str(path)]).data)
    command = [sys.executable, "-c", READ_ALL, str(tmp_path / "decoded.npz")]
    subprocess.run(command, input=json.dumps(list(sources)), text=True, check=True, capture_output=True)
    decoded = np.load(tmp_path / "decoded.npz")
    for path, photo_ in sources.items():
        difference = np.abs(decoded[path].astype(int) - np.asarray(photo_.pixels))
        assert difference.mean() <= (1.5 if photo_.media_type == "image/jpeg" else 0), photo_
