"""Exporting models of keras.applications: right labels, right preprocessing, a whole servable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.catalogue import imagenet
from models.catalogue.table import CATALOGUE, row
from tests.support.models.commands import shared
from tests.support.processes.serving_client import Client
from tests.support.processes.serving_process import ROOT, start_server

SMALL = "mobilenet-v3-small"
NAMES = [row.name for row in CATALOGUE if row.application]
ONE_OF_EACH = ("inception-v3", "resnet-50", SMALL)  # of each kind of preprocessing
EVERY_MODEL = bool(os.environ.get("PIXELCOST_TEST_EVERY_MODEL"))
COMPARED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not EVERY_MODEL and name not in ONE_OF_EACH,
            reason="compared with PIXELCOST_TEST_EVERY_MODEL=1: all of them take minutes",
        ),
    )
    for name in NAMES
]


def models(*arguments: object) -> subprocess.CompletedProcess[str]:
    return shared().run(*arguments)


def a_process_of_its_own(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Base path of the smallest model, with random weights."""
    out = tmp_path_factory.mktemp("small")
    done = a_process_of_its_own("export", SMALL, "--out", out, "--random", 1)
    assert (done.returncode, done.stdout) == (0, f"MobileNet v3 small: {out / '1'}\n"), done.stderr
    return out


@pytest.fixture(scope="module")
def golden(tmp_path_factory) -> dict[str, dict]:
    """What tests/support/models/keras_golden.py found, by the name of the model."""
    folder = tmp_path_factory.mktemp("golden")

    names = NAMES if EVERY_MODEL else ONE_OF_EACH
    command = [sys.executable, "-m", "tests.support.models.keras_golden", str(folder), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    shutil.rmtree(folder)
    return {row["name"]: row for row in rows}


def test_there_are_1000_classes_in_imagenets_order_and_no_two_labels_are_alike():
    found = imagenet.classes()
    assert len(found) == 1000
    ids = [entry.wordnet_id for entry in found]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert len({entry.label.casefold() for entry in found}) == 1000
    assert all(len(entry.wordnet_id) == 9 and entry.label and "," not in entry.label for entry in found)


@pytest.mark.parametrize(
    ("number", "wordnet_id", "label"),
    [
        (0, "n01440764", "tench"),
        (134, "n02012849", "crane (bird)"),
        (264, "n02113186", "Cardigan (dog)"),
        (285, "n02124075", "Egyptian cat"),
        (474, "n02963159", "cardigan (jacket)"),
        (517, "n03126707", "crane (machine)"),
        (638, "n03710637", "maillot (tights)"),
        (639, "n03710721", "maillot (tank suit)"),
        (999, "n15075141", "toilet tissue"),
    ],
)
def test_classes_that_share_a_name_are_told_apart(number, wordnet_id, label):
    found = imagenet.classes()[number]
    assert (found.wordnet_id, found.label) == (wordnet_id, label)


def test_a_label_is_the_first_of_its_names_where_that_is_enough():
    for entry in imagenet.classes():
        assert entry.label.partition(" (")[0] == entry.names[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMPARED)
def test_an_export_answers_what_keras_answers(golden, name):
    """The same weights, read from a file like Keras' own; `preprocess_input` and `predict` on one side."""
    found = golden[name]
    assert found["difference"] < 1e-4
    assert found["difference_of_wrong_colours"] > 1e-3, "this test could not fail"
    assert found["classes"] == [imagenet.labels()[number] for number in found["best"]]
    assert found["scores_are_sorted"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMPARED)
def test_the_catalogue_counts_parameters_and_bytes_right(golden, name):
    assert golden[name]["parameters"] == row(name).parameters
    assert round(golden[name]["size_mb"]) == row(name).download_mb


def test_the_card_says_what_the_model_is_and_what_random_weights_mean(small):
    card = json.loads((small / "1" / "assets.extra" / "pixelcost.json").read_text())
    assert (card["name"], card["title"]) == (SMALL, "MobileNet v3 small with random weights")
    assert card["knows"] == "nothing: its answers are noise"
    assert card["labels"] == imagenet.labels()
    assert card["pixels"]["side_px"] == [224, 224]


def test_the_same_seed_is_left_alone_and_another_one_is_exported_anew(small, tmp_path):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    assert "(was there already)" in models("export", SMALL, "--out", tmp_path, "--random", 1).stdout
    done = models("export", SMALL, "--out", tmp_path, "--random", 2)
    assert done.stdout == f"MobileNet v3 small: {tmp_path / '1'}\n"


def test_another_models_folder_is_not_overwritten(small, tmp_path):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    done = models("export", "efficientnet-lite0", "--out", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / '1'} holds another model, {SMALL}." in done.stderr
    (tmp_path / "1" / "assets.extra" / "pixelcost.json").unlink()
    done = models("export", SMALL, "--out", tmp_path, "--random", 1)
    assert "holds a model that was not exported here" in done.stderr


def test_weights_of_another_model_are_refused_with_what_would_fit(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"no HDF5")
    done = models("export", SMALL, "--out", tmp_path / "out", "--weights", tmp_path / "weights.h5")
    assert done.returncode == 2
    assert "weights.h5 holds no weights of MobileNet v3 small" in done.stderr
    assert "keras.applications.MobileNetV3Small" in done.stderr
    assert not list((tmp_path / "out").glob("[0-9.]*/saved_model.pb"))


WRITE_WEIGHTS_OF_ANOTHER = """
import sys, keras
keras.applications.MobileNetV2(weights=None, alpha=0.35).save_weights(sys.argv[1])
"""


def test_weights_of_another_architecture_are_refused_in_two_lines(tmp_path):
    path = tmp_path / "another.weights.h5"
    writing = [sys.executable, "-c", WRITE_WEIGHTS_OF_ANOTHER, str(path)]
    subprocess.run(writing, check=True, capture_output=True)
    done = a_process_of_its_own("export", SMALL, "--out", tmp_path / "out", "--weights", path)
    assert done.returncode == 2
    why, what_fits = done.stderr.partition("python -m models: ")[2].splitlines()
    assert why.startswith(f"{path} holds no weights of MobileNet v3 small: A total of ")
    assert why.endswith(" objects could not be loaded.")
    assert what_fits.startswith("Give a file that Keras wrote for keras.applications.MobileNetV3Small")
    assert "UserWarning" not in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])
def test_the_embedded_server_serves_it_warmed_by_its_own_requests(small, runtime):
    image = (ROOT / "static" / "samples" / "cat.png").read_bytes()
    with start_server("--runtime", runtime, model_dir=small) as server:
        answer = Client(server.grpc_address).outputs(image)
    assert answer["probabilities"].shape == (1, 1000)
    assert answer["scores"].shape == (1, 5)
    assert {label.decode() for label in answer["classes"][0]} <= set(imagenet.labels())


READ = """
import sys
from pathlib import Path
from serving.models import warmup
for request in warmup.read_recorded(Path(sys.argv[1])):
    print(request.signature_name, *request.inputs, request.inputs["images"][0][:4])
"""


def test_the_warm_up_requests_are_a_jpeg_and_a_png(small):
    command = [sys.executable, "-c", READ, str(small / "1")]
    said = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert said == [f"predict_images images {start!r}" for start in (b"\xff\xd8\xff\xe0", b"\x89PNG")]
