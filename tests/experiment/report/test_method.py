"""How a run was measured and what its numbers mean: the sentences that the page and the HTML report share."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import pytest

from experiment.decide.other_goals import with_goals
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict
from experiment.records import Addition, Plan
from experiment.report.goals import MARGIN_POINTS
from experiment.report.method import DEFINITIONS, VALIDITY, method, terms
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from tests.support.deciding_records import in_browser
from tests.support.records import answered, original, report, sample_report, source, variant
from tests.support.set_records import photos, summary


def words(exported: dict[str, Any]) -> dict[str, str]:
    """Term -> text of what the report carries along."""
    return {each["term"]: each["text"] for each in exported["method"]}


def of_one_photo(true_label: str | None = None, **plan: Any) -> dict[str, str]:
    return words(report_dict(report(plan=Plan(**plan), source=source(true_label=true_label))))


def test_the_goals_of_one_photo_are_told_with_the_margin_that_holds():
    assert f"may fall by at most {MARGIN_POINTS:g} points." in of_one_photo()["Recommended"]
    assert "The top answer must stay, and" in of_one_photo(margin_points=0)["Recommended"]
    assert "at most 0 points." in of_one_photo(margin_points=0)["Recommended"]
    assert of_one_photo("tabby", margin_points=1)["Recommended"].endswith(
        "The top answer must be the true label, and its probability may fall by at most 1 point."
    )
    assert of_one_photo(keep_top1=False)["Recommended"].endswith("The answer was allowed to change.")


def test_the_margin_of_a_set_is_told_in_points_or_that_there_is_none():
    def margin(**plan: Any) -> str:
        return words(report_dict(summary(photos(both=3), Plan(**plan))))["Margin"]

    assert "that it loses less than 1 point." in margin(margin_points=1)
    assert "that it loses less than 2.5 points." in margin(margin_points=2.5)
    assert "the answer was allowed to change" in margin(margin_points=1, keep_top1=False)
    assert "loses less" not in margin(keep_top1=False)


def test_accuracy_needs_a_true_label():
    assert "agreement, not accuracy" in of_one_photo()["Accuracy"]
    assert of_one_photo("tabby")["Accuracy"] == "Whether the top answer is the true label, tabby."


def test_repeats_that_were_added_are_told_and_cells_measured_again_are_not():
    added = Addition("a1", 1_777_890_030.0, "done", 44, 8, {})
    retried = replace(added, id="a2", repeats=0, backend_name="8 CPU", retried=("original",))
    made = replace(report(plan=Plan(repeats=64)), additions=(added, retried))
    assert words(report_dict(made))["Repeats added"] == (
        "44 of these 64 repeats were added at 2026-05-04T10:20:30Z, on the same bytes (seed 8)."
    )
    assert "Repeats added" not in of_one_photo()


def test_where_the_variants_were_resized_is_told_and_steps_only_where_the_server_made_some():
    server = words(report_dict(report(variants=(original(), variant()))))["Variants"]
    assert "resized with Lanczos." in server and "in steps" in server and "browser/" not in server
    plan = Plan(resize_in="browser", browser_engines=("pica", "canvas"))
    browser = words(
        report_dict(report(plan=plan, variants=(original(), in_browser(variant(), engine="pica"))))
    )["Variants"]
    assert "resized in the browser by pica and canvas." in browser
    assert "in steps" not in browser and "writes PNG as RGBA" in browser
    both = words(report_dict(report(plan=replace(plan, resize_in="both"))))["Variants"]
    assert "on the server with Lanczos and in the browser by pica and canvas" in both


def test_decode_requests_are_explained_only_where_some_were_sent():
    exported = report_dict(report(measurements=answered([9.0] * 6)))
    assert "Decode request" not in words(exported)
    exported["cells"][0]["decode_request_ms"] = 3.0
    assert {"term": "Decode request", "text": DEFINITIONS["Decode request"]} in method(exported)


def test_what_was_done_to_the_photo_is_told():
    made = report(source=source(notes=("Turned upright.", "Transparency lies on white.")))
    assert words(report_dict(made))["The photo"] == "Turned upright. Transparency lies on white."


def test_agreement_is_with_what_the_variants_were_compared_with():
    assert "gave to the original;" in of_one_photo()["Agreement"]
    reference = in_browser(variant(), is_reference=True)
    made = words(report_dict(report(variants=(reference,))))
    assert "gave to the reference;" in made["Agreement"]


def test_other_goals_give_other_sentences():
    judged = with_goals(report_dict(sample_report()), {"margin_points": 2.0})
    assert "at most 2 points." in words(judged)["Recommended"]


def test_limits_in_the_sentences_are_those_of_the_code():
    text = " ".join(DEFINITIONS.values())
    assert f"Shown only from {SAMPLES_FOR_P90} and {SAMPLES_FOR_P99} samples" in text
    assert "q85 for JPEG, q80 for WebP, q65 for AVIF, 4:2:0, Lanczos." in text
    assert list(VALIDITY) == ["VALID", "NOISY", "INVALID"]


@pytest.mark.parametrize(
    "exported",
    [report_dict(sample_report()), report_dict(summary(photos(both=3), Plan()))],
    ids=["one photo", "a set"],
)
def test_the_html_report_holds_every_sentence_that_the_page_shows(exported):
    page = html.unescape(report_html(exported))
    for each in exported["method"]:
        assert f"<dt>{each['term']}</dt><dd>{each['text']}</dd>" in page
    assert {"This run", "Latency", "p50", "p90, p99", "Agreement", "Validity"} <= set(words(exported))


def test_terms_keep_their_order():
    assert [each["term"] for each in terms(DEFINITIONS)] == list(DEFINITIONS)
