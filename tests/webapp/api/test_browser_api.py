"""Variants made in a browser, through the API of the whole app: measured, compared, or refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import jsonschema
import pytest
import requests

from experiment.export.report_json import SCHEMA
from tests.support.odd_photos import encoded, exif, photo
from tests.support.processes.browser_parts import PHOTO, PLAN, all_of, image_of, made, original, post, told
from tests.support.reports import closed

FACTS = json.dumps(
    {
        "name": "Browser 99",
        "clock_resolution_us": 100,
        "noise_bytes": 0,
        "original": {"name": "../cat.jpg", "size_bytes": 50_000, "width_px": 120, "height_px": 80},
    }
)

BUSY = {"overloaded", "deadline"}  # a machine that others use too


def finished(app, answer):
    assert answer.status_code == 202, answer.text
    report = app.finished(answer.json()["id"])
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(report)
    assert report["state"] == "done", report["failure"]
    failures = {each["code"] for cell in report["cells"] for each in cell["failure_reasons"]}
    assert failures <= BUSY  # every image was read
    assert report["requests"]["planned"] == report["requests"]["done"]
    return report


@pytest.fixture(scope="module")
def both(app):
    """A run in which both places resized, with the browser's work by two engines."""
    variants = all_of() + all_of("canvas")
    plan = {"resize_in": "both", "browser_engines": ["pica", "canvas"]}
    return finished(app, post(app.url, variants, plan, original(), browser=FACTS))


def test_variants_of_a_browser_are_measured_beside_the_original(app):
    variants = all_of()
    report = finished(app, post(app.url, variants, photo_bytes=original(), browser=FACTS))
    assert [each["id"] for each in report["variants"]] == [
        *("original", "96-png-pica", "96-jpeg-85-pica", "48-png-pica", "48-jpeg-85-pica"),
    ]
    reference, png, jpeg = report["variants"][:3]
    assert (reference["made_in"], reference["engine"], reference["encoder"]) == (
        "server",
        None,
        "as uploaded",
    )
    assert (png["made_in"], png["channels"], jpeg["channels"]) == ("browser", 4, 3)
    assert jpeg["encoder"] == "pica 1.0, Browser 99 canvas encoder, q85, 4:2:0"
    assert [png[f"{stage}_ms"] for stage in ("decode", "resize", "encode")] == [9.5, 20.1, 3.2]
    assert jpeg["sha256"] == hashlib.sha256(variants[1][1]).hexdigest()
    stored = requests.get(f"{app.url}/api/runs/{report['run_id']}/variants/96-jpeg-85-pica", timeout=30)
    assert stored.content == variants[1][1]
    assert report["environment"]["browser"] == "Browser 99"
    assert report["environment"]["browser_clock_resolution_us"] == 100
    assert report["resizers"] is None
    assert all(cell["same_top1"] is not None for cell in report["cells"] if cell["count"])


def test_without_the_original_the_largest_variant_is_the_reference_and_the_report_says_so(app):
    report = finished(app, post(app.url, all_of()[::-1], browser=FACTS))
    reference = report["variants"][0]
    assert (reference["id"], reference["is_reference"]) == ("96-png-pica", True)
    assert sum(each["is_reference"] for each in report["variants"]) == 1
    assert len(report["variants"]) == 4
    source = report["source"]
    assert (source["name"], source["sha256"]) == ("cat.jpg", reference["sha256"])
    assert source["original"] == {"size_bytes": 50_000, "width_px": 120, "height_px": 80}
    assert reference["percent_of_original"] == round(100 * reference["size_bytes"] / 50_000, 1)
    [words] = [each["message"] for each in report["warnings"] if each["code"] == "W11"]
    assert "The original was not uploaded" in words
    assert "96 px PNG browser/pica" in words
    assert "original" not in report["recommendation"]["why"]
    for ending in (".csv", ".html", ".zip", "/figures"):
        answer = requests.get(f"{app.url}/api/runs/{report['run_id']}{ending}", timeout=60)
        assert answer.status_code == 200, ending


