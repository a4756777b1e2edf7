"""Smaller copies: aspect kept, never enlarged, and as good as made from the original."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from experiment.images import resize
from experiment.images.resize import RESAMPLERS, copies, scaled
from tests.support.odd_photos import photo

SIZES_PX = (512, 256, 128, 64)


def psnr_db(one: Image.Image, other: Image.Image) -> float:
    error = float(np.mean(np.square(np.asarray(one).astype(float) - np.asarray(other))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def is_same(one: Image.Image, other: Image.Image) -> bool:
    """To within the one level by which lanczos() may differ from resize()."""
    return max(high for _, high in ImageChops.difference(one, other).getextrema()) <= 1


def direct(image: Image.Image, size: tuple[int, int], resampler: str = "lanczos") -> Image.Image:
    return image.resize(size, RESAMPLERS[resampler])


@given(st.integers(1, 70_000), st.integers(1, 70_000), st.integers(1, 8192))
@example(40_000, 1, 2048)
@example(1, 1, 1)
def test_a_scaled_size_keeps_the_aspect_within_half_a_pixel(width_px, height_px, size_px):
    wide, high = scaled(width_px, height_px, size_px)
    assert max(wide, high) == size_px
    scale = size_px / max(width_px, height_px)
    assert abs(wide - max(1, width_px * scale)) <= 0.5 + 1e-9
    assert abs(high - max(1, height_px * scale)) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("size", "size_px", "wanted"),
    [
        ((4000, 3000), 2048, (2048, 1536)),
        ((300, 451), 256, (170, 256)),
        ((3, 2), 1, (1, 1)),
        ((4, 2), 3, (3, 2)),  # 1.5 is rounded up
        ((40_000, 1), 128, (128, 1)),
    ],
)
def test_sizes_known_by_heart(size, size_px, wanted):
    assert scaled(*size, size_px) == wanted


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(st.integers(1, 80), max_size=5),
    st.sampled_from(sorted(RESAMPLERS)),
)
@settings(max_examples=60, deadline=None)
def test_copies_come_largest_first_once_each_and_never_enlarged(width_px, height_px, sizes_px, resampler):
    made = list(copies(photo(width_px, height_px), sizes_px, resampler))
    longest_px = max(width_px, height_px)
    assert [copy.size_px for copy in made] == sorted(
        {size for size in sizes_px if size <= longest_px}, reverse=True
    )
    for copy in made:
        assert copy.image.size == scaled(width_px, height_px, copy.size_px)


def test_the_originals_own_size_is_not_resized():
    image = photo()
    (copy,) = copies(image, [48], "lanczos")
    assert copy.image is image
    assert copy.resize_ms is None


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("size", [(1500, 1000), (900, 1300), (2048, 400)])
def test_copies_made_from_copies_stay_within_50_db_of_direct_ones(size, seed):
    image = photo(*size, seed=seed)
    for copy in copies(image, SIZES_PX, "lanczos"):
        assert psnr_db(copy.image, direct(image, copy.image.size)) >= 50


def test_a_photo_is_resized_step_by_step_and_the_times_add_up():
    image = photo(1200, 800)
    made = list(copies(image, SIZES_PX, "lanczos"))
    assert psnr_db(made[1].image, direct(image, made[1].image.size)) < math.inf
    assert made[1].resize_ms > 0
    assert made[3].resize_ms > made[1].resize_ms  # 64 px by way of 256 px


def test_a_drawing_with_hard_edges_is_resized_directly():
    """Black and white tiles: the filter overshoots at each edge, and a copy has cut that off."""
    y, x = np.indices((1000, 1500)) // 100
    drawing = Image.fromarray(((x + y) % 2 * 255).astype(np.uint8)).convert("RGB")
    for copy in copies(drawing, SIZES_PX, "lanczos"):
        assert is_same(copy.image, direct(drawing, copy.image.size))


@pytest.mark.parametrize("resampler", sorted(set(RESAMPLERS) - {"lanczos"}))
def test_other_filters_always_start_from_the_original(resampler):
    image = photo(700, 500)
    for copy in copies(image, SIZES_PX, resampler):
        wanted = direct(image, copy.image.size, resampler)
        assert ImageChops.difference(copy.image, wanted).getbbox() is None


def test_a_copy_is_made_from_one_four_times_as_large_or_else_twice():
    """From 1000 px: 600 and 501 directly, 300 from 600, 250 and 125 from 501, 60 from 250."""
    image = photo(1000, 700)
    made = {copy.size_px: copy.image for copy in copies(image, (600, 501, 300, 250, 125, 60), "lanczos")}
    for size_px, start_px in ((300, 600), (250, 501), (125, 501), (60, 250)):
        assert is_same(made[size_px], direct(made[start_px], made[size_px].size))
    assert is_same(made[501], direct(image, made[501].size))


def test_a_large_picture_is_shrunk_the_fast_way_and_only_with_lanczos(monkeypatch):
    sizes = []
    monkeypatch.setattr(resize, "lanczos", lambda image, size: sizes.append(size) or image.resize(size))
    for resampler in RESAMPLERS:
        list(copies(photo(1000, 600), (700, 100), resampler))
    list(copies(photo(700, 600), (100,), "lanczos"))  # 0.4 MP
    list(copies(photo(1000, 600), (100,), "lanczos"))  # ten times smaller
    assert sizes == [(700, 420)]


def test_the_comparison_is_of_the_same_tiles():
    """A copy made directly differs from its own direct tiles in nothing."""
    image = photo(997, 613)
    copy = direct(image, scaled(*image.size, 200))
    for box in resize._tile_boxes(*copy.size):
        tile = resize._direct_tile(image, copy.size, box, "lanczos")
        assert np.abs(tile - resize._tile(copy, box)).max() <= 1
