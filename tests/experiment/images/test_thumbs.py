"""The small pictures of what was sent, from real encoded files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from experiment.errors import ImageRefused
from experiment.images.formats import FORMATS
from experiment.images.thumbs import FILE_BYTES, SIDE_PX, fitted, thumb


def photo(width_px: int, height_px: int) -> Image.Image:
    """A gradient with some noise, as photos have both."""
    ramp = np.linspace(0, 200, width_px)[np.newaxis, :, np.newaxis]
    noise = np.random.default_rng(1).integers(0, 50, (height_px, width_px, 3))
    return Image.fromarray((ramp + noise).astype(np.uint8))


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
        return np.asarray(image.convert("RGB")).astype(int)


SETTINGS = {"jpeg": {"quality": 85, "subsampling": "4:2:0"}, "webp": {"quality": 80}, "avif": {"quality": 60}}


@pytest.mark.parametrize("key", list(FORMATS))
def test_every_format_gets_a_webp_of_at_most_192_px_in_its_own_shape(key: str) -> None:
    made = thumb(FORMATS[key].encode(photo(640, 320), **SETTINGS.get(key, {})))

    assert (made.media_type, made.width_px, made.height_px) == ("image/webp", SIDE_PX, SIDE_PX // 2)
    assert decoded(made.data).shape == (SIDE_PX // 2, SIDE_PX, 3)
    assert len(made.data) < 12_000


def test_a_small_copy_is_never_enlarged() -> None:
    made = thumb(FORMATS["png"].encode(photo(16, 9)))

    assert (made.width_px, made.height_px) == (16, 9)


def test_what_strong_compression_did_can_be_seen() -> None:
    image = photo(96, 96)
    sent = FORMATS["jpeg"].encode(image, quality=1, subsampling="4:2:0")

    shown = decoded(thumb(sent).data)
    as_sent = np.asarray(Image.open(io.BytesIO(sent))).astype(int)

    assert np.abs(shown - as_sent).mean() < np.abs(shown - np.asarray(image).astype(int)).mean()


def test_transparent_parts_are_white() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (300, 300), (255, 0, 0, 0)).save(buffer, "PNG")

    assert decoded(thumb(buffer.getvalue()).data).min() > 250


@pytest.mark.parametrize("data", [b"", b"RIFF\x10\0\0\0WEBPVP8 ", FORMATS["png"].encode(photo(64, 64))[:500]])
def test_bytes_that_are_no_picture_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(ImageRefused, match="can't be decoded"):
        thumb(data)


def test_an_image_above_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageRefused):
        thumb(FORMATS["png"].encode(photo(SIDE_PX + 1, 8)), most_px=SIDE_PX)


def test_the_pictures_of_a_report_stay_as_they_are_while_they_fit() -> None:
    pictures = {"original": thumb(FORMATS["png"].encode(photo(192, 108)))}

    assert fitted(pictures) == pictures


@pytest.mark.parametrize(("count", "least_px"), [(60, 96), (561, 32)])
def test_the_pictures_of_many_variants_get_smaller_until_all_fit(count: int, least_px: int) -> None:
    one = thumb(FORMATS["png"].encode(photo(192, 108)))
    assert len(one.data) * count > FILE_BYTES
    made = fitted({f"{number}": one for number in range(count)})

    assert len(made) == count  # none is left out
    assert sum(len(each.data) for each in made.values()) <= FILE_BYTES
    assert {max(each.width_px, each.height_px) >= least_px for each in made.values()} == {True}
