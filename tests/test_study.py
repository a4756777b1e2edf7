"""The study's sums and verdicts, on reports so small that they can be checked by head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.study.cells import Found, one_over_other, png_over_jpeg, size_over_smallest
from bench.study.claims import LOST, OPEN, SURVIVES, claims, judged, keeps
from bench.study.elsewhere import elsewhere
from bench.study.models import Missing
from bench.study.pairs import Ratio, accuracy_difference, corrected, right_by_variant, time_ratio
from bench.study.runs import LABELLED, MADE, QUESTIONS, SMALL, TIME, Run, runs
from bench.study.tables import put_into, tables
from experiment.export import report_dict
from experiment.figures.view import view_of
from experiment.records import Plan
from tests.records import answered, backend, original, report, variant

VARIANTS = (original(), variant(512, "png"), variant(512), variant(128, "png"), variant(128))
PLAN = Plan(sizes_px=(512, 128), seed=7, repeats=8, warmups=0)
# PNG of 512 px takes 4.5 times as long as JPEG, of 128 px as long; 1 CPU twice as long as 8 CPU.
TIMES_MS = {"original": 40.0, "512-png": 45.0, "512-jpeg-85": 10.0, "128-png": 10.0, "128-jpeg-85": 10.0}


TWO_CORES = {"8 CPU": (0, 1), "1 CPU": (1,)}
WITH_GPU = {"GPU": (8, 9), "8 CPU": tuple(range(8)), "1 CPU": (10,)}


def measured(cores: Mapping[str, tuple[int, ...]] = TWO_CORES, **slower: float) -> dict[str, Any]:
    """The report of 8 blocks, each 1 % slower than the one before."""
    measurements = [
        each
        for name, factor in (("GPU", 0.5), ("8 CPU", 1.0), ("1 CPU", 2.0))
        if name in cores
        for variant_id, time_ms in (TIMES_MS | slower).items()
        for each in answered([time_ms * factor * 1.01**block for block in range(8)], variant_id, name)
    ]
    made = report(
        plan=PLAN,
        backends=tuple(
            backend(
                name, cores=own, runtime="PyTorch 2.11.0", device_name="NVIDIA X1" if name == "GPU" else None
            )
            for name, own in cores.items()
        ),
        variants=VARIANTS,
        measurements=measurements,
    )
    return report_dict(made)


def found(question: str = TIME, photos: str = MADE, **slower: float) -> Found:
    """A run on 8 CPU and 1 CPU of a machine with two cores."""
    return Found(Run("m", question, photos, ()), "a model", view_of(measured(**slower)))


def from_elsewhere(folder: Path) -> Found:
    """A run on a GPU, 8 CPU and 1 CPU of another machine."""
    (folder / "demo-time-made.json").write_text(json.dumps(measured(WITH_GPU)), "utf-8")
    (one,) = elsewhere(folder)
    return one


def cells(one: Found) -> dict[tuple[str, str], object]:
    return {each.key: each.cell for each in one.view.points}


def test_times_are_compared_block_by_block():
    by_key = cells(found())
    ratio = time_ratio(by_key["512-png", "8 CPU"], by_key["512-jpeg-85", "8 CPU"])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx(
        (4.5, 4.5, 4.5), rel=1e-3
    )  # the drift is in both
    assert ratio.blocks == 8


def test_cells_with_another_number_of_samples_are_not_compared():
    one = found()
    cell = cells(one)["512-png", "8 CPU"]
    short = report(measurements=answered([1.0] * 7))
    assert time_ratio(cell, short.cells[0]) is None


def test_png_is_set_against_jpeg_of_the_same_size_and_backend():
    compared = list(png_over_jpeg(found()))
    shown = {(each.point.backend.name, each.point.variant.size_px): each.ratio.value for each in compared}
    assert shown == pytest.approx(
        {("8 CPU", 512): 4.5, ("8 CPU", 128): 1, ("1 CPU", 512): 4.5, ("1 CPU", 128): 1}, rel=1e-3
    )


def test_sizes_are_set_against_the_smallest_and_the_original_is_among_them():
    compared = [each for each in size_over_smallest(found()) if each.point.backend.name == "8 CPU"]
    assert [(each.point.variant.id, round(each.ratio.value, 2)) for each in compared] == [
        ("original", 4.0),
        ("512-jpeg-85", 1.0),
    ]


def test_backends_are_set_against_each_other_by_variant():
    compared = list(one_over_other(found(), "1 CPU", "8 CPU"))
    assert [each.ratio.value for each in compared] == pytest.approx([2.0] * 5, rel=1e-3)


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(4.1, 4.4), (4.0, 5.0)], SURVIVES),
        ([(4.1, 4.4), (1.0, 1.2)], LOST),
        ([(4.1, 4.4), (3.9, 4.2)], OPEN),
        ([], OPEN),
    ],
)
def test_one_interval_outside_loses_a_claim_and_all_inside_keep_it(intervals, verdict):
    one = next(png_over_jpeg(found()))
    compared = [replace(one, ratio=Ratio((low + high) / 2, low, high, 20)) for low, high in intervals]
    assert judged(compared, lambda times: times >= 4) == verdict


def test_a_time_that_is_marked_noisy_settles_nothing():
    one = next(png_over_jpeg(found()))
    noisy = replace(one.base, cell=replace(one.base.cell, validity="NOISY"))
    assert judged([one], lambda times: times >= 100) == LOST
    assert judged([replace(one, base=noisy)], lambda times: times >= 100) == OPEN


def test_the_verdicts_follow_the_measurements():
    verdicts = {each.key: each for each in claims([found()])}
    assert verdicts["a"].verdict == OPEN  # no photos
    assert verdicts["b"].verdict == LOST  # not at 128 px
    assert verdicts["c"].verdict == SURVIVES
    assert verdicts["d"].verdict == OPEN and "No GPU" in verdicts["d"].why and "2 cores" in verdicts["d"].why
    slow = claims([found(**{"512-jpeg-85": 12.0})])
    assert slow[2].verdict == LOST


def test_times_of_another_machine_count_and_say_where_they_were_taken(tmp_path):
    one = from_elsewhere(tmp_path)
    assert one.place == "default model on PyTorch, NVIDIA X1, made photo"
    gpu = claims([found(), one])[3]
    assert gpu.verdict == LOST  # 8 CPU takes twice as long
    assert "2.00 (2.00 to 2.00) [default model on PyTorch, NVIDIA X1, 8 CPU, 512 px]" in gpu.figure
    assert "Of 4 comparisons it is so in 0, is not in 4" in gpu.why  # without the original
    table = tables([found(), one])["gpu"]
    assert table.count("| 8 | 2.00 (2.00 to 2.00) | 4.00 (4.00 to 4.00) |") == 5


def test_a_report_from_elsewhere_that_is_named_otherwise_is_refused(tmp_path):
    with pytest.raises(Missing, match="There is no MODEL-time-PHOTO"):
        elsewhere(tmp_path)
    (tmp_path / "run.json").write_text("{}", "utf-8")
    with pytest.raises(Missing, match="is not named MODEL-time-PHOTO"):
        elsewhere(tmp_path)


def test_the_original_does_not_decide_about_resized_photos():
    assert claims([found(original=400.0)])[2].verdict == SURVIVES


ROWS = [
    {"variant_id": variant_id, "photo": photo, "correct_top1": right}
    for variant_id, answers in {
        "a": ("true", "true", "true", ""),
        "b": ("true", "false", "false", ""),
    }.items()
    for photo, right in zip("wxyz", answers, strict=True)
]


def test_accuracies_are_compared_photo_by_photo_and_unknown_labels_left_out():
    right = right_by_variant(ROWS)
    gap = accuracy_difference(right["b"], right["a"])
    assert (gap.photos, gap.gained, gap.lost) == (3, 0, 2)
    assert gap.points == pytest.approx(-200 / 3)
    assert gap.low_points < gap.points < gap.high_points
    assert gap.mcnemar_p == 0.5  # two of two one way: 2 / 2^2
    assert keeps(gap) == OPEN


def test_p_values_of_a_table_are_corrected_together():
    right = right_by_variant(ROWS)
    gap = accuracy_difference(right["b"], right["a"])
    assert [each and each.mcnemar_p_holm for each in corrected([gap, None, gap])] == [1.0, None, 1.0]


def test_a_model_with_random_weights_is_only_timed():
    asked = list(runs("m", (LABELLED, MADE), answers=False, quick=False))
    assert [each.question for each in asked] == [TIME]


def test_only_photos_that_are_there_are_asked_about():
    asked = {(each.question, each.photos) for each in runs("m", (LABELLED, MADE), answers=True, quick=False)}
    assert asked == {(question, LABELLED) for question in QUESTIONS if question != TIME} | {(TIME, MADE)}
    assert SMALL not in {photos for _, photos in asked}


def test_a_pages_tables_are_renewed_and_its_words_stay(tmp_path):
    page = tmp_path / "findings.md"
    page.write_text("Words.\n<!-- study: cpus -->\nold\n<!-- end -->\nMore words.\n", "utf-8")
    named = tables([found()])
    put_into(page, named)
    text = page.read_text("utf-8")
    assert text.startswith("Words.\n") and text.endswith("<!-- end -->\nMore words.\n")
    assert "old" not in text and named["cpus"] in text
    assert "2.00 (2.00 to 2.00)" in named["cpus"]
