"""lanczos(): Pillow's resize() to within a level, whatever the blocks it works in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from experiment.images import lanczos as module
from experiment.images.lanczos import MAX_SHRINK, lanczos
from tests.support.odd_photos import photo


def differences(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Levels between ours and Pillow's, for every sample."""
    wanted = image.resize(size, Image.Resampling.LANCZOS)
    return np.abs(np.asarray(lanczos(image, size)).astype(int) - np.asarray(wanted))


def noise(width_px: int, height_px: int) -> Image.Image:
    pixels = np.random.default_rng(width_px * height_px).integers(0, 256, (height_px, width_px, 3), np.uint8)
    return Image.fromarray(pixels)


def stripes(width_px: int, height_px: int) -> Image.Image:
    """Black and white, 7 px wide: the filter overshoots at every edge and is cut off."""
    y, x = np.indices((height_px, width_px))
    return Image.fromarray(((x + y) // 7 % 2 * 255).astype(np.uint8)).convert("RGB")


@pytest.mark.parametrize("make", [photo, noise, stripes])
@pytest.mark.parametrize(
    ("size", "smaller"), [((900, 600), (476, 317)), ((401, 730), (200, 365)), ((800, 640), (101, 81))]
)
def test_one_sample_in_thirty_at_most_differs_by_one_level(make, size, smaller):
    found = differences(make(*size), smaller)
    assert found.max() <= 1
    assert (found > 0).mean() < 1 / 30


@given(st.integers(1, 90), st.integers(1, 90), st.floats(1, MAX_SHRINK), st.floats(1, MAX_SHRINK))
@example(1, 1, 1.0, 1.0)
@example(90, 1, 8.0, 1.0)
@settings(max_examples=60, deadline=None)
def test_any_size_comes_out_as_pillow_makes_it(width_px, height_px, x_shrink, y_shrink):
    """Of half the contrast, so that nothing overshoots and is cut off between the directions."""
    size = (-int(-width_px // x_shrink), -int(-height_px // y_shrink))
    image = noise(width_px, height_px).point(lambda level: 64 + level // 2)
    assert differences(image, size).max() <= 2


@pytest.mark.parametrize(("name", "value"), [("_PRODUCTS_AT_ONCE", 1), ("_BLOCK_PX", 5), ("_BLOCK_ROWS", 3)])
def test_every_sum_is_exact_so_its_order_does_not_matter(monkeypatch, name, value):
    image = noise(331, 217)
    before = lanczos(image, (150, 99)).tobytes()
    monkeypatch.setattr(module, name, value)
    assert lanczos(image, (150, 99)).tobytes() == before


def test_a_flat_picture_stays_flat():
    for level in (0, 1, 127, 254, 255):
        image = Image.new("RGB", (200, 150), (level, level, level))
        assert lanczos(image, (63, 47)).getextrema() == ((level, level),) * 3
