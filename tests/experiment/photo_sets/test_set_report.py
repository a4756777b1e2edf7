"""What a report says about many photos, computed from counts made by hand."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import jsonschema
import pytest

from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import SCHEMA, report_dict
from experiment.labels import Vocabulary
from experiment.photo_sets.counts import Failures
from experiment.photo_sets.goals import set_goals
from experiment.photo_sets.photo_result import PhotoResult, Worker
from experiment.photo_sets.summarise import judge_over_photos
from experiment.records import Failure, GivenLabels, Plan, SkippedPhoto
from experiment.report.goals import Candidate
from experiment.report.proportions import wilson
from experiment.report.statistics import Samples
from experiment.report.validity import Conditions
from experiment.report.warnings import CODES, SET_CODES
from tests.support.records import backend, failed, original
from tests.support.reports import closed
from tests.support.set_records import PLAN, SMALL, photos, result, summary


def refused(index: int, name: str, message: str, label: str | None = None) -> PhotoResult:
    """A photo that can't be used."""
    return PhotoResult(index, name, label, refused=Failure("truncated", message))


def cell(report, variant_id=SMALL.id):
    return next(each for each in report.cells if each.variant_id == variant_id)


def codes(report):
    assert {each.code for each in report.warnings} <= {*CODES, *SET_CODES}
    return [each.code for each in report.warnings]


def warning(report, code):
    return next(each.message for each in report.warnings if each.code == code)


# Numbers


def test_shares_and_differences_are_those_of_the_counts():
    found = cell(summary(photos(both=80, gained=2, lost=5, neither=13))).over_photos
    assert (found.top1.count, found.top1.total, found.top1.share) == (82, 100, 0.82)
    assert (found.top1.low, found.top1.high) == wilson(82, 100)
    assert (found.agreement.count, found.agreement.total) == (93, 100)
    difference = found.difference
    assert (difference.photos, difference.gained, difference.lost, difference.points) == (100, 2, 5, -3.0)
    assert difference.low_points < -3 < difference.high_points
    assert difference.mcnemar_p == pytest.approx(58 / 128)  # 2 x (1 + 7 + 21) / 2^7


def test_the_original_is_compared_with_nothing():
    over = cell(summary(photos(both=3)), "original").over_photos
    assert (over.difference, over.agreement.share, over.top1.share) == (None, 1.0, 1.0)


def test_latency_is_over_photos_and_sizes_are_medians():
    report = summary(photos(both=7))
    found = cell(report)
    assert found.samples_ms == (20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0)
    assert (found.count, found.p50_ms, found.top) == (7, 23.0, ())
    assert (report.source.width_px, report.source.size_bytes, report.source.name) == (
        4000,
        3_000_000,
        "pets.zip",
    )
    assert report.environment["heartbeat_max_ms"] == 1.0


def test_all_comparisons_of_a_report_are_corrected_together():
    shown = summary(
        photos(both=90, lost=6, neither=4, on=("8 CPU", "1 CPU")), backend_names=("8 CPU", "1 CPU")
    )
    first = cell(shown).over_photos.difference
    assert shown.photo_set.comparisons == 2
    assert first.mcnemar_p == pytest.approx(2 / 64)
    assert first.mcnemar_p_holm == pytest.approx(4 / 64)


def test_two_backends_answers_are_compared():
    shown = summary(photos(both=5, on=("8 CPU", "1 CPU")), backend_names=("8 CPU", "1 CPU"))
    pairs = {each.variant_id: each for each in shown.photo_set.between_backends}
    assert set(pairs) == {"original", SMALL.id}
    assert pairs[SMALL.id].agreement.count == 5
    assert set(pairs[SMALL.id].backend_names) == {"8 CPU", "1 CPU"}


# Exports


@pytest.mark.parametrize(
    "report",
    [
        summary(photos(both=30, lost=1, neither=2)),
        summary([]),
        summary([], state="running", count=7),
        summary([result(0, label=None, original="tabby", small="tabby")], state="running", count=9),
        summary([refused(0, "a.jpg", "It ends early.", "tabby")]),
        summary(photos(both=5, on=("8 CPU", "1 CPU")), backend_names=("8 CPU", "1 CPU")),
    ],
)
def test_every_report_of_a_set_is_valid_and_every_key_of_it_is_described(report):
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(report_dict(report))


