"""Qualities, subsamplings, filters and formats as axes: what is made of them and how it is called."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiment.axes import plan_dict, settings_words
from experiment.codec import from_dict, to_dict
from experiment.errors import PlanRefused
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict
from experiment.images.formats import FORMATS, SUBSAMPLINGS
from experiment.images.read import read_image
from experiment.images.resize import RESAMPLERS
from experiment.images.variants import make_variants, most_variants, planned_variants
from experiment.measure.plan import parse_plan
from experiment.records import MAX_VARIANTS, Plan, Variant
from experiment.wording import full_name, kind_name, short_name
from tests.support.odd_photos import encoded, photo
from tests.support.records import answered, report, variant

ALL = Plan(
    sizes_px=(48, 24),
    formats=("jpeg", "webp", "webp-lossless", "png", "avif"),
    jpeg_qualities=(85, 50),
    webp_qualities=(80, 30),
    avif_qualities=(65, 20),
    subsamplings=("4:2:0", "4:4:4"),
    resamplers=("lanczos", "box"),
)


def made(plan: Plan, image: Image.Image | None = None) -> list[Variant]:
    return make_variants(read_image(encoded(image or photo(64, 40), "PNG"), "cat.png"), plan)


def ids(plan: Plan) -> list[str]:
    return [each.id for each in made(plan)][1:]


def test_a_plan_without_further_values_names_its_variants_as_before():
    assert ids(Plan(sizes_px=(32,))) == ["32-png", "32-jpeg-85"]
    assert ids(Plan(sizes_px=(32,), jpeg_qualities=(70,))) == ["32-png", "32-jpeg-70"]


def test_only_what_is_unusual_is_added_to_an_id():
    plan = Plan(sizes_px=(32,), formats=("jpeg", "webp", "webp-lossless"), subsamplings=("4:4:4", "4:2:0"))
    assert ids(plan) == ["32-jpeg-85-444", "32-jpeg-85", "32-webp-80", "32-webp-lossless"]
    assert ids(replace(plan, formats=("jpeg",), resamplers=("bicubic",))) == [
        "32-jpeg-85-444-bicubic",
        "32-jpeg-85-bicubic",
    ]


def test_variants_are_the_product_of_the_axes_that_a_format_has():
    """Two sizes by two filters, each as 2 x 2 JPEG, 2 WebP, 1 lossless WebP, 1 PNG and 2 AVIF."""
    variants = made(ALL)
    assert len(variants) == 1 + 2 * 2 * (4 + 2 + 1 + 1 + 2) == most_variants(ALL)
    assert len({each.id for each in variants}) == len(variants)


def test_each_variant_was_made_as_it_says():
    for each in made(ALL)[1:]:
        image = Image.open(io.BytesIO(each.data))
        assert image.format == {"jpeg": "JPEG", "png": "PNG", "avif": "AVIF"}.get(each.format, "WEBP")
        assert (each.quality is None) == (each.format in {"png", "webp-lossless"})
        assert each.resampler in {"lanczos", "box"}
        if each.format == "jpeg":
            across, down = image.layer[0][1:3]
            assert each.subsampling == {(2, 2): "4:2:0", (1, 1): "4:4:4"}[across, down]
            assert each.encoder.endswith(f"q{each.quality}, {each.subsampling}")
        else:
            assert each.subsampling is None


def test_no_two_threads_encode_the_same_picture(monkeypatch):
    """Pillow keeps the settings of a save on the picture, so one thread's quality would become another's."""
    seen: list[Image.Image] = []
    real = FORMATS["jpeg"]

    def encode(image: Image.Image, **chosen: object) -> bytes:
        seen.append(image)
        return real.encode(image, **chosen)

    monkeypatch.setitem(FORMATS, "jpeg", replace(real, encode=encode))
    made(Plan(sizes_px=(64, 32), formats=("jpeg",), jpeg_qualities=(90, 50, 10)))
    assert len({id(image) for image in seen}) == len(seen) == 6


def test_many_encodings_side_by_side_give_the_bytes_of_each_alone():
    plan = Plan(
        sizes_px=(600,), formats=("jpeg",), jpeg_qualities=(95, 85, 50, 20), subsamplings=SUBSAMPLINGS
    )
    picture = photo(640, 480)
    together = {each.id: each.sha256 for each in made(plan, picture)[1:]}
    assert len(set(together.values())) == 12
    for quality in plan.jpeg_qualities:
        for subsampling in SUBSAMPLINGS:
            alone = replace(plan, jpeg_qualities=(quality,), subsamplings=(subsampling,))
            (variant_,) = made(alone, picture)[1:]
            assert together[variant_.id] == variant_.sha256


def test_a_lower_quality_is_smaller_and_lossless_keeps_every_pixel():
    by_id = {each.id: each for each in made(ALL, photo(200, 150))}
    assert by_id["48-jpeg-50"].size_bytes < by_id["48-jpeg-85"].size_bytes
    assert by_id["48-webp-30"].size_bytes < by_id["48-webp-80"].size_bytes
    assert by_id["48-avif-20"].size_bytes < by_id["48-avif-65"].size_bytes
    pixels = [Image.open(io.BytesIO(by_id[key].data)).tobytes() for key in ("48-png", "48-webp-lossless")]
    assert pixels[0] == pixels[1]


def test_a_copy_as_large_as_the_original_comes_once_and_no_filter_is_named():
    plan = Plan(sizes_px=(64, 32), formats=("png",), resamplers=("bicubic", "lanczos"))
    variants = made(plan)
    assert [(each.id, each.resampler) for each in variants[1:]] == [
        ("64-png", None),
        ("32-png-bicubic", "bicubic"),
        ("32-png", "lanczos"),
    ]


@given(
    st.sets(st.sampled_from(SUBSAMPLINGS), min_size=1),
    st.sets(st.sampled_from(sorted(RESAMPLERS)), min_size=1),
    st.sets(st.integers(1, 100), min_size=1, max_size=3),
)
@settings(max_examples=15, deadline=None)
def test_as_many_variants_are_made_as_were_planned_and_all_have_ids_of_their_own(subs, filters, qualities):
    plan = Plan(
        sizes_px=(64, 20, 9),
        formats=("jpeg", "webp"),
        jpeg_qualities=tuple(qualities),
        webp_qualities=tuple(qualities),
        subsamplings=tuple(subs),
        resamplers=tuple(filters),
    )
    source = read_image(encoded(photo(64, 40), "PNG"), "cat.png")
    variants = make_variants(source, plan)
    assert len(variants) == planned_variants(source, plan) == len({each.id for each in variants})


def test_a_list_outranks_the_older_key_which_then_holds_its_first_value():
    plan = parse_plan({"jpeg_quality": 40, "jpeg_qualities": [95, 50], "resampler": "box"})
    assert (plan.jpeg_qualities, plan.resamplers) == ((95, 50), ("box",))
    written = plan_dict(plan)
    assert (written["jpeg_quality"], written["resampler"]) == (95, "box")
    assert list(written)[:4] == ["sizes_px", "formats", "jpeg_quality", "resampler"]
    assert from_dict(Plan, written) == plan


def test_the_older_keys_alone_work_as_before_also_in_a_stored_plan():
    stored = from_dict(Plan, {"jpeg_quality": 40, "resampler": "box", "resamplers": None})
    assert (stored.jpeg_qualities, stored.resamplers) == ((40,), ("box",))
    assert parse_plan({"jpeg_quality": 40}).jpeg_qualities == (40,)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"jpeg_qualities": []}, "jpeg_qualities must be a list of 1 to 16 JPEG qualities"),
        (
            {"webp_qualities": [0]},
            "webp_qualities must be a list of WebP qualities, each a whole number from 1",
        ),
        (
            {"avif_qualities": [101]},
            "avif_qualities must be a list of AVIF qualities, each a whole number from 1",
        ),
        ({"subsamplings": ["4:1:1"]}, "each one of 4:4:4, 4:2:2, 4:2:0"),
        ({"resamplers": ["hamming"]}, "each one of lanczos, bicubic, bilinear, box, nearest"),
        ({"split_decode": "yes"}, "split_decode must be true or false"),
    ],
)
def test_values_that_an_axis_does_not_have_are_refused(wanted, words):
    with pytest.raises(PlanRefused) as refused:
        parse_plan(wanted)
    assert words in refused.value.problems[0]


def test_more_variants_than_memory_should_hold_are_refused_with_their_number():
    wanted = {
        "sizes_px": list(range(100, 116)),
        "jpeg_qualities": list(range(50, 60)),
        "resamplers": list(RESAMPLERS),
    }
    with pytest.raises(PlanRefused, match=f"881 variants of a large photo; the limit is {MAX_VARIANTS}"):
        parse_plan(wanted)


def test_what_a_name_does_not_say_is_as_usual():
    plain = variant(subsampling="4:2:0", resampler="lanczos")
    odd = replace(plain, quality=50, subsampling="4:4:4", resampler="bicubic")
    assert [kind_name(plain), short_name(plain), full_name(plain)] == [
        "JPEG",
        "512 px JPEG",
        "512 px JPEG q85",
    ]
    assert short_name(odd) == "512 px JPEG q50 4:4:4 Bicubic"
    assert full_name(odd) == "512 px JPEG q50 4:4:4 Bicubic"
    assert short_name(variant(format="webp", quality=80)) == "512 px WebP"
    assert short_name(variant(format="webp-lossless")) == "512 px WebP lossless"
    assert short_name(variant(format="avif", quality=65)) == "512 px AVIF"
    assert short_name(variant(format="avif", quality=20)) == "512 px AVIF q20"
    assert settings_words(plain, always=frozenset({"quality", "subsampling", "resampler"})) == (
        " q85 4:2:0 Lanczos"
    )


def test_the_exports_name_quality_subsampling_and_filter():
    plan = parse_plan({"sizes_px": [512], "resamplers": ["lanczos", "box"], "seed": 7})
    odd = variant(id="512-jpeg-50-444-box", quality=50, subsampling="4:4:4", resampler="box")
    exported = report_dict(report(plan=plan, variants=(odd,), measurements=answered([9.0], odd.id)))
    header, row = report_csv(exported).splitlines()
    fields = dict(zip(header.split(","), row.split(","), strict=True))
    assert (fields["quality"], fields["subsampling"], fields["resampler"]) == ("50", "4:4:4", "box")
    assert fields["label"] == "512 px JPEG q50 4:4:4 Box"
    page = report_html(exported)
    assert "resized with Lanczos and Box." in page
    assert "512 px JPEG q50 4:4:4 Box" in page


def test_a_report_from_before_there_were_axes_can_still_be_exported_and_drawn():
    old = report_dict(report(variants=(variant(),), measurements=answered([9.0], variant().id)))
    for key in ("subsampling", "resampler"):
        del old["variants"][0][key]
    for key in ("decode_request_ms", "decode_request_samples_ms", "decode_response_bytes"):
        del old["cells"][0][key]
    lists = ("jpeg_qualities", "webp_qualities", "avif_qualities", "subsamplings", "resamplers")
    for key in (*lists, "split_decode"):
        del old["plan"][key]
    assert "512 px JPEG" in report_csv(old)
    assert "resized with Lanczos." in report_html(json.loads(json.dumps(old)))


def test_a_variant_survives_the_store_with_its_settings():
    odd = replace(variant(), subsampling="4:4:4", resampler="box")
    assert from_dict(Variant, to_dict(odd)) == odd
