"""The OpenVINO runtime: the default model's pixel part, IR, ONNX-like files without batch, and refusals."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import serving  # noqa: F401  # isort: skip  # first: it keeps TensorFlow's Python out of this process
import openvino as ov
from openvino import opset13 as ops

from serving.errors import InvalidArgument, LoadFailed
from serving.machine import isa
from serving.models.loading import load
from serving.models.servable import Servable
from serving.runtimes import openvino as runtime
from serving.runtimes.base import BF16, Setting
from tests.support.processes.serving_process import default_model_dir

CAT = Path(__file__).resolve().parents[3] / "static" / "samples" / "cat.png"
ONE_THREAD = Setting(threads=1)
HAS_BF16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")

ASK_TENSORFLOW = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1]).signatures["predict_images"]
answer = model(images=tf.constant([open(sys.argv[2], "rb").read()]))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in answer.items()})
"""
TEXT_MODEL = """
import sys, tensorflow as tf
module = tf.Module()
module.f = tf.function(lambda x: {"y": tf.strings.length(x)}, [tf.TensorSpec([None], tf.string, name="x")])
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.f})
"""


def with_tensorflow(script: str, *arguments: object) -> None:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def cat() -> dict[str, np.ndarray]:
    return {"images": np.array([CAT.read_bytes()], object)}


@pytest.fixture(scope="module")
def network():
    return load(default_model_dir() / "1", "openvino", ONE_THREAD)


def doubling(directory: Path, batch: int = -1) -> Path:
    """An IR that doubles two numbers of each row."""
    rows = ops.parameter([batch, 2], np.float32, name="x")
    rows.output(0).set_names({"x"})
    twice = ops.multiply(rows, np.float32(2))
    twice.output(0).set_names({"y"})
    ov.save_model(ov.Model([twice], [rows], "doubling"), directory / "model.xml", compress_to_fp16=False)
    return directory


def test_the_default_model_answers_as_in_tensorflow(network, tmp_path):
    with_tensorflow(ASK_TENSORFLOW, default_model_dir() / "1", CAT, tmp_path / "answer.npz")
    expected, found = (
        np.load(tmp_path / "answer.npz", allow_pickle=True),
        network.infer("predict_images", cat()),
    )
    assert found["classes"].tolist() == expected["classes"].tolist()
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5)


def test_it_says_what_really_computes(network):
    assert network.about.runtime == f"OpenVINO {ov.get_version().partition('-')[0]}"
    assert (network.about.precision, network.about.device) == ("f32", "CPU")


def precisions(model: runtime.Model) -> set[str]:
    """In which the convolutions of a loaded model are really computed."""
    (part,) = model._parts.values()
    nodes = part._compiled.get_runtime_model().get_ops()
    facts = [node.get_rt_info() for node in nodes]
    return {each["runtimePrecision"].astype(str) for each in facts if "onv" in each["layerType"].astype(str)}


def test_f32_is_computed_in_f32_also_where_the_cpu_is_faster_in_bf16():
    model = runtime.load(default_model_dir() / "1" / "saved_model.pb", ONE_THREAD)
    assert precisions(model) == {"f32"}


@pytest.mark.skipif(not HAS_BF16, reason="this CPU has no bf16")
def test_bf16_is_computed_in_bf16_and_says_so():
    model = runtime.load(default_model_dir() / "1" / "saved_model.pb", Setting(threads=1, precision=BF16))
    assert model.about.precision == BF16
    assert precisions(model) == {"bf16"}


def test_bf16_is_refused_where_the_cpu_lacks_it(monkeypatch):
    monkeypatch.setattr(isa, "cpu_flags", lambda: {"avx2"})
    with pytest.raises(LoadFailed, match="emulate bf16"):
        runtime.load(default_model_dir() / "1" / "saved_model.pb", Setting(precision=BF16))


