"""`python -m models train-demo`: from photos and a teacher to weights, killed and gone on with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.problems import ModelProblem
from models.training import teacher
from models.training.job import HELD_OUT, LOG, WEIGHTS
from models.training.recipe import Recipe
from tests.serving_process import ROOT
from tests.training import RUN_A_JOB, job, make_photos, make_teacher, write_tflite


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
    job(given, work).run(lambda line: None)
    return work


def arrays(work: Path) -> list[np.ndarray]:
    with np.load(work / WEIGHTS) as stored:
        return [stored[name] for name in stored.files]


def start_and_kill(given: Path, work: Path, after: str) -> None:
    """Start a training as a process of its own, and kill it (SIGKILL) when it says `after`."""
    command = [sys.executable, "-c", RUN_A_JOB, str(given), str(work)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
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
    said: list[str] = []
    job(given, tmp_path).run(said.append)
    assert not [line for line in said if line.startswith(("teacher", "epoch 1"))]
    for ours, theirs in zip(arrays(tmp_path), arrays(trained), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_demo_model_reads_the_weights(trained):
    from models.demo import DemoModel

    answers = DemoModel(trained / WEIGHTS).classify_pixels(np.zeros((2, 192, 192, 3), np.float32))
    np.testing.assert_allclose(answers["probabilities"].numpy().sum(1), 1, rtol=1e-5)
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
    with pytest.raises(ModelProblem, match=r"already closes at 3 epochs.*Go on with --epochs 3"):
        job(given, tmp_path, epochs=5).run(lambda line: None)
    assert Recipe(epochs=20).can_go_on(epochs_done=10, planned=16)
    assert not Recipe(epochs=20).can_go_on(epochs_done=11, planned=16)


def test_a_training_can_begin_with_weights_that_have_learned(given, trained, tmp_path):
    """No epoch: they come out as they went in, but for the temperature in the last two, the head."""
    job(given, tmp_path, start=trained / WEIGHTS, epochs=0).run(lambda line: None)
    for ours, theirs in zip(arrays(tmp_path)[:-2], arrays(trained)[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folder_of_another_training_is_refused(given, trained):
    with pytest.raises(ModelProblem, match=r"holds a training with another seed\. Go on with the same"):
        job(given, trained, seed=8).run(lambda line: None)


def run_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", "train-demo", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_a_teacher_the_command_says_so(given, tmp_path):
    missing = tmp_path / "none.tflite"
    done = run_command("--photos", given / "pets", "--teacher", missing, "--work", tmp_path / "work")
    assert done.returncode == 2
    assert f"there is nothing at {missing}: give an ImageNet classifier as a TFLite file" in done.stderr


def test_a_folder_without_photos_is_named(given, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelProblem, match=r"no photo in .*empty\. Looked for \.jpeg, \.jpg"):
        no_photos = job(given, tmp_path / "work")
        no_photos.sources[:] = [tmp_path / "empty"]
        no_photos.run(lambda line: None)


@pytest.mark.parametrize(
    ("classes", "dtype", "words"),
    [(10, "uint8", "it has uint8 and 10"), (1001, "float32", "it has float32 and 1001")],
)
def test_a_model_that_can_not_teach_is_refused_with_what_it_has(tmp_path, classes, dtype, words):
    write_tflite(tmp_path / "other.tflite", classes, lambda tf: tf.as_dtype(dtype))
    with pytest.raises(ModelProblem, match=words):
        teacher.Teacher(tmp_path / "other.tflite")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "notes.tflite").write_text("no model")
    with pytest.raises(ModelProblem, match="can't be read as a TFLite model"):
        teacher.Teacher(tmp_path / "notes.tflite")
