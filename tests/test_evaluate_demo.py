"""How a model's answers become figures: shares with intervals, calibration, what it can't know."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.training.calibration import best_temperature, expected_calibration_error, log_softmax
from models.training.evaluation import Answers, lines, wilson
from models.training.photos import UNKNOWN, files
from models.training.teacher import known_classes
from tests.serving_process import ROOT, demo_model_dir
from tests.training import a_photo, make_photos, make_teacher

KNOWN = known_classes()


def answers(*rows: tuple[int, float, int]) -> Answers:
    """One photo each: the row that the model says, how sure it is of it, and the true class in ImageNet."""
    probabilities = np.full((len(rows), len(KNOWN)), 1e-4)
    for photo, (row, confidence, _) in enumerate(rows):
        probabilities[photo, row] = confidence
    return Answers(probabilities, np.array([truth for *_, truth in rows]), np.zeros(len(rows), int))


def test_confidence_that_is_always_right_or_as_often_wrong_as_it_says_has_no_calibration_error():
    assert expected_calibration_error(np.ones(4), np.ones(4)) == 0
    assert expected_calibration_error(np.full(4, 0.5), np.array([1, 0, 1, 0])) == 0


def test_the_calibration_error_is_the_gap_weighted_by_photos():
    confidence = np.array([0.9, 0.9, 0.9, 0.3])
    assert expected_calibration_error(confidence, np.array([1, 1, 0, 0])) == pytest.approx((0.7 + 0.3) / 4)


def test_the_temperature_undoes_logits_that_are_too_large():
    random = np.random.default_rng(1)
    logits = random.standard_normal((4000, 5)) * 2
    classes = np.array([random.choice(5, p=row) for row in np.exp(log_softmax(logits))])
    assert best_temperature(logits, np.eye(5)[classes]) == pytest.approx(1, rel=0.1)
    assert best_temperature(logits * 3, np.eye(5)[classes]) == pytest.approx(3, rel=0.1)


def test_the_interval_is_wilsons():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-4)  # example of Newcombe 1998
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1


def test_photos_of_what_it_can_not_know_are_counted_apart():
    inside, outside = int(KNOWN[3]), 998
    assert outside not in KNOWN
    said = "\n".join(lines(answers((3, 0.9, inside), (5, 0.8, inside), (7, 0.6, outside)), []))
    assert "true class: 2 photos, confidence 0.850\n    top-1 50.0% (9.5% to 90.5%)" in said
    assert "classes it does not know: 1 photos, confidence 0.600\n    0.5 or more: 100.0%" in said
    assert "teacher: 2 photos" in said


def test_the_classes_in_which_it_is_least_often_right_are_named():
    labels = [f"class {row}" for row in range(len(KNOWN))]
    rows = [(3, 0.9, int(KNOWN[3]))] * 20 + [(3, 0.9, int(KNOWN[4]))] * 5 + [(4, 0.9, int(KNOWN[4]))] * 15
    (line,) = [line for line in lines(answers(*rows), labels) if "least" in line]
    assert line.strip() == "least often right: class 4 75%, class 3 100%"


def test_photos_without_a_known_truth_are_compared_with_the_teacher_alone():
    said = "\n".join(lines(answers((0, 0.9, UNKNOWN), (1, 0.9, UNKNOWN)), []))
    assert "true class" not in said
    assert "teacher: 2 photos, confidence 0.900\n    top-1 50.0%" in said


def test_a_table_of_labels_counts_more_than_the_name_of_a_folder(tmp_path):
    (tmp_path / "n01440764").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "n01440764" / name).write_bytes(a_photo((9, 9, 9)))
    (tmp_path / "labels.csv").write_text('file,index,label\nn01440764/b.png,281,"tabby, tabby cat"\n')
    assert [(file.name.split("/")[-1], file.imagenet) for file in files([tmp_path])] == [
        ("a.png", 0),
        ("b.png", 281),
    ]


def test_the_command_asks_the_model_and_prints_a_block_for_each_source(tmp_path):
    make_photos(tmp_path)
    make_teacher(tmp_path / "teacher.tflite")
    only = ["pets/0.png", "pets/broken.jpg", "things.zip/n01440764/1.png", "things.zip/n03445777/2.png"]
    (tmp_path / "only.txt").write_text("\n".join(only))
    command = [sys.executable, "-m", "models", "evaluate-demo", "--model", demo_model_dir() / "1"]
    command += ["--photos", tmp_path / "pets", tmp_path / "things.zip", "--only", tmp_path / "only.txt"]
    command += ["--teacher", tmp_path / "teacher.tflite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("left out pets/broken.jpg: ")
    assert said[1] == "pets: 1 photos"
    assert "things.zip: 2 photos" in said
    assert [line for line in said if line.startswith("  true class: 2 photos")]
