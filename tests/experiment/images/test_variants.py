"""make_variants(): sizes times formats, in a fixed order, named and timed."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from dataclasses import replace

import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from experiment.images.formats import FORMATS
from experiment.images.read import read_image
from experiment.images.variants import make_variants, planned_variants, skipped_sizes_px
from experiment.records import Plan
from tests.support.odd_photos import CANARY, encoded, exif, odd_photos, photo, srgb_profile

PLAN = Plan(sizes_px=(64, 16, 32, 2048), jpeg_quality=70)


def source(image: Image.Image | None = None, kind: str = "JPEG", **options: object):
    return read_image(encoded(image or photo(), kind, **options), "cat.jpg")


def test_the_reference_comes_first_then_sizes_from_large_to_small_in_every_format():
    made = make_variants(source(photo(64, 40)), PLAN)
    assert [variant.id for variant in made] == [
        "original",
        "64-png",
        "64-jpeg-70",
        "32-png",
        "32-jpeg-70",
        "16-png",
        "16-jpeg-70",
    ]
    assert [(variant.width_px, variant.height_px) for variant in made[1::2]] == [(64, 40), (32, 20), (16, 10)]
    assert [variant.is_reference for variant in made] == [True] + [False] * 6


def test_formats_keep_the_plans_order():
    made = make_variants(source(), replace(PLAN, sizes_px=(16,), formats=("jpeg", "png")))
    assert [variant.id for variant in made] == ["original", "16-jpeg-70", "16-png"]


def test_a_variant_is_what_it_says():
    for variant in make_variants(source(), PLAN)[1:]:
        image = Image.open(io.BytesIO(variant.data))
        assert image.format == FORMATS[variant.format].name
        assert image.size == (variant.width_px, variant.height_px)
        assert max(image.size) == variant.size_px
        assert variant.size_bytes == len(variant.data)
        assert variant.sha256 == hashlib.sha256(variant.data).hexdigest()
        assert variant.quality == (None if variant.format == "png" else 70)
        assert variant.made_in == "server"


def test_the_encoder_is_named_with_its_version_and_settings():
    png, jpeg = make_variants(source(), replace(PLAN, sizes_px=(16,)))[1:]
    assert png.encoder == "Average filter + isal level 3"
    turbo = features.version("libjpeg_turbo")
    assert jpeg.encoder == f"Pillow {PIL.__version__} / libjpeg-turbo {turbo}, q70, 4:2:0"


def test_jpeg_is_sampled_and_packed_as_it_says():
    coarse, fine = (
        Image.open(io.BytesIO(make_variants(source(), replace(PLAN, jpeg_quality=quality))[-1].data))
        for quality in (30, 95)
    )
    assert [layer[1:3] for layer in fine.layer] == [(2, 2), (1, 1), (1, 1)]  # 4:2:0
    assert coarse.quantization[0][0] > fine.quantization[0][0]


def test_stage_times_are_kept_apart():
    photo_ = source(photo(640, 480))
    made = make_variants(photo_, replace(PLAN, sizes_px=(640, 320, 160)))
    assert {variant.decode_ms for variant in made} == {photo_.decode_ms}
    assert all(variant.encode_ms > 0 for variant in made[1:])
    assert [variant.resize_ms for variant in made[:3]] == [None, None, None]  # nothing to resize
    assert all(variant.resize_ms > 0 for variant in made[3:])
    assert made[3].resize_ms == made[4].resize_ms  # one copy, two formats


def test_sizes_above_the_original_are_skipped_and_told():
    photo_ = source()
    assert skipped_sizes_px(photo_, PLAN) == (2048, 64)
    assert {variant.size_px for variant in make_variants(photo_, PLAN)} == {48, 32, 16}


def test_a_turned_photo_is_measured_by_its_upright_sides():
    turned = source(photo(48, 32), exif=exif(6))
    assert make_variants(turned, replace(PLAN, sizes_px=(48, 24)))[-1].height_px == 24
    assert skipped_sizes_px(turned, replace(PLAN, sizes_px=(48, 49))) == (49,)


@given(st.integers(1, 40), st.integers(1, 40), st.lists(st.integers(1, 50), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_as_many_variants_are_made_as_were_planned(width_px, height_px, sizes_px):
    photo_, plan = source(photo(width_px, height_px), "PNG"), Plan(sizes_px=tuple(sizes_px))
    made = make_variants(photo_, plan)
    assert len(made) == planned_variants(photo_, plan) == len({variant.id for variant in made})


def test_a_single_pixel_has_only_its_reference():
    assert [variant.id for variant in make_variants(source(photo(1, 1)), Plan())] == ["original"]


def test_each_variant_is_announced_in_order_by_the_calling_thread():
    seen = []
    made = make_variants(
        source(), PLAN, on_variant=lambda variant: seen.append((variant, threading.current_thread()))
    )
    assert [variant for variant, _ in seen] == made
    assert {thread for _, thread in seen} == {threading.current_thread()}


def test_the_bytes_do_not_depend_on_the_number_of_cores(monkeypatch):
    photo_ = source(photo(300, 200))
    made = []
    for cores in ({0}, set(range(8))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores)
        made.append([(variant.id, variant.sha256) for variant in make_variants(photo_, Plan())])
    assert made[0] == made[1]


def test_an_encoder_that_fails_is_not_hidden(monkeypatch):
    def fail(*_: object) -> bytes:
        raise RuntimeError("disk on fire")

    monkeypatch.setitem(FORMATS, "png", replace(FORMATS["png"], encode=fail))
    with pytest.raises(RuntimeError, match="disk on fire"):
        make_variants(source(), PLAN)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_of_the_uploads_metadata_reaches_a_variant(kind):
    """A place in EXIF, a name in XMP, a comment and a profile: none of it may be sent on."""
    options = {
        "exif": exif(6),
        "xmp": b"<x:xmpmeta>" + CANARY + b"</x:xmpmeta>",
        "icc_profile": srgb_profile(),
    }
    if kind == "JPEG":
        options["comment"] = CANARY
    data = encoded(photo(), kind, **options)
    assert CANARY in data
    for variant in make_variants(read_image(data, "cat.jpg"), replace(PLAN, sizes_px=(48, 24))):
        _assert_bare(variant.data)


def _assert_bare(data: bytes) -> None:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert not image.getexif()
    assert CANARY not in data
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_variants_of_every_odd_photo_can_be_read():
    plan = Plan(sizes_px=(24, 8))
    for name, data, why in odd_photos():
        if "MP" in why:
            continue  # the same as the small ones, only slower
        for variant in make_variants(read_image(data, name), plan)[1:]:
            assert Image.open(io.BytesIO(variant.data)).load() is not None
