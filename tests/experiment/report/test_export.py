"""The report as others read it: JSON with its schema, CSV, HTML, and the records' own codec."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields, replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.codec import from_dict, to_dict
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import SCHEMA, report_dict, report_json
from experiment.records import (
    BackendInfo,
    Cell,
    Failure,
    Label,
    Measurement,
    Plan,
    Prediction,
    Report,
    SourceImage,
    Variant,
)
from tests.support.processes.browser import visiting
from tests.support.records import (
    answer,
    answered,
    backend,
    failed,
    no_gpu,
    original,
    report,
    sample_measurements,
    sample_report,
    source,
    variant,
)
from tests.support.reports import HOSTILE, closed

REPORTS = {
    "whole": sample_report(),
    "thorough": sample_report(("8 CPU",), repeats=64),
    "queued": report(state="queued", variants=(), environment={}),
    "running": report(state="running", measurements=answered([31.0])),
    "no GPU, true label": report(backends=(no_gpu(), backend()), source=source(true_label="tabby")),
    "failed": report(
        state="failed", measurements=failed(2), failure=Failure("restarted", "The app was restarted.")
    ),
    "goals": report(plan=Plan(max_p50_ms=20.0, max_size_bytes=1, backend_names=("8 CPU",))),
    "all scores": report(measurements=answered([30.0] * 6, prediction=answer(distribution=(0.7, 0.3)))),
}


# JSON


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_valid_and_every_key_of_it_is_described(name):
    exported = json.loads(report_json(report_dict(REPORTS[name])))
    jsonschema.Draft202012Validator(SCHEMA).validate(exported)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(exported)


def test_a_report_of_a_later_minor_version_is_still_valid():
    later = report_dict(REPORTS["whole"]) | {"schema_version": "1.9", "something_new": 1}
    jsonschema.Draft202012Validator(SCHEMA).validate(later)


TOLD = {"runtime": "PyTorch 2.13.0", "precision": "bf16", "isa": "avx2", "replicas": 4}
ON_A_GPU = {**TOLD, "isa": None, "device_name": "NVIDIA H200", "device_memory_bytes": 141 * 2**30}


def test_what_computed_stands_beside_the_numbers_in_every_export():
    made = report(backends=(backend(**ON_A_GPU),), measurements=answered([30.0] * 6))
    exported = report_dict(made)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(exported)
    assert {name: exported["backends"][0][name] for name in ON_A_GPU} == ON_A_GPU
    assert "<td>PyTorch 2.13.0, bf16, 4 replicas, NVIDIA H200, 141 GiB</td>" in report_html(exported).replace(
        ' class="long"', ""
    )
    (row,) = csv_rows(made)
    assert (row["backend_runtime"], row["backend_precision"], row["backend_isa"]) == (
        "PyTorch 2.13.0",
        "bf16",
        "",
    )


def test_a_report_from_before_servers_told_what_computes_is_still_read():
    old = report_dict(REPORTS["whole"]) | {"schema_version": "1.0"}
    for each in old["backends"]:
        for name in (*ON_A_GPU,):
            del each[name]
    jsonschema.Draft202012Validator(SCHEMA).validate(old)
    assert from_dict(BackendInfo, old["backends"][0]).runtime is None
    assert "<td>GPU</td>" in report_html(old)
    assert report_csv(old).count(",,,,,") >= len(old["cells"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda made: made.pop("cells"),
        lambda made: made["cells"][0].update(validity="PERHAPS"),
        lambda made: made["cells"][0].update(p50_ms="fast"),
        lambda made: made["source"].update(sha256="short"),
        lambda made: made.update(schema_version="2.0"),
        lambda made: made.update(created_at="yesterday"),
    ],
)
def test_the_schema_notices_damage(damage):
    made = json.loads(report_json(report_dict(REPORTS["whole"])))
    damage(made)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(made)


def test_the_exported_samples_give_every_exported_percentile_again():
    for cell in report_dict(REPORTS["thorough"])["cells"]:
        assert len(cell["samples_ms"]) == 64
        assert cell["p50_ms"] == pytest.approx(np.percentile(cell["samples_ms"], 50), abs=1e-6)
        assert cell["p90_ms"] == pytest.approx(np.percentile(cell["samples_ms"], 90), abs=1e-6)
        assert cell["p99_ms"] is None


def test_the_keys_of_the_contract_are_there():
    made = report_dict(REPORTS["whole"])
    assert made["created_at"] == "2026-05-04T10:20:30Z"
    assert made["requests"] == {"planned": 759, "done": 759, "failed": 0, "not_sent": 0}
    assert made["variants"][1]["percent_of_original"] == 157.3
    assert made["recommendation"]["variant_id"] == "512-jpeg-85"
    assert made["recommendation"]["next_lighter"] == (
        "Below this the answer gets less sure: at 256 px JPEG confidence drops by 19 points (5 allowed)."
    )
    assert (made["warnings"][0]["code"], made["warnings"][0]["level"]) == ("W2", "note")


def test_unknown_is_null():
    exported = report_dict(REPORTS["failed"])
    cell = exported["cells"][0]
    assert exported["failure"] == {"code": "restarted", "message": "The app was restarted."}
    assert (cell["p50_ms"], cell["same_top1"], cell["top"]) == (None, None, [])


# The codec

text = st.text(max_size=20)
numbers = st.floats(0, 1e6)
labels = st.builds(Label, label=text, score=st.floats(0, 1))
predictions = st.builds(
    Prediction,
    top=st.lists(labels, max_size=5).map(tuple),
    request_bytes=st.integers(0),
    response_bytes=st.integers(0),
    server_ms=st.dictionaries(text, numbers, max_size=3),
    peer=st.none() | text,
    distribution=st.none() | st.lists(st.floats(0, 1), max_size=4).map(tuple),
)
measurements = st.builds(
    Measurement,
    variant_id=text,
    backend_name=text,
    attempt=st.integers(0, 99),
    is_warmup=st.booleans(),
    started_at=numbers,
    latency_ms=st.none() | numbers,
    prediction=st.none() | predictions,
    failure=st.none() | st.builds(Failure, code=text, message=text),
)
plans = st.builds(
    Plan,
    sizes_px=st.lists(st.integers(1, 9999), max_size=4).map(tuple),
    formats=st.lists(text, max_size=2).map(tuple),
    seed=st.integers(0, 2**53),
    backend_names=st.none() | st.lists(text, max_size=2).map(tuple),
    max_p50_ms=st.none() | numbers,
)


@given(measurements | plans)
def test_records_come_back_from_json_as_they_were(record):
    assert from_dict(type(record), json.loads(json.dumps(to_dict(record)))) == record


def test_a_whole_report_comes_back_from_json_as_it_was():
    made = REPORTS["all scores"]
    assert from_dict(Report, json.loads(json.dumps(to_dict(made)))) == made


def test_image_data_travels_apart():
    assert "data" not in to_dict(replace(original(), data=b"x"))
    assert from_dict(Variant, to_dict(original())).data == b""
    assert from_dict(SourceImage, to_dict(source())).pixels is None


def test_unknown_keys_are_ignored_and_missing_ones_take_their_default():
    assert from_dict(BackendInfo, {"name": "x", "new": 1}) == BackendInfo("x")
    with pytest.raises(TypeError, match="name"):
        from_dict(BackendInfo, {})


# CSV


def csv_rows(made):
    return list(csv.DictReader(io.StringIO(report_csv(report_dict(made)), newline="")))


def test_csv_has_one_row_for_each_cell_and_every_number_of_it():
    rows = csv_rows(REPORTS["whole"])
    assert len(rows) == 33
    exported = report_dict(REPORTS["whole"])
    scalars = {each.name for each in fields(Cell)} - {
        "samples_ms",
        "server_ms",
        "top",
        "reasons",
        "failure_reasons",
        "over_photos",
        "peers",
        "batches",
    }
    for row, cell in zip(rows, exported["cells"], strict=True):
        assert scalars <= set(row)
        assert float(row["p50_ms"]) == cell["p50_ms"]
        assert [float(each) for each in row["samples_ms"].split()] == cell["samples_ms"]
        assert float(row["server_decode_ms"]) == cell["server_ms"]["decode"]
        assert row["same_top1"] == str(cell["same_top1"]).lower()
        assert row["p90_ms"] == ""
    assert list(rows[0])[-1] == "samples_ms"


def test_csv_names_a_reference_that_is_not_the_file_as_uploaded():
    again = original(encoder="lossless PNG of the original: turned upright", format="png")
    assert csv_rows(REPORTS["whole"])[0]["label"] == "the original (4000 px JPEG)"
    (row,) = csv_rows(report(variants=(again,)))
    assert (row["variant_id"], row["label"]) == ("original", "the reference (4000 px PNG)")


def test_a_warning_of_an_older_report_needs_no_level():
    old = report_dict(REPORTS["whole"])
    old["warnings"] = [{"code": "W2", "message": "8 samples are too few."}]
    jsonschema.validate(old, SCHEMA)


def test_csv_of_an_empty_report_is_a_header():
    assert csv_rows(REPORTS["queued"]) == []
    assert report_csv(report_dict(REPORTS["queued"])).startswith("run_id,")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_never_starts_a_formula(start):
    name = f"{start}cmd|' /C calc'!A0, \"quoted\"\nand broken"
    made = report(backends=(backend(name),), measurements=answered([30.0], backend_name=name))
    (row,) = csv_rows(made)
    assert row["backend_name"] == "'" + name


def test_csv_numbers_below_zero_stay_numbers():
    small = variant(256)
    worse = [Label("tabby", 0.5)]
    made = report(
        variants=(original(), small),
        measurements=[*answered([30.0]), *answered([9.0], small.id, prediction=answer(worse))],
    )
    assert csv_rows(made)[1]["reference_score_change"] == "-21.0"


# HTML


def evil_report():
    """Every text that comes from people or servers tries to become a script."""
    backends = (backend(HOSTILE, detail=HOSTILE, address=HOSTILE),)
    measurements = [
        *answered(
            [30.0] * 6,
            backend_name=HOSTILE,
            prediction=answer([Label(HOSTILE, 0.6), Label("b", 0.4)]),
        ),
        *failed(1, backend_name=HOSTILE, message=HOSTILE),
    ]
    photo = source(name=HOSTILE + "\udcff", true_label=HOSTILE, notes=(HOSTILE,))
    return report(
        backends=backends, measurements=measurements, source=photo, environment={"cpu_model": HOSTILE}
    )


def test_html_holds_the_whole_report_and_it_can_be_read_again():
    exported = report_dict(REPORTS["whole"])
    found = re.search(
        r'<script type="application/json" id="report">(.*?)</script>', report_html(exported), re.DOTALL
    )
    assert json.loads(found[1]) == exported


@pytest.mark.parametrize("name", REPORTS)
def test_html_is_one_file_that_refers_to_no_other(name):
    page = report_html(report_dict(REPORTS[name]))
    assert len(page.encode()) < 1_600_000
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", own)


def test_html_says_what_to_serve_and_what_to_beware_of():
    made = report_dict(REPORTS["whole"])
    page = report_html(made)
    assert f"<h1>{made['recommendation']['sentence']}</h1>" in page
    assert "✓ VALID" in page
    assert made["warnings"][0]["message"] in page
    assert "random order (seed 7)" in page


def test_html_lets_nothing_from_outside_become_markup():
    page = report_html(report_dict(evil_report()))
    without_scripts = re.sub(r"<script[ >].*?</script>", "", page, flags=re.DOTALL)
    assert page.count("<script") == page.count("</script>") == 4 + plotly_scripts(page)
    assert "<img" not in without_scripts
    assert "alert(1)" in without_scripts  # it is shown, as text


def plotly_scripts(page):
    """How often plotly.js itself writes the word; nothing of the report stands in it."""
    (plotly,) = re.findall(r"<script>(/\*\*.*?)</script>", page, re.DOTALL)
    return plotly.count("<script")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["whole", "evil", "queued"])
def test_html_opens_from_disk_under_its_own_policy_and_draws_every_figure(browser, tmp_path, name, scheme):
    made = evil_report() if name == "evil" else REPORTS[name]
    path = tmp_path / "report.html"
    path.write_text(report_html(report_dict(made)), "utf-8")
    with visiting(browser, "file://", color_scheme=scheme, viewport={"width": 390, "height": 800}) as visit:
        visit.page.on("dialog", lambda dialog: pytest.fail("a script from outside ran"))
        visit.page.goto(path.as_uri())
        visit.wait_until("document.querySelectorAll('.main-svg').length >= 4")
        if name == "whole":
            assert visit.page.locator("#trade_off .scatterlayer .point").count() > 33
            visit.page.locator("#latency_by_size .scatterlayer .point").last.hover(force=True)
            visit.page.wait_for_selector("#latency_by_size .hoverlayer .hovertext")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        visit.page.set_viewport_size({"width": 700, "height": 500})
        drawn_px = "document.querySelector('#where_time_goes .main-svg').getBoundingClientRect()"
        visit.wait_until(f"{drawn_px}.width > 390")
        assert visit.page.evaluate(f"{drawn_px}.height == figures.light.where_time_goes.layout.height")


# Numbers that are easy to get wrong


def test_a_report_can_be_made_from_measurements_that_went_through_the_codec():
    plan = Plan(repeats=6)
    taken = sample_measurements(original(), "8 CPU", plan)
    stored = [from_dict(Measurement, json.loads(json.dumps(to_dict(each)))) for each in taken]
    assert report_dict(report(plan=plan, measurements=stored)) == report_dict(
        report(plan=plan, measurements=taken)
    )
