"""How sure a run is, and what more photos would tell: held against simulated sets."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from experiment.decide.evidence import TIERS, evidence, photos_for
from experiment.decide.other_goals import with_goals
from experiment.export.report_json import SCHEMA, report_dict
from experiment.report.proportions import mcnemar, photos_to_know, reach
from tests.support.records import report, sample_report, source
from tests.support.set_records import photos, summary


def told(made):
    exported = report_dict(made)
    jsonschema.validate(exported, SCHEMA)
    return exported["evidence"]


def test_a_photo_tells_of_itself_and_says_what_30_and_300_would_tell():
    found = told(sample_report())
    assert (found["photos"], found["kind"]) == (1, "photo")
    assert found["sentence"] == "One photo shows what happens to this photo, not to your traffic."
    assert [tier["photos"] for tier in found["tiers"]] == [1, 30, 300]
    assert [tier["detects_points"] for tier in found["tiers"]] == [None, 14.0, 2.9]
    assert found["tiers"][1]["sentence"] == (
        "30 photos would tell how many answers stay the same, to within about 14 points."
    )


def test_with_a_true_label_it_is_about_accuracy():
    (_, _, most) = told(sample_report(source=source(true_label="tabby")))["tiers"]
    assert most["sentence"] == "300 photos would tell a difference in accuracy of about 3.2 points."


def test_a_set_says_what_its_own_photos_tell_and_how_many_one_point_takes():
    found = told(summary(photos(both=270, gained=2, lost=10, neither=18)))
    assert (found["photos"], found["kind"]) == (300, "set")
    assert found["sentence"] == (
        "300 photos tell a difference in accuracy of about 3.2 points. For 1 point it takes about 3,100."
    )
    assert [tier["sentence"].split(" tell")[0] for tier in found["tiers"]] == [
        "1 photo",
        "30 photos",
        "300 photos",
    ]


def test_of_a_set_without_labels_it_is_about_unchanged_answers():
    unlabelled = [replace(each, label=None) for each in photos(both=57, lost=3)]
    found = told(summary(unlabelled))
    assert found["sentence"] == (
        "60 photos tell how many answers stay the same, to within about 8.7 points. "
        "For 1 point it takes about 2,200."
    )
    assert "would tell" in found["tiers"][2]["sentence"]


def test_many_photos_need_no_more():
    found = told(summary(photos(both=9000, lost=5)))
    assert found["sentence"].endswith(" points.")


@pytest.mark.parametrize(
    "made", [report(), report(state="queued", variants=()), summary([], state="running", count=9)]
)
def test_before_anything_was_measured_there_is_a_sentence_too(made):
    assert told(made)["sentence"].endswith(".")


def test_other_goals_keep_it_whole():
    exported = report_dict(sample_report())
    assert with_goals(exported, {"keep_top1": False})["evidence"] == evidence(exported)


def test_so_many_photos_tell_a_difference_in_about_80_of_100_simulated_sets():
    """36 of 891 photos differ, as in docs/accuracy.md; 3 points are lost."""
    total = photos_for(3.0, 0.06)
    tables = np.random.default_rng(7).multinomial(total, (0.85, 0.015, 0.045, 0.09), size=1500)
    found = [mcnemar(int(each[1]), int(each[2])) < 0.05 for each in tables]
    assert 0.72 < np.mean(found) < 0.86  # the exact test is a little stricter than the formula


def test_so_many_photos_know_a_share_that_narrowly():
    total = photos_to_know(0.04, 0.01)
    shares = np.random.default_rng(7).binomial(total, 0.04, size=400)
    arms = [reach(count / total, total) for count in shares]
    assert np.mean(arms) == pytest.approx(0.01, rel=0.1)


def test_one_photo_fewer_would_not_do():
    for share, within in ((0.04, 0.01), (0.5, 0.1), (0.001, 0.02)):
        total = photos_to_know(share, within)
        assert reach(share, total) <= within < reach(share, total - 1)


def test_the_tiers_are_one_photo_the_fewest_for_an_order_and_ten_times_that():
    assert TIERS == (1, 30, 300)
