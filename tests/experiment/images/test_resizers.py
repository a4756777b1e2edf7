"""Browser and server side by side, in records: pairs, pixels, headers, words and figures."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from experiment.errors import PlanRefused
from experiment.export.report_json import report_dict
from experiment.figures import figures
from experiment.images.browser import (
    DescribedVariant,
    browser_encodings,
    jpeg_subsampling,
    read_made,
    with_reference,
)
from experiment.images.resize import likeness
from experiment.images.variants import most_variants
from experiment.measure.plan import parse_plan
from experiment.records import Plan, Variant
from experiment.report.resizers import compare_resizers, counterpart
from experiment.wording import full_name, short_name
from tests.support.odd_photos import encoded, photo
from tests.support.processes.browser_parts import made, told
from tests.support.records import TABBY, TIGER, answer, answered, backend, original, report, variant


def in_browser(size_px: int = 512, format: str = "jpeg", engine: str = "pica", **changes) -> Variant:
    """As variant(), made in a browser."""
    server = variant(size_px, format, subsampling="4:2:0" if format == "jpeg" else None)
    facts = {"engine": engine, "made_in": "browser", "channels": 4 if format == "png" else 3, "psnr_db": 44.4}
    return replace(server, **{"id": f"{server.id}-{engine}", **facts, "largest_difference": 9, **changes})


def described(size_px: int, kind: str) -> DescribedVariant:
    row = told(size_px, kind)
    return DescribedVariant(**row, size_bytes=len(made(size_px, kind)))


def test_a_pair_tells_bytes_pixels_and_answers():
    browser, server = in_browser(size_bytes=300), variant(size_bytes=200)
    measured = [
        *answered([9.0] * 6),
        *answered([9.0] * 6, server.id),
        *answered([9.0] * 6, browser.id, prediction=answer(TIGER)),
    ]
    found = report(variants=(original(), server, browser), measurements=measured).resizers
    [pair] = found.pairs
    assert (pair.browser_id, pair.server_id, pair.bytes_ratio) == ("512-jpeg-85-pica", "512-jpeg-85", 1.5)
    assert pair.same_top1 == {"8 CPU": False}
    assert found.sentence == (
        "Browser and server made 1 variant of the same size, format and quality. Decoded pixels against the "
        "server's (PSNR): 44.4 dB by pica. The top answer is the same for 0 of 1 on 8 CPU. Bytes, the "
        "browser's over the server's: 1.50 as JPEG."
    )


def test_a_backend_that_answered_only_one_of_the_two_says_nothing_about_the_pair():
    browser, server = in_browser(), variant()
    measured = [*answered([9.0] * 6, server.id), *answered([9.0] * 6, browser.id, "1 CPU", answer(TABBY))]
    backends = (backend(), backend("1 CPU"))
    found = report(variants=(original(), server, browser), measurements=measured, backends=backends).resizers
    assert found.pairs[0].same_top1 == {}


def test_only_one_place_makes_no_pairs():
    assert compare_resizers([original(), variant()], []) is None
    assert compare_resizers([original(), in_browser()], []) is None
    assert report(variants=(original(), in_browser(256), variant(512))).resizers is None


def test_of_several_counterparts_the_one_with_the_same_subsampling_and_filter_is_taken():
    others = [
        variant(id="a", subsampling="4:4:4", resampler="lanczos"),
        variant(id="b", subsampling="4:2:0", resampler="box"),
        variant(id="c", subsampling="4:2:0", resampler="lanczos"),
    ]
    assert counterpart(in_browser(resampler="lanczos"), others).id == "c"
    assert counterpart(in_browser(quality=50), others) is None


def test_png_bytes_are_not_compared_without_a_word_about_their_channels():
    pair = report(variants=(original(), variant(512, "png"), in_browser(512, "png")))
    assert "A browser writes PNG as RGBA" in pair.resizers.sentence


def test_pixels_are_compared_as_a_decoder_with_three_channels_has_them():
    image = photo(40, 300)
    glass = image.convert("RGBA")
    glass.putalpha(7)
    assert likeness(encoded(image, "PNG"), encoded(glass, "PNG")) == (None, 0)
    one_off = image.copy()
    red, green, blue = image.getpixel((3, 290))
    one_off.putpixel((3, 290), (red, green + 5, blue))
    found = likeness(encoded(image, "PNG"), encoded(one_off, "PNG"))
    assert found.largest_difference == 5
    assert found.psnr_db == pytest.approx(79.71, abs=0.01)  # 10 log10(255^2 * 36,000 / 25)
    assert likeness(encoded(image, "PNG"), encoded(photo(41, 300), "PNG")) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_chroma_subsampling_is_read_from_the_file(subsampling):
    assert jpeg_subsampling(encoded(photo(), "JPEG", subsampling=subsampling)) == subsampling


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\x00\x11\x08", encoded(photo().convert("L"), "JPEG")]
)
def test_a_file_without_chroma_has_no_subsampling(data):
    assert jpeg_subsampling(data) is None


def test_what_the_bytes_tell_is_read_from_them():
    png = read_made(described(96, "png"), made(96, "png"))
    assert (png.id, png.width_px, png.height_px, png.channels, png.resampler) == (
        "96-png-pica",
        96,
        64,
        4,
        "lanczos",
    )
    grey = io.BytesIO()
    Image.new("RGB", (96, 64)).save(grey, "PNG")
    assert read_made(described(96, "png"), grey.getvalue()).channels == 3


def test_the_reference_without_an_original_is_the_largest_lossless_variant():
    variants = [
        in_browser(256, "png"),
        in_browser(512),
        in_browser(512, "png"),
        in_browser(512, quality=95, id="x"),
    ]
    first, *others = with_reference(variants)
    assert (first.id, first.is_reference) == ("512-png-pica", True)
    assert [each.id for each in others] == ["256-png-pica", "512-jpeg-85-pica", "x"]
    assert short_name(first) == "the reference (512 px PNG browser/pica)"


def test_a_recommendation_names_the_place():
    assert full_name(in_browser()) == "512 px JPEG q85 browser/pica"
    assert full_name(variant()) == "512 px JPEG q85"


def test_a_plan_counts_what_both_places_make():
    plan = Plan(
        sizes_px=(512, 256), formats=("png", "jpeg", "webp-lossless"), browser_engines=("pica", "canvas")
    )
    assert most_variants(plan) == 1 + 2 * 3
    assert most_variants(replace(plan, resize_in="browser")) == 1 + 2 * 2 * 2
    assert most_variants(replace(plan, resize_in="both")) == 1 + 2 * 3 + 2 * 2 * 2
    assert browser_encodings(plan) == [("png", None), ("jpeg", 85)]


@pytest.mark.parametrize(
    "wanted", [{"resize_in": "moon"}, {"browser_engines": ["gpu"]}, {"browser_engines": []}]
)
def test_a_place_or_an_engine_that_does_not_exist_is_refused(wanted):
    with pytest.raises(PlanRefused):
        parse_plan(wanted)


def test_where_there_is_too_much_to_draw_browser_and_server_stay_side_by_side():
    kinds = [(engine, quality) for engine in ("pica", "canvas") for quality in (85, 60, 40)]
    browser = [
        in_browser(512, engine=engine, quality=quality, id=f"{engine}-{quality}") for engine, quality in kinds
    ]
    server = [variant(512, quality=quality, id=f"server-{quality}") for quality in (85, 60, 40)]
    variants = (original(), *server, *browser)
    names = ("8 CPU", "1 CPU")
    measured = [each for one in variants for name in names for each in answered([9.0] * 6, one.id, name)]
    made_report = report(variants=variants, measurements=measured, backends=tuple(map(backend, names)))
    drawn = figures(report_dict(made_report))["where_time_goes"]["meta"]["table"]["rows"]
    bars = {row[1] for row in drawn}
    assert {"512 JPEG", "512 JPEG browser/pica", "512 JPEG browser/canvas"} <= bars
    assert "512 JPEG q40" not in bars