def test_a_row_of_the_csv_holds_the_shares():
    text = report_csv(report_dict(summary(photos(both=80, lost=5, neither=15))))
    rows = list(csv.DictReader(io.StringIO(text)))
    small = next(row for row in rows if row["variant_id"] == SMALL.id)
    assert (small["top1_count"], small["top1_total"], small["top1_share"]) == ("80", "100", "0.8")
    assert (small["difference_lost"], small["difference_points"]) == ("5", "-5.0")


def test_a_tiny_p_is_never_nothing():
    over = report_dict(summary(photos(both=100, lost=60)))["cells"][1]["over_photos"]
    assert 0 < over["difference"]["mcnemar_p"] < 1e-15


# What to serve


def test_a_variant_is_recommended_when_it_is_shown_to_lose_less_than_the_margin():
    report = summary(photos(both=3000, gained=5, lost=6, neither=500))
    chosen = report.recommendation
    assert (chosen.variant_id, chosen.backend_name) == (SMALL.id, "8 CPU")
    assert chosen.sentence == "Serve 256 px JPEG q85 on 8 CPU (23 ms)."
    assert "Top-1 85.6 % (84.4 to 86.7) of 3,511 photos; original 85.6 %" in chosen.why
    assert "within the margin of 1 point" in chosen.why
    assert "McNemar p 1.00" in chosen.why


def test_too_few_photos_are_no_proof_and_the_sentence_says_how_many_would_be():
    chosen = summary(photos(both=80, neither=10)).recommendation
    assert chosen.variant_id == "original"
    assert "it may lose up to" in chosen.next_lighter
    assert "photos would be enough to decide" in chosen.next_lighter


def test_a_worse_variant_is_called_worse():
    chosen = summary(photos(both=700, lost=200, neither=100)).recommendation
    assert chosen.variant_id == "original"
    assert chosen.next_lighter.endswith(
        "at 256 px JPEG its top-1 accuracy is 20 points lower (-22.5 to -17.5)."
    )


def test_few_photos_are_no_order():
    few = summary(photos(both=29)).recommendation
    assert few.sentence == "For these 29 photos: the original (4000 px JPEG) on 8 CPU (23 ms)."
    assert summary(photos(both=30)).recommendation.sentence.startswith("Serve the original")
    wide = replace(PLAN, margin_points=99.0)
    assert summary(photos(both=29), wide).recommendation.sentence.startswith(
        "For these 29 photos: 256 px JPEG"
    )
    assert summary(photos(both=30), wide).recommendation.sentence.startswith("Serve 256 px JPEG q85")
    any_answer = replace(PLAN, keep_top1=False)
    assert summary(photos(both=60), any_answer).recommendation.sentence.startswith("For these 60 photos: ")
    going_on = summary(photos(both=30), wide, state="running", count=90).recommendation.sentence
    assert going_on.startswith("So far: serve 256 px JPEG q85")


def test_the_margin_is_the_users():
    results = photos(both=700, lost=200, neither=100)
    assert summary(results, replace(PLAN, margin_points=30.0)).recommendation.variant_id == SMALL.id


@pytest.mark.parametrize("label", ["tabby", None])
def test_a_margin_of_0_leaves_the_original_itself(label):
    results = [replace(each, label=label and each.label) for each in photos(both=3000, lost=1)]
    made = summary(results, replace(PLAN, margin_points=0.0)).recommendation
    assert made.sentence.startswith("Serve the original")


def test_without_labels_agreement_decides():
    results = [replace(each, label=None) for each in photos(both=297, lost=3)]
    chosen = summary(results)
    assert chosen.photo_set.labelled == 0
    assert chosen.photo_set.margin_points == 5.0
    assert chosen.recommendation.variant_id == SMALL.id
    assert (
        "Same top answer as the original for 99.0 % (97.1 to 99.7) of 300 photos" in chosen.recommendation.why
    )


def test_unlabelled_photos_that_often_change_their_answer_keep_the_original():
    results = [replace(each, label=None) for each in photos(both=80, lost=20)]
    chosen = summary(results).recommendation
    assert chosen.variant_id == "original"
    assert chosen.next_lighter.endswith(
        "only shown to keep the original's answer for 71.1 % of photos, less than 95 %."
    )


@pytest.mark.parametrize("has_labels", [True, False])
def test_where_the_answer_may_change_nothing_is_said_to_be_within_a_margin(has_labels):
    results = photos(both=40, lost=60)
    if not has_labels:
        results = [replace(each, label=None) for each in results]
    report = summary(results, replace(PLAN, keep_top1=False))
    assert report.recommendation.variant_id == SMALL.id
    assert "40.0 %" in report.recommendation.why
    assert "margin" not in report.recommendation.why
    assert "none, the answer may change" in report_html(report_dict(report))


