"""How a photo is prepared for one answer: what was asked for, or what a report recommends."""

from __future__ import annotations

import copy
import io
from dataclasses import replace

import pytest
from PIL import Image

from bench.support.fake_backends import FakeBackend
from experiment.errors import PixelcostError
from experiment.export.report_json import report_dict
from experiment.images.read import read_image
from experiment.images.variants import make_variants
from experiment.measure.one_answer import Preparation, ask, preparation, prepare, recommended, usual_backend
from experiment.records import BackendInfo, Plan
from tests.support.processes.app_process import CAT
from tests.support.records import sample_report

JPEG = {"quality": 85, "subsampling": "4:2:0", "resampler": "lanczos"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, Preparation()),
        ({"size": 256}, Preparation(256, "jpeg", **JPEG)),
        ({"quality": 30}, Preparation(None, "jpeg", **{**JPEG, "quality": 30})),
        ({"format": "png"}, Preparation(None, "png", resampler="lanczos")),
        ({"format": "avif", "size": 64}, Preparation(64, "avif", 65, resampler="lanczos")),
    ],
)
def test_what_is_not_asked_for_has_its_usual_value(asked, found):
    assert preparation(**asked) == found


@pytest.mark.parametrize(
    "asked", [{"size": True}, {"size": 0.5}, {"format": 7}, {"format": ["png"]}, {"quality": "x"}]
)
def test_a_value_of_the_wrong_type_is_named(asked):
    with pytest.raises(PixelcostError, match=f"{next(iter(asked))} must be") as caught:
        preparation(**asked)
    assert (caught.value.code, caught.value.http_status) == ("bad_query", 422)


@pytest.fixture(scope="module")
def made():
    return report_dict(sample_report())


def changed(made, **changes):
    """The report with another recommended variant."""
    made = copy.deepcopy(made)
    chosen = made["recommendation"]["variant_id"]
    row = next(row for row in made["variants"] if row["id"] == chosen)
    row.update(changes)
    return made


def test_a_recommendation_is_followed_with_the_usual_values_where_an_older_report_has_none(made):
    found, name = recommended(changed(made, format="jpeg", quality=70, subsampling=None, resampler=None))
    assert (found.format, found.quality, found.subsampling, found.resampler) == (
        "jpeg",
        70,
        "4:2:0",
        "lanczos",
    )
    assert found.at_most and name == made["recommendation"]["backend_name"]
    assert recommended(changed(made, is_reference=True))[0] == Preparation()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"made_in": "browser"}, "no_recommendation"),
        ({"format": "tiff"}, "bad_query"),
        ({"size_px": 10**9}, "bad_query"),
        ({"resampler": "sinc"}, "bad_query"),
    ],
)
def test_an_imported_or_browser_made_recommendation_that_can_not_be_made_here_is_refused(made, changes, code):
    with pytest.raises(PixelcostError) as caught:
        recommended(changed(made, **changes))
    assert (caught.value.code, caught.value.http_status) == (code, 422)


def test_the_usual_backend_is_the_first_that_is_ready_or_may_be():
    numbers, down = BackendInfo("N", state="wrong_signature"), BackendInfo("D", state="down")
    ready, also = BackendInfo("R", state="ready"), BackendInfo("S", state="ready")
    assert usual_backend([numbers, down, ready, also]) is ready
    assert usual_backend([numbers, down]) is down
    assert usual_backend([numbers]) is numbers


def test_a_copy_is_the_same_to_the_byte_as_that_of_a_run_and_is_never_enlarged():
    source = read_image(CAT.read_bytes(), "cat.png")
    plan = Plan(sizes_px=(64,), formats=("jpeg",), jpeg_qualities=(60,), resamplers=("box",))
    of_a_run = make_variants(source, plan)
    wanted = Preparation(64, "jpeg", 60, "4:2:0", "box")
    assert prepare(source, wanted).sha256 == of_a_run[1].sha256
    assert prepare(source, Preparation()).sha256 == of_a_run[0].sha256
    longest_px = max(source.width_px, source.height_px)
    assert prepare(source, replace(wanted, size_px=longest_px + 1, at_most=True)).size_px == longest_px
    with pytest.raises(PixelcostError, match="Nothing is enlarged"):
        prepare(source, replace(wanted, size_px=longest_px + 1))


def test_a_photo_smaller_than_every_size_is_not_told_to_ask_for_its_own():
    file = io.BytesIO()
    Image.new("RGB", (9, 5)).save(file, "PNG")
    with pytest.raises(PixelcostError, match=r"9 x 5 px\. Nothing is enlarged: leave size out"):
        prepare(read_image(file.getvalue(), "tiny.png"), preparation(size=16))


def answer_of(backend):
    source = read_image(CAT.read_bytes(), "cat.png")
    return ask(source, prepare(source, Preparation()), Preparation(), backend, 5.0)


def test_an_answer_that_can_not_be_read_is_the_servers_fault_and_no_crash():
    def odd(_):
        raise LookupError("what nobody thought of")

    with pytest.raises(PixelcostError, match="A answered something that can't be read") as caught:
        answer_of(FakeBackend("A", answer=odd))
    assert (caught.value.code, caught.value.http_status) == ("no_answer", 502)


def test_a_stage_that_is_longer_than_the_request_is_not_believed():
    class Boastful(FakeBackend):
        def predict(self, variant, timeout_s):
            return replace(super().predict(variant, timeout_s), server_ms={"queue": 0.0, "inference": 1e9})

    assert answer_of(Boastful())["server_ms"] == {"queue": 0.0}
