"""OpenCV: Caffe's pair of files, both ways to write its inputs, and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.errors import LoadFailed
from tests.support.models.runtime_models import ONE_THREAD, require
from tests.support.models.wire import block, number, numbers
from tests.support.processes.serving_process import ROOT

require("opencv")
from serving.runtimes.opencv import load  # noqa: E402

DENSE = """layer { name: "prob" type: "InnerProduct" bottom: "data" top: "prob"
  inner_product_param { num_output: 2 } }
"""
NEW = """# a network
name: 'tiny' layer { name: "in" type: "Input" top: "data" input_param: { shape: { dim: 10 dim: 3 } } }
"""
SHORT = """layer < type: "In" "put" top: "da\\164a" input_param < shape < dim: [10, 3] > > ; >
unknown_field: [{ a: 1e-05 }, { b: -0.5f c: TRAIN }]
"""
OLD = 'input: "data" input_shape { dim: 1 dim: 3 }\n'
OLDER = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 1 input_dim: 1\n'
WEIGHTS = np.array([[1, 2, 3], [4, 5, 6]], "<f4")


def blob(array: np.ndarray) -> bytes:
    return block(7, block(7, numbers(1, array.shape)) + block(5, array.astype("<f4").tobytes()))


def caffemodel(weights: np.ndarray = WEIGHTS) -> bytes:
    """One dense layer: LayerParameter with name, type and two blobs."""
    layer = block(1, "prob") + block(2, "InnerProduct") + blob(weights) + blob(np.array([0.5, 0.25]))
    return block(1, "tiny") + block(100, layer + number(10, 0))


@pytest.fixture
def pair(tmp_path):
    """Writes a pair and gives the path of the weights."""

    def written(prototxt: str, weights: bytes = b"", name: str = "model.prototxt") -> Path:
        (tmp_path / name).write_text(prototxt)
        (tmp_path / "model.caffemodel").write_bytes(weights or caffemodel())
        return tmp_path / "model.caffemodel"

    return written


@pytest.mark.parametrize(
    "beginning", [NEW, SHORT, OLD, OLDER], ids=["layer", "all of the text format", "input_shape", "input_dim"]
)
def test_all_ways_to_write_an_input_are_read(pair, beginning):
    model = load(pair(beginning + DENSE), ONE_THREAD)
    signature = model.signatures["serving_default"]
    assert list(signature.inputs) == ["data"]
    assert str(signature.inputs["data"]).startswith("DT_FLOAT [?,3")
    assert str(signature.outputs["prob"]) == "DT_FLOAT [?,2]"
    rest = (1, 1) if beginning == OLDER else ()
    for batch in (1, 3):
        sent = np.ones((batch, 3, *rest), np.float32)
        assert model.infer("serving_default", {"data": sent})["prob"].tolist() == [[6.5, 15.25]] * batch


def test_the_only_description_beside_the_weights_is_taken(pair):
    assert load(pair(NEW + DENSE, name="deploy.prototxt"), ONE_THREAD).signatures


def test_without_a_description_it_says_which_file_is_missing(pair, tmp_path):
    file = pair(NEW + DENSE)
    (tmp_path / "model.prototxt").unlink()
    with pytest.raises(LoadFailed, match=r"beside it, as model\.prototxt; found model\.caffemodel"):
        load(file, ONE_THREAD)


def test_of_several_descriptions_none_is_guessed(pair, tmp_path):
    file = pair(NEW + DENSE, name="deploy.prototxt")
    (tmp_path / "train.prototxt").write_text(NEW + DENSE)
    with pytest.raises(LoadFailed, match=r"found deploy\.prototxt, model\.caffemodel, train\.pro"):
        load(file, ONE_THREAD)


@pytest.mark.parametrize(
    ("prototxt", "reason"),
    [
        ("", "it does not name an input with its shape"),
        (DENSE, "it does not name an input with its shape"),
        (NEW + DENSE[:20], 'line 3: Expected "}"'),
        ("<!doctype html><title>404</title>", "line 1: Expected identifier or number, got <. Put"),
        ('input: "data"\n' + DENSE, "the input 'data' has no shape"),
        ("layer layer", 'line 1: Expected "{"'),
        ('input: "data" input_shape { dim: 1 dim: x }', "Couldn't parse integer: x"),
        (NEW.replace("dim: 3", "dim: 99999999999999999999") + DENSE, "line 2: Value out of range"),
        ("a {" * 1000, "nested too deeply"),
        ("layer {" * 1000, "nested too deeply"),
    ],
)
def test_a_damaged_description_is_named_with_the_reason(pair, prototxt, reason):
    with pytest.raises(LoadFailed, match=r"model\.prototxt can't be read as a Caffe network") as refused:
        load(pair(prototxt), ONE_THREAD)
    assert reason in str(refused.value)
    assert "Put the deploy.prototxt there" in str(refused.value)


@pytest.mark.parametrize(
    "prototxt",
    [
        NEW + DENSE.replace("InnerProduct", "NoSuchLayer"),
        NEW + DENSE.replace('bottom: "data"', 'bottom: "b"'),
        NEW.replace("dim: 3", "dim: 9000000000000000000") + DENSE,
    ],
    ids=["unknown layer", "unknown bottom", "no such size"],
)
def test_a_network_that_opencv_can_not_run_is_refused_when_it_is_loaded(pair, prototxt):
    with pytest.raises(LoadFailed, match=r"can't be loaded with OpenCV 4"):
        load(pair(prototxt), ONE_THREAD)


def test_weights_that_do_not_fit_the_description_are_refused_when_they_are_loaded(pair):
    with pytest.raises(LoadFailed, match=r"model\.caffemodel"):
        load(pair(NEW + DENSE, caffemodel(WEIGHTS[:, :2])), ONE_THREAD)


def test_a_name_that_is_no_text_does_not_crash_it(tmp_path):
    """OpenCV 4.14 ends the process when it tells about one."""
    node = block(1, "x") + block(2, "y") + block(4, b"Re\xfflu")
    value = block(2, block(1, number(1, 1) + block(2, block(1, number(1, 1)))))
    inputs, outputs = block(1, "x") + value, block(1, "y") + value
    graph = block(1, node) + block(2, "g") + block(11, inputs) + block(12, outputs)
    (tmp_path / "model.onnx").write_bytes(number(1, 8) + block(7, graph) + block(8, number(2, 13)))
    with pytest.raises(LoadFailed, match="is not an ONNX model, or damaged"):
        load(tmp_path / "model.onnx", ONE_THREAD)


READ_INPUTS = """
import sys
from pathlib import Path
from serving.model_files.onnx_inputs import onnx_inputs
def peak_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak_kb()
inputs = onnx_inputs(Path(sys.argv[1]))
print(*inputs, peak_kb() - before)
"""


def test_the_weights_of_an_onnx_file_are_skipped_and_not_copied_to_read_its_inputs(tmp_path):
    file, size_bytes = tmp_path / "model.onnx", 64 << 20
    value = block(1, "x") + block(2, block(1, number(1, 1) + block(2, block(1, number(1, 1)))))
    weights = block(8, "w") + block(9, bytes(size_bytes))
    file.write_bytes(number(1, 8) + block(7, block(5, weights) + block(11, value)))
    command = [sys.executable, "-c", READ_INPUTS, str(file)]
    alias, more_kb = subprocess.check_output(command, cwd=ROOT, text=True).split()
    assert alias == "x"
    assert int(more_kb) * 1024 < 1.5 * size_bytes  # the file's bytes, once


def test_an_onnx_file_without_an_input_is_none(tmp_path):
    (tmp_path / "model.onnx").write_bytes(number(1, 8) + block(7, block(2, "empty")))
    with pytest.raises(LoadFailed, match="has no input"):
        load(tmp_path / "model.onnx", ONE_THREAD)
