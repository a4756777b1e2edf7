"""What kind of model a file is, told by its content; what is none, or not whole, gets a sentence."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest

from models.formats.kinds import find
from models.formats.sniff import Damaged
from models.problems import ModelProblem
from tests.support.models.wire import block, number, numbers

NODE = block(1, "x") + block(2, "Placeholder")


def archive(*names: str, end: bytes = b"") -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as written:
        for name in names:
            written.writestr(name, "{}")
    return data.getvalue() + end


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


ONNX = number(1, 8) + block(2, "tests") + block(7, block(2, "graph")) + block(8, number(2, 13))
GRAPH_DEF = block(1, NODE) + block(4, number(1, 1987))
CAFFE = block(1, "net") + block(100, block(1, "fc") + block(2, "InnerProduct"))
OLD_CAFFE = block(1, "net") + block(2, block(4, "fc") + number(5, 14))
TFLITE = b"\x1c\0\0\0TFL3" + bytes(40)
WHOLE = {
    "TFLite": TFLITE,
    "ONNX": ONNX,
    "frozen GraphDef": GRAPH_DEF,
    "Keras": archive("metadata.json", "config.json", "model.weights.h5"),
    "TorchScript": archive("m/constants.pkl", "m/data.pkl", "m/code/__torch__.py"),
    "torch.export": archive("m/models/model.json", "m/data/weights/weight_0"),
}
NOT_USABLE = {
    "pickled PyTorch": archive("m/data.pkl", "m/data/0"),
    "BigDL": block(1, "net") + block(7, "com.intel.analytics.bigdl.nn.StaticGraph"),
    "safetensors": safetensors(),
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "web page": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "SavedModel as text": b"saved_model_schema_version: 1\nmeta_graphs {\n}\n",
    "GraphDef as text": b'node {\n  name: "x"\n}\n',
    "Caffe description": b'name: "net"\nlayer {\n  name: "fc"\n}\n',
    "TensorFlow checkpoint": b'model_checkpoint_path: "model.ckpt-7"\n',
}


@pytest.mark.parametrize(("kind", "data"), WHOLE.items(), ids=list(WHOLE))
def test_a_model_is_recognised_whatever_it_is_called(tmp_path, kind, data):
    file = tmp_path / "download"
    file.write_bytes(data)
    assert find(file).kind.name == kind
    assert find(tmp_path).path == file


@pytest.mark.parametrize("data", [CAFFE, OLD_CAFFE], ids=["layer", "layers"])
def test_caffe_is_two_files_and_either_may_be_named(tmp_path, data):
    (tmp_path / "deploy.prototxt").write_text('input: "data"\nlayer { }')
    (tmp_path / "net.caffemodel").write_bytes(data)
    for name in ("net.caffemodel", "deploy.prototxt", ""):
        found = find(tmp_path / name)
        assert (found.kind.name, found.path.name) == ("Caffe", "net.caffemodel")
        assert [file.name for file in found.beside] == ["deploy.prototxt"]


@pytest.mark.parametrize(("kind", "data"), NOT_USABLE.items(), ids=list(NOT_USABLE))
def test_what_can_not_be_converted_is_recognised_too_and_has_a_way_on(tmp_path, kind, data):
    (tmp_path / "model").write_bytes(data)
    found = find(tmp_path)
    assert found.kind.name == kind
    assert found.kind.way_on.endswith(".")


def test_a_pickle_is_not_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    (tmp_path / "model.pth").write_bytes(pickle.dumps(Bomb()))
    assert find(tmp_path / "model.pth").kind.name == "pickled PyTorch"
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ONNX[:-3], r"a model \(ONNX\), but its \d+ bytes end within it"),
        (GRAPH_DEF[:-2], r"a model \(frozen GraphDef\)"),
        (CAFFE[:-2], r"a model \(Caffe\)"),
        (WHOLE["Keras"][:60], "its archive is cut off"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5 can't open it"),
    ],
    ids=["onnx", "graph", "caffe", "zip", "hdf5"],
)
def test_a_file_that_was_not_copied_whole_is_damaged(tmp_path, data, why):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(Damaged, match=why):
        find(tmp_path / "model")


def test_an_openvino_model_without_its_weights_asks_for_them(tmp_path):
    (tmp_path / "net.xml").write_text('<?xml version="1.0"?>\n<net name="n" version="11"></net>')
    with pytest.raises(Damaged, match=r"net\.bin with its weights is missing"):
        find(tmp_path)
    (tmp_path / "net.bin").write_bytes(b"\0")
    assert find(tmp_path).beside == (tmp_path / "net.bin",)


def test_an_onnx_model_with_its_weights_elsewhere_needs_them_beside_it(tmp_path):
    def model(location: str) -> bytes:
        entry = block(1, "location") + block(2, location)
        weight = numbers(1, (2,)) + block(8, "w") + block(13, entry) + number(14, 1)
        return number(1, 8) + block(7, block(5, weight)) + block(8, number(2, 13))

    (tmp_path / "model.onnx").write_bytes(model("model.onnx.data"))
    with pytest.raises(ModelProblem, match=r"lacks its weights: model\.onnx\.data is not beside it"):
        find(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.data").write_bytes(bytes(8))
    assert find(tmp_path / "model.onnx").beside == (tmp_path / "model.onnx.data",)
    (tmp_path / "model.onnx").write_bytes(model("../secret"))
    with pytest.raises(ModelProblem, match="Save it as one file"):
        find(tmp_path / "model.onnx")


def test_a_folder_without_a_model_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelProblem, match=r"holds no model: found notes\.txt\."):
        find(tmp_path)


def test_a_folder_with_two_models_names_both(tmp_path):
    (tmp_path / "a.onnx").write_bytes(ONNX)
    (tmp_path / "b.tflite").write_bytes(TFLITE)
    with pytest.raises(ModelProblem, match=r"several models: a\.onnx \(ONNX\), b\.tflite \(TFLite\)"):
        find(tmp_path)


def test_of_numbered_versions_the_newest_is_taken(tmp_path):
    for version in ("2", "10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model.onnx").write_bytes(ONNX)
    assert find(tmp_path).path.parent.name == "10"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"\x1f\x8b\x08 gzip", "is not a known kind of model: it starts with")],
)
def test_a_file_that_is_no_model_says_so(tmp_path, data, message):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ModelProblem, match=message):
        find(tmp_path / "x")


def test_a_path_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ModelProblem, match="does not exist"):
        find(tmp_path / "missing")
