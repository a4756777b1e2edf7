"""The study's sums and verdicts, on reports and photos so small that they can be checked by head."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy.stats import mannwhitneyu

from bench.study import page, ranks
from bench.study.cells import Found, one_over_other, png_over_jpeg, size_over_smallest
from bench.study.changes import ALL, Change, Columns, areas_of, bands_of, changes
from bench.study.claims import LOST, OPEN, SURVIVES, claims, judged, keeps
from bench.study.distances import AS_SOURCE, Distance, distance, distances
from bench.study.gathered import gathered
from bench.study.models import LITE0, MOBILENET, RANDOM, TITLES, Missing, Model, prepare
from bench.study.pairs import (
    Ratio,
    accuracy_difference,
    calibration_error,
    confidences,
    corrected,
    right_by_variant,
    time_ratio,
)
from bench.study.plots import plots
from bench.study.reports import Photos, elsewhere, environ_of, report_of, run_once
from bench.study.runs import LABELLED, MADE, QUESTIONS, TIME, Run, runs
from bench.study.tables import read, tables, write
from experiment.errors import PixelcostError
from experiment.export.report_json import report_dict
from experiment.measure.environment import environment
from experiment.photo_sets.journal import Journal, header_of
from experiment.photo_sets.listing import open_photo_set
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import Label, Measurement, Plan
from tests.support.records import answer, answered, backend, original, report, variant

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ROOT / "docs" / "findings.md"

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
    return Found(Run("m", question, photos, ()), "a model", measured(**slower))


def from_elsewhere(folder: Path) -> Found:
    """A run on a GPU, 8 CPU and 1 CPU of another machine."""
    (folder / f"{RANDOM}-time-made.json").write_text(json.dumps(measured(WITH_GPU)), "utf-8")
    (one,) = elsewhere(folder)
    return one


def cells(one: Found) -> dict[tuple[str, str], Any]:
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
    assert one.title == "Inception v3, random weights on PyTorch, NVIDIA X1"
    gpu = claims([found(), one])[3]
    assert gpu.verdict == LOST  # 8 CPU takes twice as long
    assert f"2.00 (2.00 to 2.00) [{one.title}, 8 CPU, 512 px]" in gpu.figure
    assert "Of 4 comparisons it is so in 0, is not in 4" in gpu.why  # without the original
    rows = [row for row in tables([found(), one])["ratios"] if row["what"] == "8 CPU / GPU"]
    assert [row["ratio"] for row in rows] == pytest.approx([2.0] * 5, rel=1e-3)
    assert {row["machine"] for row in rows} == {"PyTorch, NVIDIA X1"}


def test_a_report_from_elsewhere_that_is_named_otherwise_is_refused(tmp_path):
    with pytest.raises(Missing, match="It holds no MODEL-time-PHOTO"):
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
    chosen = list(runs("m", (LABELLED, MADE), answers=False, quick=False))
    assert [run.question for run in chosen] == [TIME]


def test_only_photos_that_are_there_are_asked_about():
    chosen = {(run.question, run.photos) for run in runs("m", (LABELLED, MADE), answers=True, quick=False)}
    assert chosen == {(question, LABELLED) for question in QUESTIONS if question != TIME} | {(TIME, MADE)}


def test_confidence_and_accuracy_are_set_against_each_other():
    rows = [
        {"variant_id": "original", "top_score": "0.9", "correct_top1": "true"},
        {"variant_id": "original", "top_score": "0.9", "correct_top1": "false"},
        {"variant_id": "original", "top_score": "0.2", "correct_top1": "false"},
        {"variant_id": "original", "top_score": "0.2", "correct_top1": ""},
        {"variant_id": "96-png", "top_score": "0.2", "correct_top1": "false"},
    ]
    known = confidences(rows, "original")
    assert known == [(0.9, True), (0.9, False), (0.2, False)]
    assert calibration_error(known) == pytest.approx((0.8 + 0.2) / 3)  # 2 x |0.5 - 0.9| and |0 - 0.2|
    assert calibration_error([(1.0, True)]) == 0


def test_two_studies_at_once_do_not_ask_each_others_servers(tmp_path, monkeypatch):
    """Whoever shares a data folder with an app that runs asks that app's servers."""
    monkeypatch.setenv("TF_SERVERS", "GPU:elsewhere:8500")
    environs = []
    for name in (LITE0, MOBILENET):
        run = Run(name, "size", LABELLED, ())
        environs.append(environ_of(run, Model(name, tmp_path / name), tmp_path))
    assert len({environ["PIXELCOST_DATA_DIR"] for environ in environs}) == 2
    assert [environ["MODEL_BASE_PATH"] for environ in environs] == [
        str(tmp_path / LITE0),
        str(tmp_path / MOBILENET),
    ]
    assert not any("TF_SERVERS" in environ for environ in environs)
    timed = environ_of(Run(LITE0, TIME, MADE, ()), Model(LITE0, tmp_path / LITE0), tmp_path)
    assert "PIXELCOST_EMBEDDED" not in timed  # the backends that start by themselves