def test_both_places_are_compared_pair_by_pair(both):
    pairs = both["resizers"]["pairs"]
    by_id = {each["id"]: each for each in both["variants"]}
    assert len(pairs) == 8
    for pair in pairs:
        browser, server = by_id[pair["browser_id"]], by_id[pair["server_id"]]
        alike = ("size_px", "format", "quality", "subsampling", "width_px", "height_px")
        assert [browser[key] for key in alike] == [server[key] for key in alike]
        assert 25 < pair["psnr_db"] < 60
        assert pair["bytes_ratio"] == pytest.approx(browser["size_bytes"] / server["size_bytes"], rel=1e-5)
        assert set(pair["same_top1"]) == {
            each["name"] for each in both["backends"] if each["state"] == "ready"
        }
    sentence = both["resizers"]["sentence"]
    assert "8 variants of the same size, format and quality" in sentence
    assert "PNG bytes can't be compared" in sentence


def test_the_figures_tell_the_two_places_apart(app, both):
    figures = requests.get(f"{app.url}/api/runs/{both['run_id']}/figures", timeout=60).json()
    bars = {row[1] for row in figures["where_time_goes"]["meta"]["table"]["rows"]}
    assert {"96 JPEG", "96 JPEG browser/pica", "96 JPEG browser/canvas"} <= bars
    lines = {trace.get("name") for trace in figures["latency_by_size"]["data"]}
    assert any(name and name.endswith("JPEG q85 browser/pica") for name in lines)