@pytest.mark.parametrize(
    ("low", "margin", "words"),
    [
        (0.9499, 5.0, "for 94.99 % of photos, less than 95 %"),
        (0.9949, 0.5, "for 99.49 % of photos, less than 99.5 %"),
        (0.711, 5.0, "for 71.1 % of photos, less than 95 %"),
    ],
)
def test_an_agreement_that_is_too_low_reads_as_less_than_what_is_asked_for(low, margin, words):
    goal = set_goals(replace(PLAN, margin_points=margin), has_labels=False)[-1]
    over = cell(summary(photos(both=90, lost=10))).over_photos
    small = measured(replace(over, agreement=replace(over.agreement, low=low)))
    assert not goal.is_met(small)
    assert goal.lack(small).endswith(words)
    assert goal.nobody([small]).endswith(f"{100 - margin:g} % of photos")


@pytest.mark.parametrize(
    ("low", "high", "margin", "words"),
    [
        (-1.004, 0.4, 1.0, "may lose up to 1.004 points (-1.0 to 0.4), above the margin of 1 point"),
        (-1.0, 0.4, 1.0, "may lose up to 1 point (-1.0 to 0.4), as much as the margin of 1 point"),
        (-2.3, 0.4, 2.25, "may lose up to 2.3 points (-2.3 to 0.4), above the margin of 2.25 points"),
        (-71.3, -37.3, 60.0, "may lose up to 71.3 points (-71.3 to -37.3), above the margin of 60 points"),
        (-71.3, -37.3, 1.0, "top-1 accuracy is 57.5 points lower (-71.3 to -37.3)"),
    ],
)
def test_a_loss_that_is_too_large_reads_as_more_than_the_margin(low, high, margin, words):
    goal = set_goals(replace(PLAN, margin_points=margin), has_labels=True)[-1]
    over = cell(summary(photos(both=90, lost=10))).over_photos
    mean = -57.5 if high < 0 else -0.2
    difference = replace(over.difference, low_points=low, high_points=high, points=mean)
    small = measured(replace(over, difference=difference))
    assert not goal.is_met(small)
    assert words in goal.lack(small)


def measured(over):
    report = summary(photos(both=90, lost=10))
    small = replace(cell(report), over_photos=over)
    return Candidate(SMALL, report.backends[0], small, small.p50_ms)


def test_limits_on_latency_and_size_hold_for_sets_too():
    results = photos(both=3000, neither=500)
    plan = replace(PLAN, max_size_bytes=SMALL.size_bytes - 1)
    assert summary(results, plan).recommendation.variant_id is None
    assert summary(results, replace(PLAN, max_p50_ms=5.0)).recommendation.variant_id is None


def test_before_the_original_was_answered_nothing_is_recommended():
    report = summary([result(0, small="tabby")], state="running", count=9)
    assert report.recommendation.variant_id is None


# Warnings


def test_a_clean_set_only_says_how_fine_it_can_see():
    report = summary(photos(both=900, lost=20, neither=62))
    assert codes(report) == ["W17"]
    assert "With 982 photos, differences in accuracy below about 1.3 points can't be detected" in warning(
        report, "W17"
    )


def test_unknown_and_unseen_labels_are_named():
    report = summary(
        [
            *photos(both=5),
            result(5, "n0144", original="dog", small="dog"),
            result(6, "lynx", original="dog", small="dog"),
        ]
    )
    assert "1 photo has a label that the model does not know (n0144)" in warning(report, "W15")
    assert warning(report, "W16") == (
        "1 label never appeared in a top 5: lynx. Does it match the model's class names? "
        "Until then 1 photo counts as wrong."
    )
    assert (report.photo_set.labelled, cell(report).over_photos.top1.total) == (6, 6)
    assert cell(report).over_photos.agreement.total == 7


def test_without_the_models_labels_every_label_counts_and_is_looked_for():
    report = summary(
        [*photos(both=5), result(5, "n0144", original="dog", small="dog")], vocabulary=Vocabulary()
    )
    assert "W15" not in codes(report)
    assert "n0144" in warning(report, "W16")
    assert cell(report).over_photos.top1.total == 6


