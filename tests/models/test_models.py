"""The default model's export and `python -m models check`, run as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.catalogue.table import DEFAULT
from tests.support.models.commands import shared
from tests.support.processes.serving_process import ROOT, default_model_dir


def models(*arguments: object) -> subprocess.CompletedProcess[str]:
    return shared().run(*arguments)


def a_process_of_its_own(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def card(base: Path) -> dict:
    return json.loads((base / "1" / "assets.extra" / "pixelcost.json").read_text())


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the exported model that a test may break."""
    shutil.copytree(default_model_dir(), tmp_path / "model")
    return tmp_path / "model"


def saved_model_time(base: Path) -> int:
    return (base / "1" / "saved_model.pb").stat().st_mtime_ns


def test_a_model_that_is_there_already_is_left_alone(copy):
    before = saved_model_time(copy)
    done = models("export", DEFAULT, "--out", copy)
    assert done.returncode == 0
    assert "(was there already)" in done.stdout
    assert saved_model_time(copy) == before


@pytest.mark.parametrize("damage", ["card", "graph"])
def test_an_old_or_broken_export_is_replaced_whole(copy, damage):
    if damage == "card":
        (copy / "1" / "assets.extra" / "pixelcost.json").write_text("{")
    else:
        (copy / "1" / "saved_model.pb").unlink()
    done = models("export", DEFAULT, "--out", copy)
    assert done.stdout == f"EfficientNet-Lite0: {copy / '1'}\n"
    assert models("check", copy).returncode == 0
    assert [path.name for path in copy.iterdir() if not path.name.startswith(".lock")] == ["1"]


def test_two_exports_at_once_write_one_model(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: a_process_of_its_own("export", DEFAULT, "--out", tmp_path), range(2)))
    assert [process.returncode for process in done] == [0, 0]
    assert sorted("already" in process.stdout for process in done) == [False, True]


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = models("export", DEFAULT, "--out", tmp_path / "file")
    assert done.returncode == 2
    assert str(tmp_path / "file") in done.stderr.splitlines()[-1]


def test_the_card_says_what_the_model_knows_and_names_every_label():
    found = card(default_model_dir())
    assert (found["name"], found["knows"]) == (DEFAULT, "the 1000 classes of ImageNet")
    assert len(set(found["labels"])) == found["classes"] == 1000
    assert {"Egyptian cat", "tabby", "golf ball"} <= set(found["labels"])
    assert not [label for label in found["labels"] if "," in label]


def test_check_lists_the_signatures_of_a_usable_model():
    done = a_process_of_its_own("check", default_model_dir())
    assert done.returncode == 0
    assert "predict_images: images DT_STRING [?] -> classes DT_STRING [?,5]" in done.stdout
    assert "pixels DT_FLOAT [?,224,224,3]" in done.stdout
    assert done.stdout.endswith("Pixelcost can use it.\n")


PLAIN_MODELS = """
import sys, tensorflow as tf
module = tf.Module()
spec = tf.TensorSpec([None, 4], tf.float32, name="x")
module.f = tf.function(lambda x: {"y": x * 2}, input_signature=[spec])
for signature in sys.argv[2:]:
    tf.saved_model.save(module, f"{sys.argv[1]}/{signature}", signatures={signature: module.f})
"""
SIGNATURES = ("serving_default", "predict_images")


@pytest.fixture(scope="module")
def plain_models(tmp_path_factory) -> Path:
    """Folder of a model of four numbers for each of the signatures, below its name."""
    folder = tmp_path_factory.mktemp("plain")
    command = [sys.executable, "-c", PLAIN_MODELS, str(folder), *SIGNATURES]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("signature", "verdict"),
    [
        (SIGNATURES[0], "It has no signature 'predict_images'."),
        (SIGNATURES[1], "Input 'x' is DT_FLOAT [?,4], but should be DT_STRING [?]"),
    ],
)
def test_check_says_why_another_model_can_not_be_used(plain_models, signature, verdict):
    done = models("check", plain_models / signature)
    assert done.returncode == 1
    assert verdict in done.stdout


def test_check_of_a_directory_without_a_model_says_what_it_found(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    done = models("check", tmp_path)
    assert done.returncode == 2
    assert "holds no model: found notes.txt." in done.stderr


def test_check_of_a_damaged_graph_says_so(copy):
    graph = copy / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:5000])
    done = models("check", copy)
    assert (done.returncode, "is damaged" in done.stderr) == (2, True)


def test_check_misses_the_weights(copy):
    shutil.rmtree(copy / "1" / "variables")
    done = models("check", copy)
    assert (done.returncode, "lacks its weights" in done.stderr) == (2, True)