def test_a_model_that_cannot_be_had_says_why(tmp_path):
    with pytest.raises(Missing, match="name it with --mobilenet"):
        prepare(MOBILENET, tmp_path, None, None)
    with pytest.raises(Missing, match="convert"):
        prepare(MOBILENET, tmp_path, tmp_path / "nothing.tflite", None)


# Photos from several places


def jpeg(colour: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """A photo with edges, not alike for two colours."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for left in range(0, size[0], 8):
        draw.ellipse((left, left // 2, left + 12, left // 2 + 12), fill=colour, outline="black")
    return encoded(image, "JPEG", quality=95)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def packed(path: Path, **photos: tuple[bytes, str]) -> Path:
    """A ZIP of photos with its labels.csv."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, _) in photos.items():
            archive.writestr(f"{name}.jpg", data)
        rows = "".join(f"{name}.jpg,{label}\n" for name, (_, label) in photos.items())
        archive.writestr("labels.csv", f"file,label\n{rows}")
    return path


def test_photos_of_several_places_keep_their_labels_though_their_names_clash(tmp_path):
    one = packed(tmp_path / "one.zip", a=(jpeg("red"), "fox"), b=(jpeg("blue"), "lynx"))
    by_folder = tmp_path / "other" / "tabby"
    by_folder.mkdir(parents=True)
    (by_folder / "a.jpg").write_bytes(jpeg("green"))
    alone = tmp_path / "alone.jpg"
    alone.write_bytes(jpeg("yellow"))
    folder = gathered([one, by_folder.parent, alone], tmp_path / "all")
    photos = open_photo_set(folder)
    assert photos.labels == {
        "alone/alone.jpg": None,
        "one/a.jpg": "fox",
        "one/b.jpg": "lynx",
        "other/tabby/a.jpg": "tabby",
    }
    assert (folder / "one" / "a.jpg").read_bytes() == jpeg("red")
    assert (folder / "other" / "tabby" / "a.jpg").read_bytes() == jpeg("green")


def test_one_place_is_taken_as_it_is(tmp_path):
    one = packed(tmp_path / "one.zip", a=(jpeg("red"), "fox"))
    assert gathered([one], tmp_path / "all") == one
    assert not (tmp_path / "all").exists()


def test_two_places_of_one_name_are_refused_and_nothing_is_copied(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        packed(tmp_path / name / "same.zip", a=(jpeg("red"), "fox"))
    with pytest.raises(PixelcostError, match="Two of the places are named same"):
        gathered([tmp_path / "x" / "same.zip", tmp_path / "y" / "same.zip"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_set_that_was_gathered_from_other_places_is_not_taken_for_these(tmp_path):
    one = packed(tmp_path / "one.zip", a=(jpeg("red"), "fox"))
    two = packed(tmp_path / "two.zip", a=(jpeg("blue"), "lynx"))
    three = packed(tmp_path / "three.zip", a=(jpeg("green"), "tabby"))
    folder = gathered([one, two], tmp_path / "all")
    assert gathered([one, two], tmp_path / "all") == folder
    with pytest.raises(PixelcostError, match="holds other photos"):
        gathered([one, three], tmp_path / "all")


# How far pixels are apart

CROPPING = {
    "pixels": {
        "input": "pixels",
        "output": "probabilities",
        "side_px": [32, 32],
        "fit": "central_crop",
        "crop_fraction": 0.5,
        "scale": 0.0078,
        "mean": 1,
        "layout": "NCHW",
        "channels": "BGR",
    }
}
WHOLE = {"pixels": CROPPING["pixels"] | {"fit": "squash"}}
TWO_SIZES = Plan(sizes_px=(64, 32), formats=("png", "jpeg"), seed=0, jpeg_qualities=(50,))


def test_psnr_is_that_of_the_levels_and_the_same_pixels_have_none():
    grey = np.full((20, 30, 3), 100, np.float32)
    assert distance(grey, grey) == Distance(None, 1.0)
    assert distance(grey, grey + 10).psnr_db == pytest.approx(28.1308, abs=1e-4)  # 20 log10(255 / 10)
    assert distance(grey[:10], grey[:10] + 10).ssim is None  # smaller than the window


def test_ssim_falls_with_blur_but_hardly_with_brightness():
    photo = Image.open(io.BytesIO(jpeg("red", (200, 150))))
    sharp = np.asarray(photo, np.float32)
    blurred = np.asarray(photo.filter(ImageFilter.GaussianBlur(3)), np.float32)
    assert distance(sharp, blurred).ssim < 0.9
    assert distance(sharp, np.clip(sharp - 8, 0, 255)).ssim > 0.97


def set_of(folder: Path, **photos: bytes) -> Path:
    folder.mkdir()
    for name, data in photos.items():
        (folder / f"{name}.jpg").write_bytes(data)
    return folder


def test_variants_are_compared_at_the_photos_size_and_as_a_network_sees_them(tmp_path):
    place = set_of(tmp_path / "photos", a=jpeg("red"), b=jpeg("blue", (40, 60)))
    found = dict(distances(place, TWO_SIZES, {"cropping": CROPPING, "whole": WHOLE}, tmp_path))
    assert {name: len(by_variant) for name, by_variant in found.items()} == {"a.jpg": 4, "b.jpg": 2}
    for by_variant in found.values():
        assert all(set(by_view) == {AS_SOURCE, "cropping", "whole"} for by_view in by_variant.values())
    png, *lossy = found["a.jpg"].values()  # 64 px PNG: the photo's own pixels
    assert png[AS_SOURCE] == Distance(None, 1.0)
    for by_view in lossy:
        assert len({each.psnr_db for each in by_view.values()}) == 3
        assert all(10 < each.psnr_db < 60 for each in by_view.values())


def test_what_a_network_does_not_see_does_not_count(tmp_path):
    """Two halves: JPEG at quality 1 spoils the edges outside of the middle only."""
    image = Image.new("RGB", (64, 64), "grey")
    ImageDraw.Draw(image).rectangle((0, 0, 7, 63), fill="red")
    place = set_of(tmp_path / "photos", a=encoded(image, "PNG"))
    (place / "a.jpg").rename(place / "a.png")
    plan = replace(TWO_SIZES, sizes_px=(64,), formats=("jpeg",), jpeg_qualities=(10,))
    ((_, by_variant),) = distances(place, plan, {"cropping": CROPPING, "whole": WHOLE}, tmp_path)
    (by_view,) = by_variant.values()
    assert by_view["cropping"].psnr_db is None or by_view["cropping"].psnr_db > 45
    assert by_view["whole"].psnr_db < 40


def test_distances_go_on_where_a_killed_process_left_half_a_line(tmp_path):
    place = set_of(tmp_path / "photos", a=jpeg("red"), b=jpeg("blue"), c=jpeg("green"))
    whole = dict(distances(place, TWO_SIZES, {"whole": WHOLE}, tmp_path))
    (kept,) = tmp_path.glob("distances-*.jsonl")
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(lines[0] + lines[1][:50])
    before = kept.stat().st_ino
    assert dict(distances(place, TWO_SIZES, {"whole": WHOLE}, tmp_path)) == whole
    assert kept.read_bytes().startswith(lines[0])
    assert len(kept.read_bytes().splitlines()) == 3 and kept.stat().st_ino == before
    other = replace(TWO_SIZES, sizes_px=(32,))
    assert len(dict(distances(place, other, {"whole": WHOLE}, tmp_path))["a.jpg"]) == 2
    assert len(list(tmp_path.glob("distances-*.jsonl"))) == 2


# Which number tells a change


def test_the_area_is_that_of_mann_and_whitney_with_ties():
    random = np.random.default_rng(1)
    values = random.integers(0, 12, 300).astype(float)
    is_event = random.random(300) < 0.5 - values / 40
    photo = random.integers(0, 60, 300)
    found = ranks.areas(values, is_event, photo, ranks.drawn(60, resamples=1))
    u = mannwhitneyu(values[~is_event], values[is_event]).statistic
    assert found[0] == pytest.approx(u / (is_event.sum() * (~is_event).sum()))
    assert ranks.areas(values, values < 6, photo, ranks.drawn(60, resamples=0))[0] == 1
    assert np.isnan(ranks.areas(values, values < 99, photo, ranks.drawn(60, resamples=0))[0])


def test_many_answers_to_one_photo_do_not_make_the_interval_narrower():
    random = np.random.default_rng(2)
    values, photo = random.normal(size=80), np.arange(80)
    is_event = values + random.normal(size=80) < 0
    weights = ranks.drawn(80)

    def width(times: int) -> float:
        repeated = (np.repeat(each, times) for each in (values, is_event, photo))
        found = ranks.estimate(ranks.areas(*repeated, weights))
        return found.high - found.low

    assert 0.1 < width(1) == pytest.approx(width(9))


def test_an_interval_holds_the_true_area_in_about_95_of_100_samples():
    """Normal values, one deviation apart: the area is 0.760."""
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        is_event = np.repeat([True, False], 40)
        values = random.normal(size=80) - is_event
        weights = ranks.drawn(80, seed, 300)
        found = ranks.estimate(ranks.areas(values, is_event, np.arange(80), weights))
        held += found.low <= 0.760 <= found.high
    assert 88 <= held <= 100


def change(photo: int, has_changed: bool, size_px: int = 96, **told: float) -> Change:
    values = dict.fromkeys(Change._fields[4:], 0.5)
    return Change(f"{photo}.jpg", LITE0, size_px, has_changed, **values | told)


def test_a_predictor_that_is_lower_where_answers_change_is_told_from_one_that_is_not():
    sample = [
        change(photo, has_changed, ssim_seen=0.6 if has_changed else 0.96, size_bytes=photo)
        for photo in range(20)
        for has_changed in (True, False)
    ]
    columns = Columns(sample)
    found = {(each.network, each.size_px, each.predictor): each for each in areas_of(columns, [96, 64])}
    assert found[ALL, ALL, "ssim_seen"].auc.value == 1
    assert found[LITE0, "96", "size_bytes"].auc.value == 0.5
    assert found[ALL, ALL, "ssim_seen"].less_margin.low == 0.5  # always that much above the margin's 0.5
    assert (ALL, "64", "ssim_seen") not in found
    assert {each.answers for each in found.values()} == {40}
    bands = {(each.ssim_seen, each.margin): each for each in bands_of(columns) if each.network == ALL}
    assert bands[(0.0, 0.7), (0.0, 1.0)].share.value == 1
    assert bands[(0.95, 0.98), (0.3, 0.6)].share.value == 0
    assert ((0.7, 0.8), (0.0, 1.0)) not in bands


def test_every_answer_counts_once_however_many_questions_asked_for_it(tmp_path):
    labels = (Label("tabby", 0.7), Label("lynx", 0.2))
    other = (Label("lynx", 0.5), Label("tabby", 0.4))
    variants = (original(), variant(512), variant(128), variant(128, "webp-lossless"))
    taken = [
        Measurement(each.id, "2 CPU", 0, False, 0.0, 5.0, answer(other if each.size_px == 128 else labels))
        for each in variants
    ]
    warm_up = Measurement("original", "2 CPU", 0, True, 0.0, 5.0, answer(other))
    result = PhotoResult(
        0, "a.jpg", "tabby", "0" * 64, "image/jpeg", 3_000_000, 4000, 3000, 40.0,
        variants=variants, measurements=(warm_up, *taken),
    )  # fmt: skip
    journals = [tmp_path / "size.jsonl", tmp_path / "format.jsonl"]
    for path in journals:
        photos = open_photo_set(set_of(tmp_path / path.stem, a=jpeg("red")))
        header = header_of("id", 0.0, photos, TWO_SIZES, [backend("2 CPU")], environment(), {})
        journal = Journal(path, header)
        journal.append(result)
        journal.close()
    apart = {AS_SOURCE: Distance(30.0, 0.9), LITE0: Distance(None, 0.95)}
    found = list(changes(LITE0, journals, {"a.jpg": {each.sha256: apart for each in variants}}))
    assert [(each.size_px, each.has_changed) for each in found] == [(512, False), (128, True)]
    assert found[0].psnr_seen_db == float("inf") and found[0].psnr_source_db == 30
    assert found[0].reference_score == 0.7 and found[0].reference_margin == pytest.approx(0.5)
    assert found[0].side_ratio == 512 / 4000
    assert not list(changes(LITE0, journals, {}))  # a photo that could not be read has no distances


# Tables and page


def test_tables_are_kept_as_csv_and_an_unasked_question_leaves_its_file(tmp_path):
    written = list(write(tables([found()]), tmp_path))
    assert {path.stem for path in written} == {"runs", "verdicts", "times", "ratios"}
    before = (tmp_path / "ratios.csv").read_bytes()
    list(write({"ratios": []}, tmp_path))
    assert (tmp_path / "ratios.csv").read_bytes() == before
    kept = read(tmp_path)
    assert {row["what"] for row in kept["ratios"]} == {"PNG / JPEG", "size / smallest", "1 CPU / 8 CPU"}
    twice = [row for row in kept["ratios"] if row["what"] == "1 CPU / 8 CPU"]
    assert {row["ratio"] for row in twice} == {"2"}
    assert {row["machine"] for row in kept["times"]} == {"here"}


def test_a_network_whose_photos_themselves_got_no_answer_has_no_row_and_stops_nothing():
    made = report(
        backends=(backend(),), variants=VARIANTS, measurements=answered([10.0], "512-jpeg-85"), plan=PLAN
    )
    rows = tables([Found(Run("m", "size", LABELLED, ()), "a model", report_dict(made))])
    assert rows["networks"] == []
    assert [row["variant"] for row in rows["answers"]] == ["512-jpeg-85"]


def test_a_variant_is_not_compared_with_itself_and_does_not_count_for_holm():
    """Five photos; JPEG loses all of them, so p is 2 / 2^5, and there is one comparison."""
    right = {
        "384-png": dict.fromkeys("vwxyz", True),
        "384-jpeg-75": dict.fromkeys("vwxyz", False),
    }
    variants = (original(), variant(384, "png"), variant(384, id="384-jpeg-75", quality=75))
    made = report(
        backends=(backend(),),
        variants=variants,
        measurements=[each for made in variants for each in answered([10.0], made.id)],
    )
    one = Found(Run("m", "format", LABELLED, ()), "a model", report_dict(made), right)
    png, jpeg_75 = tables([one])["answers"]
    assert (png["against"], png["points"], png["p_holm"]) == ("384-png", None, None)
    assert (jpeg_75["against"], jpeg_75["points"], jpeg_75["lost"]) == ("384-png", -100, 5)
    assert jpeg_75["p_holm"] == 0.0625 and jpeg_75["top1_percent"] == 0


def test_a_pages_figures_are_renewed_and_its_words_stay(tmp_path):
    list(write(tables([found()]), tmp_path))
    path = tmp_path / "findings.md"
    path.write_text(
        "PNG takes <!-- study: ratio PNG/JPEG 512 -->old<!-- end --> times as long,\n"
        "claim <!-- study: verdict b -->old<!-- end -->, <!-- study: area ssim_seen -->old<!-- end -->.\n",
        "utf-8",
    )
    assert page.put_into(path, read(tmp_path)) == ["area ssim_seen"]
    assert path.read_text("utf-8") == (
        "PNG takes <!-- study: ratio PNG/JPEG 512 -->4.5<!-- end --> times as long,\n"
        "claim <!-- study: verdict b -->**does not survive**<!-- end -->, "
        "<!-- study: area ssim_seen -->(not measured)<!-- end -->.\n"
    )


def test_every_figure_of_the_findings_is_that_of_the_csv_files_beside_it():
    text = FINDINGS.read_text("utf-8")
    renewed, _ = page.renewed(text, read(FINDINGS.with_suffix("")))
    assert renewed == text


def test_no_line_of_a_paragraph_of_the_findings_begins_with_a_mark():
    """Markdown would end the paragraph there."""
    lines = FINDINGS.read_text("utf-8").splitlines()
    pairs = zip(["", *lines], lines, strict=False)
    assert not [line for before, line in pairs if before.strip() and line.strip().startswith("<!-- study")]


def test_the_findings_show_every_plot_and_every_plot_is_shown():
    text = FINDINGS.read_text("utf-8")
    drawn = plots(read(FINDINGS.with_suffix("")))
    files = {path.stem for path in FINDINGS.with_suffix("").glob("*.svg")}
    assert set(drawn) == files == {name for name in files if f"](findings/{name}.svg)" in text}


def test_wrong_input_is_refused_with_a_sentence(tmp_path):
    done = studied()
    assert done.returncode == 2 and done.stderr.startswith("python -m bench.study: Name the photos")
    done = studied(str(tmp_path / "missing.zip"), "--out", str(tmp_path / "out"), "--models", "mobilenet")
    assert done.returncode == 2 and "does not exist" in done.stderr and "Traceback" not in done.stderr
    done = studied("--into", str(tmp_path / "no.md"))
    assert done.returncode == 2 and "no.md does not exist" in done.stderr
    done = studied(str(tmp_path), "--questions", "size,colour")
    assert done.returncode == 2 and "unknown name 'colour'; choose from size" in done.stderr
    done = studied(str(tmp_path), "--questions", "")
    assert done.returncode == 2 and "unknown name ''; choose from size" in done.stderr


def test_a_study_that_can_ask_or_write_nothing_says_so(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg("red", (64, 64)))
    done = studied(str(photo), "--out", str(tmp_path / "out"), "--models", MOBILENET)
    assert done.returncode == 2
    assert done.stderr.endswith("None of the models is available, so there is nothing to measure.\n")
    done = studied(str(photo), "--out", str(photo / "out"), "--models", MOBILENET)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "photo.jpg/out can't be used (Not a directory)" in done.stderr


def test_a_run_without_any_answer_ends_the_study_with_the_reason(tmp_path):
    (run,) = [each for each in runs(LITE0, (LABELLED,), answers=True, quick=True) if each.question == "size"]
    empty = {"cells": [], "photo_set": {"skipped": [{"name": "a.jpg", "message": "a.jpg is not a photo."}]}}
    report_of(run, tmp_path).write_text(json.dumps(empty), "utf-8")
    photos = Photos(tmp_path, tmp_path / "made.jpg", None, tmp_path / "map.csv")
    with pytest.raises(PixelcostError, match=r"got no answers: a\.jpg is not a photo\. Remove "):
        run_once(run, Model(LITE0, tmp_path), photos, tmp_path)


def studied(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.study", *arguments]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST")}
    return subprocess.run(command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True)


def test_the_whole_study_runs_on_a_few_photos_and_reports_again_without_measuring(tmp_path, default_model):
    out = tmp_path / "out"
    (out / "models").mkdir(parents=True)
    shutil.copytree(default_model, out / "models" / LITE0)
    places = [
        packed(
            tmp_path / f"{name}.zip", a=(jpeg(name, (300, 200)), "tabby"), b=(jpeg("black", (64, 64)), "lynx")
        )
        for name in ("red", "blue")
    ]
    into = tmp_path / "paper.md"
    into.write_text("Of <!-- study: count photos --><!-- end --> photos.\n", "utf-8")
    arguments = (*map(str, places), "--out", str(out), "--into", str(into), "--quick", "--models", LITE0)
    done = studied(*arguments, "--questions", "size")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read(tmp_path / "paper")
    assert {row["variant"]: row["photos"] for row in rows["answers"]} == {
        "256-png": "2",
        "256-jpeg-85": "2",
        "96-png": "2",
        "96-jpeg-85": "2",
    }  # 64 px is smaller than both
    (network,) = rows["networks"]
    assert (network["model"], network["photos"]) == (TITLES[LITE0], "4")
    assert {row["network"] for row in rows["areas"]} == {ALL, LITE0}
    assert into.read_text("utf-8") == "Of <!-- study: count photos -->2<!-- end --> photos.\n"
    journals = {path: path.stat().st_mtime_ns for path in out.glob("*.jsonl")}
    assert studied(*arguments, "--questions", "none").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.jsonl")} == journals
    before = into.read_text("utf-8")
    into.write_text(before.replace("2", "?"), "utf-8")
    assert studied("--into", str(into)).returncode == 0
    assert into.read_text("utf-8") == before