def test_photos_that_were_skipped_are_named_up_to_five():
    broken = [refused(at, f"{at}.jpg", f"cat{at}.jpg ends early", None) for at in range(7)]
    report = summary([*photos(both=3), *broken])
    assert "7 photos could not be used. cat0.jpg ends early." in warning(report, "W14")
    assert warning(report, "W14").endswith("cat4.jpg ends early. And 2 more.")
    assert len(report.photo_set.skipped) == 7


GIVEN = GivenLabels("labels.csv", rows=300, unused=297, photos=3, unlabelled="cat/4.jpg")
ROWS = tuple(
    SkippedPhoto(f"{at}.jpg", "missing", f"{at}.jpg has a label, but there is no such photo.")
    for at in range(20)
)


def test_rows_of_a_csv_without_a_photo_are_counted_and_are_no_photos_that_could_not_be_used():
    full = replace(GIVEN, photos=30, unused=270, unlabelled=None)
    report = summary(photos(both=30), missing=ROWS, given_labels=full)
    jsonschema.validate(report_dict(report), SCHEMA)
    assert "W14" not in codes(report)
    told = warning(report, "W18")
    assert told == (
        "labels.csv lists 270 files that are not in the set: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 265 more."
    )
    assert next(each.level for each in report.warnings if each.code == "W18") == "note"


def test_a_row_that_names_several_photos_is_said_with_its_reason():
    odd = SkippedPhoto("a.jpg", "missing", "a.jpg has a label, but it could be any of 2 photos.")
    report = summary(
        photos(both=30), missing=(*ROWS[:1], odd), given_labels=replace(GIVEN, photos=30, unused=2)
    )
    assert "2 rows of labels.csv label no photo." in warning(report, "W18")
    assert "it could be any of 2 photos." in warning(report, "W18")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GIVEN, "27 of 30 photos have no label in labels.csv, and accuracy covers the others only."),
        (
            replace(GIVEN, photos=0),
            "No photo has a label: labels.csv names 300 files, and none of them is in",
        ),
        (replace(GIVEN, photos=29), "1 of 30 photos has no label in labels.csv"),
        (replace(GIVEN, unused=0), "The first photo without a label is cat/4.jpg."),
    ],
)
def test_labels_that_do_not_meet_the_photos_are_a_warning(given, words):
    report = summary(photos(both=30), missing=ROWS, given_labels=given)
    assert words in warning(report, "W18")
    assert next(each.level for each in report.warnings if each.code == "W18") == "warning"


def test_labels_that_meet_all_photos_are_no_warning():
    given = GivenLabels("labels.csv", rows=30, unused=0, photos=30, unlabelled=None)
    assert "W18" not in codes(summary(photos(both=30), given_labels=given))


def test_an_original_that_was_encoded_again_does_not_make_the_set_heavier_than_itself():
    """Files of 1, 2 and 3 MB; the first was sent as a PNG of 9 MB, so what was sent has a median of 3 MB."""
    sent = [replace(original(), size_bytes=size_bytes) for size_bytes in (9_000_000, 2_000_000, 3_000_000)]
    sent[0] = replace(sent[0], format="png", encoder="Pillow 13.0.0 png", encode_ms=2.8)
    results = [
        replace(each, size_bytes=(at + 1) * 1_000_000, variants=(sent[at], *each.variants[1:]))
        for at, each in enumerate(photos(both=3))
    ]
    exported = report_dict(summary(results))
    first = exported["variants"][0]
    assert (first["percent_of_original"], first["size_bytes"]) == (100.0, 3_000_000)
    assert (first["encoder"], first["format"], first["encode_ms"]) == (sent[1].encoder, "jpeg", None)


def test_a_share_of_the_original_is_of_the_photos_that_have_that_size():
    """One photo of 100 KB, two of 1 MB; only those have the size, and a tenth of the bytes there."""
    large = [replace(each, size_bytes=10 * SMALL.size_bytes) for each in photos(both=2)]
    small = [replace(result(at, original="tabby"), size_bytes=100) for at in (2, 3, 4)]
    exported = report_dict(summary([*small, *large]))
    share = next(each for each in exported["variants"] if each["id"] == SMALL.id)
    assert share["percent_of_original"] == 10.0


def test_sizes_above_some_photos_are_said_to_stand_for_others():
    small_photo = replace(result(0, original="tabby"), skipped_sizes_px=(256,))
    report = summary([small_photo, *photos(both=3)])
    assert "Sizes above a photo's own were skipped, of 4 photos: 256 px for 1." in warning(report, "W6")
    assert report.skipped_sizes_px == ()
    assert summary([small_photo]).skipped_sizes_px == (256,)


