"""`python -m models convert`: each kind of model, served afterwards, answers as its own library does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from models.convert import as_it_is
from models.formats.kinds import find
from models.interface.wanted import Wanted
from models.problems import ModelProblem
from tests.support.models.convertible import CASES, TF, converter
from tests.support.processes.serving_client import Client
from tests.support.processes.serving_process import ROOT, start_server


def models(*arguments: object) -> subprocess.CompletedProcess[str]:
    return converter().models(*arguments)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_converted_model_answers_as_the_model_that_it_was(case):
    if not case.is_possible:
        pytest.skip(f"needs {', '.join(case.packages)}")
    done = converter().converted(case.name)
    assert (done.base / "1").is_dir(), done.said
    with start_server("--runtime", case.runtime, model_dir=done.base) as server:
        answer = Client(server.grpc_address).outputs(converter().photo)
    expected = np.array(converter().expected(case))
    np.testing.assert_allclose(answer["probabilities"][0], expected, atol=case.within)
    best = np.argsort(-expected, kind="stable")[:3]
    assert answer["classes"].shape == answer["scores"].shape == (1, 5)
    assert answer["classes"][0, 0] == f"class {best[0]}".encode()


def said(name: str) -> str:
    return converter().converted(name).said


def test_each_assumption_is_a_line_and_names_the_option_that_changes_it():
    lines = said("keras").splitlines()
    assert lines[0].endswith("model.keras: Keras, 0.0 MB")
    assert "tried: the scores are probabilities, as their sum is 1 (--logits if not)" in lines
    assert "assumed: labels 'class 0' to 'class 6', as none are known (--labels FILE)" in lines
    assert "tried: the scores are logits, so softmax is added (--softmax if not)" in said("keras-hdf5")


def test_the_proof_names_what_the_model_sees_in_the_sample_photo():
    assert "served with tensorflow, cat.png is: class " in said("keras")
    assert "served with openvino: class " in said("keras")
    assert "not served with openvino: it has no signature from numbers to numbers" in said(
        "saved-model-of-encoded-images"
    )


def test_the_models_own_process_is_never_asked_through_a_proxy():
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    source, out = converter().sources / "model.keras", converter().folder / "behind a proxy"
    command = [sys.executable, "-m", "models", "convert", str(source), "--out", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "served with tensorflow, cat.png is: class " in done.stdout


def test_groups_that_keras_3_can_not_compute_are_named_without_the_whole_configuration():
    file = converter().folder / "groups.h5"
    shutil.copyfile(converter().sources / "keras_2.h5", file)
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = opened.attrs["model_config"].replace('"groups": 1', '"groups": 2')
    exit_code, said = converter().run("check", file)
    assert exit_code == 2
    assert "Unrecognized keyword arguments passed to DepthwiseConv2D: {'groups': 2}. Load it with" in said
    assert len(said.splitlines()[-1]) < 500


def test_a_layer_of_the_models_own_that_rescales_is_seen():
    assert "(--preprocess raw)" in said("keras-to-onnx")
    assert "own layer rescaling does the rest" in said("keras-to-onnx")
    assert "WARNING" not in said("keras-to-onnx")


def test_what_a_torchscript_file_does_not_say_is_tried():
    pytest.importorskip("torch")
    assert "tried: the model takes NCHW (--layout)" in said("torchscript")


def card(name: str) -> dict:
    return card_in(converter().converted(name).base)


def card_in(base: Path) -> dict:
    return json.loads((base / "1" / "assets.extra" / "pixelcost.json").read_text())


def test_the_card_says_what_it_was_converted_from():
    found = card("frozen-graph")
    assert found["converted_from"] == {"file": "frozen.pb", "kind": "frozen GraphDef"}
    assert found["labels"] == [f"class {index}" for index in range(7)]
    assert found["pixels"]["side_px"] == [32, 40]


def test_a_converted_graph_has_the_signatures_of_the_contract_and_warms_itself():
    done = models("check", converter().converted("keras").base)
    assert done.returncode == 0
    decoded = "checksum DT_FLOAT [?], pixels DT_FLOAT [?,32,40,3]"
    assert f"decode_images: images DT_STRING [?] -> {decoded}" in done.stdout
    assert "predict_images: images DT_STRING [?] -> classes DT_STRING [?,5]" in done.stdout
    assert (
        converter().converted("keras").base / "1" / "assets.extra" / "tf_serving_warmup_requests"
    ).is_file()


def test_what_the_card_of_a_model_says_goes_with_it_into_another_format():
    names = converter().folder / "seven.txt"
    names.write_text("\n".join("abcdefg"))
    said_first = ("--labels", str(names), "--fit", "central_crop", "--resize", "bicubic", "--name", "seven")
    first = converter().convert("model.keras", *TF, *said_first, out="of-keras")
    again = converter().convert(first.base, "--to", "openvino", out="of-card")
    assert again.exit_code == 0, again.said
    assert "read: how levels become values, from the model's card (--preprocess)" in again.said
    assert "WARNING" not in again.said
    cards = [card_in(converted.base) for converted in (first, again)]
    for key in ("name", "title", "labels"):
        assert cards[0][key] == cards[1][key]
    assert [cards[1]["pixels"][key] for key in ("fit", "resize")] == ["central_crop", "bicubic"]
    answers = []
    for converted in (first, again):
        with start_server(model_dir=converted.base) as server:
            answers.append(Client(server.grpc_address).outputs(converter().photo))
    assert answers[0]["classes"].tolist() == answers[1]["classes"].tolist()
    np.testing.assert_allclose(*(answer["probabilities"] for answer in answers), atol=1e-4)


def test_a_card_that_can_not_be_read_is_named():
    folder = converter().folder / "odd-card"
    shutil.copytree(converter().sources / "ir", folder)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "pixelcost.json").write_text('{"pixels": {"side_px": 32}}')
    done = converter().convert(folder, out="from-odd-card")
    assert done.exit_code == 2
    assert "The model's card, assets.extra/pixelcost.json, can't be read (" in done.said
    assert not (done.base / "1").exists()


WITHOUT = """
import sys
sys.modules["tf2onnx"] = None
from models.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_converter_that_is_not_installed_is_named_with_how_to_get_it(tmp_path):
    arguments = ["convert", str(converter().sources / "model.keras"), "--to", "onnx", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "--to onnx needs a package that is not installed" in last and "pip install tf2onnx" in last
    assert not (tmp_path / "1").exists()


@pytest.mark.parametrize(
    ("to", "package", "reason"),
    [
        ("openvino", "openvino", "as OpenVINO IR: No conversion rule found for operations: Lgamma."),
        ("onnx", "tf2onnx", "as ONNX: No Op registered for Lgamma with domain_version of 18."),
    ],
)
def test_operations_that_a_format_does_not_have_are_named(to, package, reason):
    pytest.importorskip(package)
    done = converter().convert("odd", "--preprocess", "unit", "--to", to, out=f"odd-{to}")
    assert done.exit_code == 2
    assert f"can't be written {reason}" in done.said.splitlines()[-1]
    assert not (done.base / "1").exists()


def test_a_file_that_computes_something_else_than_the_model_is_refused(tmp_path):
    found, wanted = find(converter().sources / "ir"), Wanted(preprocess="tf", layout="NHWC")
    with pytest.raises(ModelProblem, match="scores differ from the original's by up to"):
        as_it_is.write(found, tmp_path / "1", wanted, print, None, lambda values: np.ones((len(values), 7)))
    with pytest.raises(ModelProblem, match="gives 7 scores instead of 5"):
        as_it_is.write(found, tmp_path / "1", wanted, print, None, lambda values: np.ones((len(values), 5)))


def test_an_unknown_way_of_preprocessing_is_warned_of():
    out, labels = converter().folder / "guessed", converter().folder / "many.txt"
    labels.write_text("\n".join(str(number) for number in range(306)))
    done = models("convert", converter().sources / "ir", "--out", out, "--labels", labels)
    assert done.returncode == 2
    assert "WARNING, assumed: values 0 to 1, then ImageNet's mean" in done.stdout
    assert "--preprocess raw|unit|tf|torch|caffe" in done.stdout
    assert "gives 7 scores, but" in done.stderr and "has 306 labels" in done.stderr
    assert not (out / "1").exists()


def test_a_second_time_the_model_is_there_already_and_another_one_is_not_written_over_it():
    labels = converter().folder / "labels.txt"
    labels.write_text("\n".join("abcdef"))
    arguments = ("--out", converter().folder / "twice", "--preprocess", "tf", "--labels", labels)
    first = models("convert", converter().sources / "ir", *arguments)
    assert "labels: 6 from" in first.stdout and "'background' for row 0 of the 7 scores" in first.stdout
    again = models("convert", converter().sources / "ir", *arguments)
    assert "(was there already)" in again.stdout
    other = models("convert", converter().sources / "ir", *arguments, "--name", "other")
    assert (other.returncode, "holds another model" in other.stderr) == (2, True)


def test_a_cluster_serving_configuration_names_the_model_its_shape_and_its_batches():
    folder = converter().folder / "cluster-serving"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "model:\n  # must be set\n  path: ../sources/saved_model_1\ndata:\n  src:\n  shape: 32,40,3\n"
        "params:\n  batch_size: 8\n  top_n: 3\nspark:\n  master: local[*]\n"
    )
    done = models("convert", folder / "config.yaml", "--out", folder / "out", "--preprocess", "tf")
    assert done.returncode == 0, done.stderr
    assert "not about the model, so only `python -m jobs serve` uses it: spark.master" in done.stdout
    assert "top_n 3: classes and scores hold the best 5" in done.stdout
    with start_server(
        *("--enable_batching", "--batching_parameters_file", str(folder / "out" / "batching_parameters.txt")),
        model_dir=folder / "out",
    ) as server:
        assert Client(server.grpc_address).outputs(converter().photo)["classes"][0, 0] == b"class 3"


CHECKED = {
    "model.keras": "photo DT_FLOAT [?,32,40,3] -> ",
    "frozen.pb": "input DT_FLOAT [?,32,40,3] -> probabilities DT_FLOAT [?,7]",
    "ir": "image DT_FLOAT [?,32,40,3] -> ",
    "encoded": "image_bytes DT_STRING [?] -> p DT_FLOAT [?,7]",
}


@pytest.mark.parametrize(("source", "ends"), CHECKED.items(), ids=list(CHECKED))
def test_check_says_what_a_model_takes_and_how_to_convert_it(source, ends):
    done = models("check", converter().sources / source)
    assert done.returncode == 1, done.stderr
    assert ends in done.stdout
    assert (
        f"Convert it: .venv/bin/python -m models convert {converter().sources / source} --out" in done.stdout
    )


def test_check_of_converted_files_says_that_they_can_be_used():
    done = models("check", converter().converted("openvino-ir").base)
    assert (done.returncode, done.stdout.endswith("Pixelcost can use it.\n")) == (0, True)