def test_the_pixel_part_of_a_saved_model_takes_and_gives_numbers_only():
    model = runtime.load(default_model_dir() / "1" / "saved_model.pb", ONE_THREAD)
    assert list(model.signatures) == ["classify_pixels"]
    signature = model.signatures["classify_pixels"]
    assert {alias: str(spec) for alias, spec in signature.inputs.items()} == {
        "pixels": "DT_FLOAT [?,224,224,3]"
    }
    assert {alias: str(spec) for alias, spec in signature.outputs.items()} == {
        "probabilities": "DT_FLOAT [?,1000]",
        "scores": "DT_FLOAT [?,5]",
    }


def test_an_ir_takes_any_batch_and_an_array_that_may_not_be_written(tmp_path):
    model = load(doubling(tmp_path), "auto", ONE_THREAD)
    for count in (1, 3, 7):
        rows = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
        rows.setflags(write=False)
        assert model.infer("serving_default", {"x": rows})["y"].tolist() == (rows * 2).tolist()


def test_a_model_of_one_batch_size_refuses_another_one(tmp_path):
    model = load(doubling(tmp_path, batch=1), "openvino", ONE_THREAD)
    with pytest.raises(InvalidArgument, match=r"'x' has the wrong shape: \[3,2\] instead of \[1,2\]"):
        model.signatures["serving_default"].check_inputs({"x": np.ones((3, 2), np.float32)})


def test_answers_to_several_threads_do_not_mix(tmp_path):
    model, wrong = load(doubling(tmp_path), "openvino", ONE_THREAD), []

    def ask(number: int) -> None:
        rows = np.full((64, 2), number, np.float32)
        answers = (model.infer("serving_default", {"x": rows})["y"] for _ in range(200))
        wrong.extend(number for answer in answers if not (answer == 2 * number).all())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_answer_outlives_the_next_request(tmp_path):
    model = load(doubling(tmp_path), "openvino", ONE_THREAD)
    first = model.infer("serving_default", {"x": np.ones((1, 2), np.float32)})["y"]
    model.infer("serving_default", {"x": np.zeros((1, 2), np.float32)})
    assert first.tolist() == [[2, 2]]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.xml").write_text("<net")
    with pytest.raises(LoadFailed, match=r"OpenVINO can't load .*model\.xml: .*Convert it again"):
        load(tmp_path, "openvino", ONE_THREAD)


def test_a_damaged_saved_model_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(LoadFailed, match=r"saved_model\.pb is damaged"):
        load(tmp_path, "openvino", ONE_THREAD)


def test_a_saved_model_without_its_weights_is_refused(tmp_path):
    shutil.copy(default_model_dir() / "1" / "saved_model.pb", tmp_path)
    with pytest.raises(LoadFailed, match="OpenVINO can't load"):
        load(tmp_path, "openvino", ONE_THREAD)


def test_a_saved_model_of_texts_alone_says_what_can_be_done(tmp_path):
    with_tensorflow(TEXT_MODEL, tmp_path)
    with pytest.raises(LoadFailed, match=r"found serving_default: x DT_STRING \[\?\].*runtime tensorflow"):
        load(tmp_path, "openvino", ONE_THREAD)


def test_no_image_at_all_is_refused_and_not_answered_with_an_older_answer(network):
    network.infer("predict_images", cat())
    with pytest.raises(InvalidArgument, match="is empty"):
        network.infer("predict_images", {"images": np.array([], object)})


def test_a_server_times_both_stages_and_names_a_bad_image_once(network):
    servable = Servable(network)
    assert list(servable.infer("predict_images", cat()).stage_ms) == ["decode", "inference"]
    with pytest.raises(InvalidArgument) as refused:
        servable.infer("predict_images", {"images": np.array([CAT.read_bytes(), b"x"], object)})
    assert (
        refused.value.message == "images[1] can't be decoded: it is not a JPEG, PNG, GIF, BMP, WebP or AVIF."
    )
