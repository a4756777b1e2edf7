"""`python -m models train-demo`: from photos and a teacher to weights, killed and gone on with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.training.job import HELD_OUT, LOG, WEIGHTS
from models.training.recipe import Recipe
from tests.serving_process import ROOT
from tests.training import command, make_photos, make_teacher, run, train


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    make_photos(folder)
    make_teacher(folder / "teacher.tflite")
    return folder


@pytest.fixture(scope="module")
def trained(given, tmp_path_factory) -> Path:
    """The folder of a training that nobody disturbed."""
    work = tmp_path_factory.mktemp("trained")
    done = train(given, work)
    assert done.returncode == 0, done.stderr
    return work


def arrays(work: Path) -> list[np.ndarray]:
    with np.load(work / WEIGHTS) as stored:
        return [stored[name] for name in stored.files]


def start_and_kill(given: Path, work: Path, after: str) -> None:
    """Start a training as a process of its own, and kill it (SIGKILL) when it says `after`."""
    started = command("job", given, work, "", "{}")
    with subprocess.Popen(started, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(after):
                process.kill()
                return
    pytest.fail(f"it ended without saying {after!r}")


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_to_the_very_same_weights(given, trained, tmp_path):
    start_and_kill(given, tmp_path, "epoch 1 of 3")
    assert not (tmp_path / WEIGHTS).exists()
    said = train(given, tmp_path).stdout.splitlines()
    assert said
    assert not [line for line in said if line.startswith(("teacher", "epoch 1"))]
    for ours, theirs in zip(arrays(tmp_path), arrays(trained), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_demo_model_reads_the_weights(trained):
    done = run("answer", trained / WEIGHTS)
    assert json.loads(done.stdout) == pytest.approx([1, 1], rel=1e-5)
    assert (trained / WEIGHTS).stat().st_size < 10e6


def test_a_broken_photo_is_named_and_left_out(trained):
    log = (trained / LOG).read_text()
    assert "left out pets/broken.jpg: " in log
    assert "epoch 3 of 3: 32 px, loss " in log
    assert "photos/s" in log


def test_the_photos_held_out_are_listed(given, trained):
    (name,) = (trained / HELD_OUT).read_text().splitlines()  # 5 % of 11
    assert name.startswith(("pets/", "things.zip/"))


def test_more_epochs_can_be_asked_for_until_the_rate_sinks(given, trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    refused = train(given, tmp_path, epochs=5).stderr
    assert "already closes at 3 epochs" in refused
    assert "Go on with --epochs 3" in refused
    assert Recipe(epochs=20).can_go_on(epochs_done=10, planned=16)
    assert not Recipe(epochs=20).can_go_on(epochs_done=11, planned=16)


def test_a_training_can_begin_with_weights_that_have_learned(given, trained, tmp_path):
    """No epoch: they come out as they went in, but for the temperature in the last two, the head."""
    assert train(given, tmp_path, start=trained / WEIGHTS, epochs=0).returncode == 0
    for ours, theirs in zip(arrays(tmp_path)[:-2], arrays(trained)[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folder_of_another_training_is_refused(given, trained):
    refused = train(given, trained, seed=8).stderr
    assert "holds a training with another seed. Go on with the same options" in refused


def run_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    started = [sys.executable, "-m", "models", "train-demo", *map(str, arguments)]
    return subprocess.run(started, cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_a_teacher_the_command_says_so(given, tmp_path):
    missing = tmp_path / "none.tflite"
    done = run_command("--photos", given / "pets", "--teacher", missing, "--work", tmp_path / "work")
    assert done.returncode == 2
    assert f"there is nothing at {missing}: give an ImageNet classifier as a TFLite file" in done.stderr


def test_a_folder_without_photos_is_named(given, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "teacher.tflite").write_bytes((given / "teacher.tflite").read_bytes())
    refused = train(tmp_path, tmp_path / "work").stderr
    assert f"no photo in {tmp_path / 'empty'}. Looked for .jpeg, .jpg" in refused
    assert not (tmp_path / "work" / "training.json").exists()  # a slip of the pen takes no folder


@pytest.mark.parametrize(
    ("classes", "dtype", "words"),
    [(10, "uint8", "it has uint8 and 10"), (1001, "float32", "it has float32 and 1001")],
)
def test_a_model_that_can_not_teach_is_refused_with_what_it_has(tmp_path, classes, dtype, words):
    make_teacher(tmp_path / "other.tflite", classes, dtype)
    assert words in run("read_teacher", tmp_path / "other.tflite").stderr


def test_a_teacher_that_is_cut_off_is_refused(given, tmp_path):
    whole = (given / "teacher.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    assert "can't be read as a TFLite model" in run("read_teacher", tmp_path / "cut.tflite").stderr


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "notes.tflite").write_text("no model")
    assert "can't be read as a TFLite model" in run("read_teacher", tmp_path / "notes.tflite").stderr