def test_the_csv_and_the_html_report_hold_what_the_browser_made(app, both):
    text = requests.get(f"{app.url}/api/runs/{both['run_id']}.csv", timeout=60).text
    rows = {row["variant_id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["96-png-canvas"]["made_in"], rows["96-png-canvas"]["channels"]) == ("browser", "4")
    assert float(rows["96-png-canvas"]["psnr_db"]) > 25
    page = requests.get(f"{app.url}/api/runs/{both['run_id']}.html", timeout=60).text
    assert "96 px JPEG browser/canvas" in page
    assert "Decoded pixels against the server" in page


def test_noise_in_the_canvas_warns_and_makes_the_cells_invalid(app):
    report = finished(app, post(app.url, all_of(canvas_noise=True), photo_bytes=original()))
    assert "W1" in {each["code"] for each in report["warnings"]}
    cells = {(cell["variant_id"], cell["validity"]) for cell in report["cells"] if cell["count"]}
    assert {validity for name, validity in cells if name != "original"} == {"INVALID"}
    noisy = next(cell for cell in report["cells"] if cell["variant_id"] != "original" and cell["count"])
    assert "contains noise" in noisy["reasons"][0]


def test_without_the_query_a_small_request_is_taken_too(app):
    finished(app, post(app.url, all_of(), photo_bytes=original(), query=""))


PNG, JPEG = made(96, "png"), made(96, "jpeg")
GOOD = (told(96, "jpeg"), JPEG)
TURNED = encoded(photo(80, 120), "JPEG")
CUT = made(96, "png")[:-40]

REFUSED = {
    "fewer parts than rows": (
        {"variants": [GOOD], "rows": [GOOD[0]] * 2},
        "`variants` describes 2, but 1 parts",
    ),
    "no variants": ({"variants": [], "photo_bytes": original()}, "0 variants were sent"),
    "another format": ({"variants": [(told(96, "png"), JPEG)]}, "variants[0] (96 px png by pica) is JPEG"),
    "another size": ({"variants": [(told(48, "jpeg"), JPEG)]}, "is 96 x 64 px by its bytes"),
    "no image": ({"variants": [(told(96, "png"), b"hello")]}, "is not a photo we can read"),
    "cut off": ({"variants": [(told(96, "png"), CUT)]}, "ends too early"),
    "an engine that is none": (
        {"variants": [(told(96, "jpeg", "gpu"), JPEG)]},
        "engine must be one of pica, canvas",
    ),
    "an engine not in the plan": (
        {"variants": [(told(96, "jpeg", "canvas"), JPEG)]},
        "is not in the plan",
    ),
    "a quality not in the plan": (
        {"variants": [(told(96, "jpeg", quality=50), JPEG)]},
        "is not in the plan",
    ),
    "no quality": ({"variants": [(told(96, "jpeg", quality=None), JPEG)]}, "jpeg needs a quality"),
    "PNG with a quality": ({"variants": [(told(96, "png", quality=5), PNG)]}, "png has no quality"),
    "a time below zero": (
        {"variants": [(told(96, "jpeg", encode_ms=-1), JPEG)]},
        "encode_ms must be a number from 0",
    ),
    "a time of 400 digits": (
        {"variants": [(told(96, "jpeg", encode_ms=10**400), JPEG)]},
        "encode_ms must be a number from 0",
    ),
    "a key too many": (
        {"variants": [(told(96, "jpeg", colour="red"), JPEG)]},
        'has the unknown key "colour"',
    ),
    "a row that is none": ({"variants": [("row", JPEG)]}, "variants[0] must be an object"),
    "twice the same": ({"variants": [GOOD, GOOD]}, "was sent twice"),
    "both without the original": ({"variants": [GOOD], "plan": {"resize_in": "both"}}, "needs the original"),
    "a plan for the server": ({"variants": [GOOD], "plan": {"resize_in": "server"}}, 'resize_in is "server"'),
    "not the photo's shape": (
        {"variants": [(told(120, "jpeg"), TURNED)], "plan": {"sizes_px": [120]}, "photo_bytes": original()},
        "a copy of this photo is 120 x 80 px. Was it turned upright?",
    ),
    "turned by EXIF only": (
        {"variants": [(told(96, "jpeg"), encoded(photo(96, 64), "JPEG", exif=exif(6)))]},
        "turned by EXIF only",
    ),
    "a plan without a format of browsers": (
        {"variants": [GOOD], "plan": {"formats": ["webp-lossless"]}},
        "A browser can't encode these formats",
    ),
    "facts that are no JSON": ({"variants": [GOOD], "browser": "{"}, "`browser` is not valid JSON"),
    "an original of no size": (
        {"variants": [GOOD], "browser": '{"original": {"size_bytes": 0, "width_px": 1, "height_px": 1}}'},
        "browser.original: size_bytes must be a whole number",
    ),
    "an original smaller than its copy": (
        {
            "variants": [GOOD],
            "browser": '{"original": {"name": "a", "size_bytes": 9, "width_px": 9, "height_px": 6}}',
        },
        "is larger than the photo",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(app, name):
    options, words = REFUSED[name]
    answer = post(app.url, **options)
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert 400 <= answer.status_code < 500
    assert words in problem["detail"]
    assert problem["code"] in {"variants_refused", "plan_refused"}
    assert problem["title"] != "This can't be done."


def test_a_plan_for_a_browser_needs_its_variants(app):
    answer = app.post_run(original(), json.dumps(PLAN))
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_refused")
    assert "but no variants were sent. docs/browser-resizing.md shows" in answer.json()["detail"]


def test_a_variant_larger_than_a_photo_may_be_is_refused_and_so_is_a_photo_set(app):
    large = post(app.url, [(told(96, "png"), b"\x89PNG\r\n\x1a\n" + bytes(21_000_000))])
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    assert "the limit per image is 20 MB" in large.json()["detail"]
    files = [("file", ("a.png", original())), ("file", ("b.png", original()))]
    plan = {"plan": json.dumps(PLAN)}
    sets = requests.post(f"{app.url}/api/runs?photos=many", files=files, data=plan, timeout=60)
    assert sets.status_code == 422
    assert "photo sets are resized on the server only" in sets.json()["detail"]


def test_the_copies_of_a_photo_that_lies_on_its_side_are_compared_upright(app):
    lying = encoded(PHOTO.transpose(2), "JPEG", exif=exif(6))
    upright = image_of(lying).transpose(4)
    kinds = [(96, "png"), (48, "jpeg")]
    variants = [(told(*each), made(*each, image=upright)) for each in kinds]
    report = finished(app, post(app.url, variants, {"resize_in": "both"}, lying))
    assert report["source"]["exif_orientation"] == 6
    assert [pair["psnr_db"] > 30 for pair in report["resizers"]["pairs"]] == [True, True]
