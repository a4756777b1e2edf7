"""One run against another: the interval of a ratio, what may be said, and what differs between the runs."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.cli.main import main
from experiment.decide.compare import NotComparable, compare, conclusion
from experiment.decide.compare_section import compare_section
from experiment.decide.differences import differences
from experiment.export.report_json import report_dict, report_json
from experiment.figures.palette import DARK, LIGHT
from experiment.records import Label, Plan
from experiment.report.statistics import _outside, ratio_of_medians
from tests.support.deciding_records import copy, small_report, whole
from tests.support.records import answer, answered, backend, environment, sample_report, source
from tests.support.set_records import photos, summary

AROUND_100 = [97.0, 98, 99, 99.5, 99.9, 100.1, 100.5, 101, 102, 103]


def scaled(factor):
    return [each * factor for each in AROUND_100]


def run_of(samples, copies=("512",), **changes):
    """One or more copies on 8 CPU, and nothing else."""
    variants = [copy(int(each)) for each in copies]
    return small_report({each.id: {"8 CPU": samples} for each in variants}, [whole(), *variants], **changes)


def compared(this, other):
    return compare(report_dict(this), report_dict(other))


def words(this_samples, other_samples):
    (pair,) = compared(run_of(this_samples), run_of(other_samples)).pairs
    return pair.words.partition(";")[0]


# The interval


def test_the_interval_is_that_of_rs_statpsych():
    """The example of its ci.ratio.median2, with the numbers that it prints."""
    first = [36, 44, 47, 42, 49, 39, 46, 31, 33, 48]
    second = [32, 39, 26, 35, 43, 27, 40, 37, 34, 29, 49, 42, 40]
    ratio = ratio_of_medians(first, second)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.162162, 0.927667, 1.455933), abs=1e-6)


def test_many_samples_are_compared_at_once_and_as_exactly_as_few():
    for count in (6, 7, 20, 100, 1000):
        rank = max(round(count / 2 - math.sqrt(count)), 1)
        assert _outside(count, rank) == sum(math.comb(count, below) for below in range(rank)) / 2**count
    started_s = time.process_time()
    samples = [10 + place % 97 / 100 for place in range(20_000)]
    ratio = ratio_of_medians(samples, samples)
    assert ratio.low < ratio.value == 1 < ratio.high
    assert time.process_time() - started_s < 20  # binomials from scratch took minutes


def test_below_six_samples_nothing_is_said():
    assert ratio_of_medians([1.0] * 5, [1.0] * 20) is None


def test_a_latency_of_0_is_one_below_the_resolution():
    assert ratio_of_medians([0.0] * 6, [0.001] * 6).value == 1.0


samples = st.lists(st.floats(0.1, 1000), min_size=6, max_size=40)


@given(samples, samples)
def test_the_ratio_is_numpys_and_lies_in_its_interval(first, second):
    ratio = ratio_of_medians(first, second)
    assert ratio.value == pytest.approx(np.median(first) / np.median(second))
    assert ratio.low <= ratio.value * (1 + 1e-12) and ratio.value <= ratio.high * (1 + 1e-12)
    back = ratio_of_medians(second, first)
    assert (1 / back.high, 1 / back.low) == pytest.approx((ratio.low, ratio.high))


@pytest.mark.parametrize("count", [6, 20, 64])
def test_the_interval_holds_the_truth_in_95_of_100_tries(count):
    """Skewed times with the same median: what the interval promises, whatever the distribution."""
    chance = np.random.default_rng(count)
    draws = np.exp(chance.exponential(0.4, (800, 2, count)))
    ratios = [ratio_of_medians(first, second) for first, second in draws]
    held = np.mean([each.low <= 1 <= each.high for each in ratios])
    assert held > 0.93


# What is said


def test_a_tenth_less_is_faster_by_ten_percent():
    assert words(scaled(0.9), AROUND_100).startswith("faster by 10 % (95 % interval ")


def test_a_tenth_more_is_slower_by_ten_percent():
    assert words(scaled(1.1), AROUND_100).startswith("slower by 10 % (95 % interval ")


def test_twice_and_more_is_said_as_a_factor():
    assert words(scaled(3), AROUND_100).startswith("3.0x as long (95 % interval 2.9x to 3.1x)")


def test_the_same_is_no_difference_that_so_many_samples_could_show():
    assert words(AROUND_100, AROUND_100) == "no significant difference with 10 samples"
    assert words(AROUND_100, AROUND_100 * 2) == "no significant difference with 20 and 10 samples"


def test_too_few_samples_are_said_with_how_many_it_takes():
    assert words(AROUND_100, [90.0] * 3) == "too few samples to compare (3, at least 6 are needed)"


def test_the_conclusion_counts_cells_and_answers():
    before = run_of(AROUND_100, ("512", "256"))
    found = compared(run_of(scaled(0.8), ("512", "256")), before)
    assert conclusion(found) == "2 results compared: 2 faster. No answer changed."


def test_an_answer_that_changed_is_named_with_both():
    after = small_report(
        {"512-jpeg-85": {"8 CPU": AROUND_100}},
        [whole(), copy()],
        measurements=answered(AROUND_100, "512-jpeg-85", "8 CPU", answer((Label("lynx", 0.6),))),
    )
    section = compare_section(report_dict(after), report_dict(run_of(AROUND_100)), LIGHT)
    assert section.notes[0] == "512 px JPEG on 8 CPU: tabby (50 %) in the other run, lynx (60 %) in this one."
    assert section.sentence.endswith("1 answer changed.")
    assert section.tables[0]["rows"][0][5] == "tabby → lynx"


def test_cells_that_only_one_run_has_are_counted():
    section = compare_section(
        report_dict(run_of(AROUND_100, ("512", "256"))), report_dict(run_of(AROUND_100)), LIGHT
    )
    assert section.notes[-1] == "Not compared, because only one run has them: 1 cell of this run."


def test_a_photo_and_a_set_cant_be_compared_nor_runs_without_a_common_cell():
    of_set = summary(photos(both=8))
    with pytest.raises(NotComparable, match="one photo and the other about a set"):
        compared(of_set, run_of(AROUND_100))
    with pytest.raises(NotComparable, match="no answered cell in common"):
        compared(run_of(AROUND_100), run_of(AROUND_100, ("256",)))


def test_two_sets_are_compared_by_their_latencies_with_their_shares_beside_them():
    section = compare_section(
        report_dict(summary(photos(both=80, lost=20))), report_dict(summary(photos(both=100))), LIGHT
    )
    assert [row[5] for row in section.tables[0]["rows"]] == ["100 % → 100 %", "100 % → 80 %"]
    assert any("whether they differ by more than chance is not tested" in note for note in section.notes)


# What differs between the runs


def changes(this, other):
    return {each.what: (each.other, each.this) for each in differences(report_dict(this), report_dict(other))}


def warned(this, other):
    return [each.warning for each in differences(report_dict(this), report_dict(other)) if each.warning]


def test_a_run_differs_from_itself_in_nothing_and_the_seed_is_of_no_matter():
    made = sample_report()
    assert changes(made, made) == {}
    assert changes(made, replace(made, plan=replace(made.plan, seed=8))) == {}


def test_another_photo_is_a_warning_and_answers_are_not_compared():
    before, now = run_of(AROUND_100), run_of(AROUND_100, source=source(name="dog.jpg", sha256="d" * 64))
    (warning,) = warned(now, before)
    assert warning.startswith("The photo is a different one, cat.jpg there and dog.jpg here")
    assert not compared(now, before).answers_compared
    assert conclusion(compared(now, before)).endswith("no significant difference.")


def test_another_model_or_version_is_a_warning():
    before = run_of(AROUND_100, backends=(backend(version=1),))
    now = run_of(AROUND_100, backends=(backend(version=2),))
    assert warned(now, before)[0].startswith(
        "8 CPU served a different model or version, inception predict_images version 1"
    )


def test_another_way_of_making_the_same_variant_is_a_warning():
    before, now = run_of(AROUND_100), run_of(AROUND_100)
    now = replace(now, variants=(now.variants[0], replace(now.variants[1], sha256="e" * 64)))
    assert "1 variant of 2 with the same name have different bytes" in warned(now, before)[0]


def test_the_hash_over_a_sets_photos_tells_nothing_when_they_came_in_another_order():
    before = summary(photos(both=8))
    now = replace(before, variants=tuple(replace(each, sha256="e" * 64) for each in before.variants))
    assert "2 variants of 2" in warned(now, before)[0]
    assert warned(replace(now, plan=replace(now.plan, seed=2)), before) == []


def test_app_hardware_plan_and_label_are_told_without_alarm():
    before = sample_report()
    now = sample_report(
        plan=Plan(seed=7, repeats=64, sizes_px=(512, 256)),
        environment=environment(app_version="0.2.0", cpu_model="Arm Neoverse"),
        source=source(true_label="tabby"),
        backends=(backend("GPU", device_name="H100"), backend("8 CPU", cpus=8), backend("1 CPU", cpus=1)),
    )
    assert changes(now, before) == {
        "GPU: device name": ("not set", "H100"),
        "app version": ("0.1.0", "0.2.0"),
        "cpu model": ("AMD EPYC 9B14", "Arm Neoverse"),
        "plan: sizes px": ("2048, 1024, 512, 256, 128", "512, 256"),
        "plan: repeats": ("20", "64"),
        "true label": ("not set", "tabby"),
    }
    assert warned(now, before) == []


def test_the_port_of_an_embedded_server_is_of_no_matter():
    here, there = (backend(address=f"127.0.0.1:{port}", embedded=True) for port in (8500, 9500))
    assert changes(run_of(AROUND_100, backends=(here,)), run_of(AROUND_100, backends=(there,))) == {}


# The plot and the command line


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_plot_shows_what_its_table_says_and_dashes_the_other_run(palette):
    this, other = report_dict(sample_report()), report_dict(sample_report())
    figure = compare_section(this, other, palette).figures["compared"]
    go.Figure(figure["data"], figure["layout"])
    rows = figure["meta"]["table"]["rows"]
    drawn = [(x, y) for each in figure["data"] for x, y in zip(each["x"], each["y"], strict=True)]
    assert drawn == [(row[2], row[4]) for row in rows]
    for trace in figure["data"]:
        is_this = trace["name"].endswith("this run")
        assert trace["line"]["dash"] == ("solid" if is_this else "dash")
        assert trace["marker"]["symbol"].endswith("-open") != is_this
    assert {row[3] for row in rows} == {"this run", "older run"}


def test_more_lines_than_can_be_told_apart_are_left_to_the_table():
    many = report_dict(sample_report(("GPU", "8 CPU", "1 CPU", "4 CPU", "16 CPU")))
    section = compare_section(many, many, LIGHT)
    lines = [each for each in section.figures["compared"]["data"] if "lines" in each["mode"]]
    assert len(lines) == 12
    assert "lines of each run. The table is complete." in section.figures["compared"]["meta"]["caption"]
    assert len(section.tables[0]["rows"]) == 55


def test_the_command_line_prints_the_table(tmp_path, capsys):
    older, newer = tmp_path / "older.json", tmp_path / "newer.json"
    older.write_text(report_json(report_dict(run_of(AROUND_100))))
    newer.write_text(
        report_json(report_dict(run_of(scaled(0.9), source=source(sha256="d" * 64, name="[b]dog.jpg"))))
    )
    assert main(["--compare", str(older), str(newer)]) == 0
    printed = capsys.readouterr().out
    assert "faster by 10 %" in printed
    assert "Warning: The photo is a different one" in printed and "[b]dog.jpg" in printed


def test_the_command_line_refuses_what_is_no_report(tmp_path, capsys):
    good, no_json, other, damaged = (tmp_path / f"{name}.json" for name in ("good", "photo", "other", "bad"))
    good.write_text(report_json(report_dict(run_of(AROUND_100))))
    no_json.write_bytes(b"\xff\xd8")
    other.write_text(json.dumps({"schema_version": "1.2"}))
    damaged.write_text(report_json({**report_dict(run_of(AROUND_100)), "cells": [{}]}))
    for path in (no_json, other, damaged, tmp_path / "nowhere.json"):
        assert main(["--compare", str(good), str(path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    for words in (
        "is not text",
        "is JSON, but not a Pixelcost report",
        "is damaged or was changed",
        "can't be read",
    ):
        assert words in told