def test_an_early_end_says_that_what_there_is_is_a_fair_sample():
    report = summary(photos(both=3), state="cancelled", count=100)
    assert "Stopped after 3 of 100 photos. They came in random order" in warning(report, "W12")
    assert report.requests_planned == 200


def test_latencies_of_several_workers_are_a_warning_and_the_report_says_who_measured():
    together = [
        replace(each, worker=Worker("ray", 8, f"node-{index % 3}", 100 + index))
        for index, each in enumerate(photos(both=9))
    ]
    report = summary(together)
    assert {key: report.environment[key] for key in ("engine", "workers", "worker_hosts")} == {
        "engine": "ray",
        "workers": 8,
        "worker_hosts": ["node-0", "node-1", "node-2"],
    }
    assert "measured while up to 8 workers asked the same backends at once (ray)" in warning(report, "W19")
    jsonschema.validate(report_dict(report), SCHEMA)


def test_a_run_that_went_on_with_more_workers_says_for_how_many_photos():
    alone, together = photos(both=9)[:3], photos(both=9)[3:]
    several = [replace(each, worker=Worker("local", 2, "laptop", 7)) for each in together]
    assert "The latencies of 6 of 9 photos were measured while up to 2 workers" in warning(
        summary([*alone, *several]), "W19"
    )


def test_one_worker_is_not_several():
    report = summary([replace(each, worker=Worker("local", 1, "laptop", 7)) for each in photos(both=9)])
    assert "W19" not in codes(report)
    assert report.environment["workers"] == 1


def test_photos_that_other_work_delayed_are_kept_apart_and_a_quiet_repeat_saves_one():
    def with_late(each, *late_ms):
        taken = [
            replace(measurement, attempt=attempt, latency_ms=20.0 + late, late_ms=late)
            for measurement in each.measurements
            for attempt, late in enumerate(late_ms)
        ]
        return replace(each, measurements=tuple(taken))

    late = {0: (15.0, 15.0), 1: (15.0, 0.0)}  # of the first photo nothing was quiet
    made = summary(with_late(each, *late.get(each.index, (0.0, 0.0))) for each in photos(both=12))
    seen = cell(made)
    assert (seen.count, seen.disturbed_samples_ms) == (11, (35.0,))
    assert set(seen.samples_ms) == {20.0}
    assert seen.over_photos.agreement.total == 12  # answers do not depend on the time
    told = [each for each in made.warnings if each.code == "W4"]
    assert [each.level for each in told] == ["note"]
    jsonschema.validate(report_dict(made), closed(SCHEMA))


def test_a_few_failures_make_a_cell_noisy_and_many_make_it_invalid():
    def verdict(failures, asked):
        counts = Failures()
        for each in failed(failures):
            counts.add(each)
        counts.asked = asked
        return judge_over_photos(backend(), Samples((20.0,) * 50), counts, Conditions("done"))

    assert verdict(0, 1000)[0] == "VALID"
    assert verdict(3, 1000) == (
        "NOISY",
        ("3 of 1,000 requests failed: 8 CPU did not answer within 10 s.",),
    )
    assert verdict(30, 1000)[0] == "INVALID"


def test_a_plan_with_a_margin_is_part_of_the_report():
    exported = report_dict(summary(photos(both=3), Plan(margin_points=2.5)))
    assert (exported["plan"]["margin_points"], exported["photo_set"]["margin_points"]) == (2.5, 2.5)


def test_the_html_report_of_a_set_tells_of_photos_shares_and_how_it_was_measured():
    listed = refused(0, "a<b.jpg", "It ends early.", None)
    page = report_html(report_dict(summary([*photos(both=80, gained=2, lost=5, neither=13), listed])))
    assert "100 measured of 101 listed" in page
    assert "82.0 (73.3 to 88.3)" in page
    assert "skipped a&lt;b.jpg" in page
    assert "Newcombe&#39;s paired 95 % interval" in page


def test_the_html_report_of_a_set_that_went_wrong_stays_short():
    lost = [refused(at, f"{at}.jpg", "Cut.", None) for at in range(2000)]
    report = report_dict(summary([*photos(both=3), *lost]))
    page = report_html(report)
    assert page.count("skipped") < 70
    assert "1,950 more, which the JSON names" in page
    assert len(report["photo_set"]["skipped"]) == 2000
