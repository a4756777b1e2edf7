"""Networks that look like classifiers and are none are refused, of whatever kind their file is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.formats.exporter_notes import notes_of
from models.formats.files_beside import task_beside
from models.formats.kinds import KINDS, Found, find
from models.formats.operators import task_by_operators
from models.interface.ends import Ends
from models.interface.pixels import Pixels
from models.interface.scores import try_scores
from models.problems import ModelProblem
from models.task import other_than_classifier
from models.tensors import Signature, Tensor
from tests.support.models.convertible import CASES, converter
from tests.support.models.detectors import folder
from tests.support.models.onnx_bytes import node, onnx_bytes, value
from tests.support.models.wire import block

DETECTOR, TABLE = "It is an object detector: it gives", "gives a table of numbers for each image, as object"
REFUSED = {
    "detector": f"{DETECTOR} detection_boxes DT_FLOAT [?,10,4]",
    "detector_of_images": f"{DETECTOR} detection_boxes",
    "detector.tflite": f"{DETECTOR} output_0 DT_FLOAT [1,10,4], output_1 DT_FLOAT [1,10]",
    "detector.pb": f"{DETECTOR} detection_boxes",
    "detector.keras": DETECTOR,
    "boxes.onnx": f"{DETECTOR} boxes DT_FLOAT [768,4]",
    "boxes-ir": f"{DETECTOR} boxes DT_FLOAT [768,4]",
    "yolo.onnx": TABLE,
    "yolo-ir": TABLE,
    "yolo-with-notes.onnx": "It is an object detector: the notes of its exporter say task detect",
    "noted.tflite": "the notes of its exporter say task segment",
    "pose.torchscript": "the notes of its exporter say task pose",
    "suppressed": "It is an object detector: its network has the operator NonMaxSuppressionV3",
    "suppressed.pb": "It is an object detector: its network has the operator NonMaxSuppressionV3",
    "processed.tflite": "It is an object detector: its network has the operator TFLite_Detection_PostProcess",
    "heads.onnx": "gives maps of several sizes, as the heads of object detectors do: it gives cls_",
    "segments.keras": "gives a map of the image, as those for segmentation",
    "detector_with_classes": "which are not probabilities",
}
LOOKS_RIGHT = {  # by names and shapes: it shows when they are tried
    "labels_of_one_image.keras": "instead of 1, as a multi-label model (sigmoid) or an object detector",
    "vector_of_length_1.keras": "It gives features, not scores of classes: each of its answers",
    "after_a_relu.keras": "some are exactly 0 and none is less, as after a ReLU",
}


@pytest.mark.parametrize(("name", "reason"), (REFUSED | LOOKS_RIGHT).items(), ids=list(REFUSED | LOOKS_RIGHT))
def test_a_network_that_is_no_classifier_is_not_converted_and_the_reason_is_one_true_sentence(name, reason):
    if name == "detector.tflite":
        pytest.importorskip("ai_edge_litert")
    done = converter().convert(folder() / name, out=f"out of {name}")
    assert done.exit_code == 2, done.said
    said = done.said.splitlines()[-1]
    assert reason in said
    assert "Pixelcost compares classifiers, which give one score for each class" in said
    assert "Traceback" not in done.said
    assert not (done.base / "1").exists()


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=list(REFUSED))
def test_check_says_of_it_what_it_is_and_does_not_advise_to_convert_it(name, reason):
    exit_code, said = converter().run("check", folder() / name)
    assert exit_code == 1, said
    assert reason in said
    assert "Pixelcost can use it" not in said and "Convert it" not in said


def test_what_a_detector_gives_is_not_taken_even_if_it_is_named():
    done = converter().convert(folder() / "detector", "--output", "detection_scores", out="named")
    assert (done.exit_code, "It is an object detector" in done.said) == (2, True)


def test_a_multi_label_model_is_taken_as_it_is_if_the_user_says_so():
    source = folder() / "labels_of_one_image.keras"
    done = converter().convert(source, "--preprocess", "unit", "--softmax", out="several labels")
    assert done.exit_code == 0, done.said
    assert "WARNING, kept as --softmax says: the scores of 3 made-up images" in done.said


def test_the_notes_of_an_exporter_tell_the_preprocessing_and_the_labels_of_a_classifier():
    done = converter().convert(folder() / "classify.onnx", out="noted classifier")
    assert done.exit_code == 0, done.said
    assert "WARNING" not in done.said
    card = json.loads((done.base / "1" / "assets.extra" / "pixelcost.json").read_text())
    assert card["labels"] == ["red", "green", "blue"]
    assert card["pixels"]["scale"] == 1 / 255
    assert "mean" not in card["pixels"]


@pytest.mark.parametrize(
    ("text", "task", "names", "sides_px"),
    [
        (
            "task: classify\nimgsz:\n- 224\n- 160\nnames:\n  0: no\n  1: on\n",
            "classify",
            ("no", "on"),
            (224, 160),
        ),
        ("task: detect\nnames: [a, b]\nimgsz: 640\n", "detect", ("a", "b"), (640, 640)),
        ("task: tidy the room\n", None, (), None),
        ("- not a mapping\n", None, (), None),
        ("task: [\n", None, (), None),
        ("\xff", None, (), None),
    ],
)
def test_notes_beside_a_model_are_read_and_others_are_no_reason_to_stop(
    tmp_path, text, task, names, sides_px
):
    (tmp_path / "metadata.yaml").write_text(text)
    notes = notes_of(Found(KINDS["SavedModel"], tmp_path))
    assert (notes.task, notes.names, notes.sides_px) == (task, names, sides_px)


def tensor(name: str, *sizes: int | None) -> Tensor:
    return Tensor(name, "DT_FLOAT", sizes)


IMAGE = tensor("image", None, 32, 32, 3)
CLASSIFIERS = {
    "one row": [tensor("scores", None, 7)],
    "any shape": [Tensor("scores", "DT_FLOAT", None)],
    "1 by 1 pixels": [tensor("MobilenetV1/Predictions", None, 1, 1, 1001)],
    "features beside": [tensor("logits", None, 7), tensor("block", None, 16, 16, 64)],
    "four classes of one image": [tensor("scores", 1, 4)],
    "four classes and the best of them": [tensor("scores", None, 4), Tensor("best", "DT_INT64", (None,))],
    "main and further head": [tensor("logits", None, 1000), tensor("aux", None, 1000)],
}
OTHERS = {
    "boxes by name": [tensor("scores", 100), tensor("boxes", None, 4)],
    "candidates of any number": [tensor("x", None, None, 4), tensor("y", None, None)],
    "one score for each anchor": [tensor("x", 1, 896, 16), tensor("y", 1, 896, 1)],
    "TFLite's operator": [tensor("TFLite_Detection_PostProcess:1", 1, 10)],
    "embedding": [tensor("image_embeds", None, 512)],
    "keypoints": [tensor("output_0", 1, 1, 17, 3)],
    "transposed YOLO": [tensor("output0", 1, 25200, 85)],
    "heatmaps": [tensor("StatefulPartitionedCall", 1, 48, 48, 17)],
    "flat heads of SSD": [tensor("loc", 1, 400), tensor("conf", 1, 3072)],
    "one box": [tensor("x", 1, 1, 4), tensor("y", 1, 1)],
    "NanoDet": [tensor("output", 1, 2125, 112)],
    "heads of NanoDet": [tensor("cls_pred_stride_8", 1, 1600, 80), tensor("dis_pred_stride_8", 1, 1600, 32)],
    "maps of NanoDet": [tensor(name, 1, 80, side, side) for name, side in (("a", 40), ("b", 20), ("c", 10))],
    "raw heads of YOLO": [tensor("a", 1, 3, 52, 52, 85), tensor("b", 1, 3, 26, 26, 85)],
    "masks": [tensor("masks", None, 7), tensor("scores", None, 7)],
}


@pytest.mark.parametrize("outputs", CLASSIFIERS.values(), ids=list(CLASSIFIERS))
def test_what_may_be_a_classifier_is_none_of_the_others(outputs):
    assert other_than_classifier(Signature("serving_default", [IMAGE], outputs)) == ""


@pytest.mark.parametrize("outputs", OTHERS.values(), ids=list(OTHERS))
def test_names_and_shapes_tell_what_is_no_classifier(outputs):
    assert other_than_classifier(Signature("serving_default", [IMAGE], outputs)).startswith("It is a")


IR = '<net name="n" version="11"><layers><layer id="0" name="{}" type="{}" version="opset1"/></layers></net>'
CAFFE = 'name: "n"\nlayer {{\n  name: "{}"\n  type: "{}"\n}}\n'


@pytest.mark.parametrize(
    ("kind", "file", "text"),
    [("OpenVINO IR", "net.xml", IR), ("Caffe", "net.prototxt", CAFFE)],
    ids=["openvino", "caffe"],
)
@pytest.mark.parametrize(
    ("layer", "operator", "is_detector"),
    [
        ("out", "DetectionOutput", True),
        ("out", "Proposal", True),
        ("DetectionOutput", "Softmax", False),  # only a name
        ("roi", "Convolution", False),
    ],
)
def test_an_operator_of_detectors_is_told_in_descriptions(
    tmp_path, kind, file, text, layer, operator, is_detector
):
    (tmp_path / file).write_text(text.format(layer, operator))
    (tmp_path / "net.bin").write_bytes(b"")
    described = tmp_path / file
    found = Found(KINDS[kind], described, (described if kind == "Caffe" else tmp_path / "net.bin",))
    said = task_by_operators(found)
    assert (
        said.startswith(f"It is an object detector: its network has the operator {operator}.") == is_detector
    )
    assert bool(said) == is_detector


def test_an_operator_of_detectors_is_told_within_a_branch_of_an_onnx_network(tmp_path):
    inner = block(1, node("NonMaxSuppression", ("boxes", "scores"), "kept"))
    branch = block(1, "then_branch") + block(6, inner)
    outer = node("If", ("is_any",), "kept") + block(5, branch)
    (tmp_path / "model.onnx").write_bytes(onnx_bytes([outer], [value("kept", (1, 3))], {}, {}))
    assert "NonMaxSuppression" in task_by_operators(find(tmp_path / "model.onnx"))


OLD_CONFIG = {"inference_engine_name": "tensorflow_detection", "confidence": 60, "type": "detection"}
PIPELINE = "# SSD\nmodel {\n  ssd {\n    num_classes: 2\n  }\n}\n"
LABEL_MAP = "item {\n  id: 1\n  name: 'red'\n}\nitem { id: 2 name: 'green' }\nitem { id: 3 name: 'blue' }\n"


def in_a_folder(tmp_path: Path, name: str, text: str) -> Path:
    """A classifier of three classes with one file beside it."""
    tmp_path.mkdir(exist_ok=True)
    shutil.copy(folder() / "classify.onnx", tmp_path / "model.onnx")
    (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", json.dumps(OLD_CONFIG), "detector: config.json beside it says type 'detection'"),
        (
            "config.json",
            json.dumps({"inference_engine_name": "yolov4_opencv_cpu_detection"}),
            "an object detector: config.json beside it says inference_engine_name 'yolov4_opencv",
        ),
        (
            "config.json",
            json.dumps({"architectures": ["DetrForObjectDetection"]}),
            "an object detector: config.json beside it says architectures 'DetrForObjectDetection'",
        ),
        ("config.json", json.dumps({"type": "semantic"}), "segments images: config.json beside it says type"),
        ("object-detection.pbtxt", LABEL_MAP, "an object detector: object-detection.pbtxt lies beside it"),
        ("pipeline.config", PIPELINE, "an object detector: pipeline.config beside it trains the model ssd"),
    ],
)
def test_a_file_beside_a_model_tells_that_it_is_a_detector(tmp_path, name, text, said):
    found = find(in_a_folder(tmp_path, name, text))
    assert said in task_beside(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps({"type": "classification", "inference_engine_name": "tensorflow"})),
        ("config.json", json.dumps({"architectures": ["MobileNetV1ForImageClassification"]})),
        ("config.json", "[1, 2"),
        ("config.json", json.dumps(["detection"])),
        ("config.json", json.dumps({"type": 7})),
        ("pipeline.config", "model: resnet"),
        ("labels.pbtxt", LABEL_MAP),
    ],
)
def test_other_files_beside_a_classifier_say_nothing_against_it(tmp_path, name, text):
    assert task_beside(find(in_a_folder(tmp_path, name, text))) == ""


def test_a_file_beside_several_models_is_said_of_none_of_them(tmp_path):
    in_a_folder(tmp_path, "config.json", json.dumps(OLD_CONFIG))
    shutil.copy(folder() / "classify.onnx", tmp_path / "other.onnx")
    assert task_beside(find(tmp_path / "model.onnx")) == ""


def test_a_saved_model_is_told_by_the_files_in_the_folder_of_its_export(tmp_path):
    shutil.copytree(folder() / "detector", tmp_path / "saved_model")
    (tmp_path / "pipeline.config").write_text(PIPELINE)
    assert "trains the model ssd" in task_beside(find(tmp_path / "saved_model"))


@pytest.mark.parametrize("command", ["check", "convert"])
def test_an_old_detectors_folder_is_refused_by_name(tmp_path, command):
    source = in_a_folder(tmp_path / "m", "config.json", json.dumps(OLD_CONFIG))
    out = () if command == "check" else ("--out", tmp_path / "out")
    exit_code, said = converter().run(command, source, *out)
    assert (exit_code, "config.json beside it says type 'detection'" in said) == ((1, 2)[bool(out)], True)


def test_the_label_map_of_a_folder_that_says_it_is_a_classifier_names_its_classes(tmp_path):
    source = in_a_folder(tmp_path / "m", "object-detection.pbtxt", LABEL_MAP)
    (source / "config.json").write_text(json.dumps({"type": "classification"}))
    shutil.copy(converter().sources / "model.keras", source / "model.keras")
    (source / "model.onnx").unlink()
    count = len(converter().expected(CASES[0]))
    names = [f"item {{ id: {number + 1} name: 'kind {number}' }}" for number in range(count)]
    (source / "object-detection.pbtxt").write_text("\n".join(names))
    done = converter().convert(source, *CASES[0].options, out="label map")
    assert done.exit_code == 0, done.said
    card = json.loads((done.base / "1" / "assets.extra" / "pixelcost.json").read_text())
    assert card["labels"] == [f"kind {number}" for number in range(count)]


@pytest.mark.parametrize("answers", [[0, 2, 1], [0, 0, 0], [1, 2, 1]])
def test_answers_of_different_lengths_are_those_of_a_detector(answers):
    rows = iter(np.zeros((count, 7)) for count in answers)
    output = Tensor("output", "DT_FLOAT", (None, 7))
    ends = Ends(Signature("serving_default", [IMAGE], [output]), IMAGE, output)
    with pytest.raises(ModelProblem, match="as object detectors do"):
        try_scores(lambda _: next(rows), ends, Pixels("image", "output", (32, 32)))


def test_an_output_that_the_user_names_is_believed_to_hold_scores():
    outputs = [tensor("class_scores", None, 7), tensor("boxes", None, 4)]
    signature = Signature("serving_default", [IMAGE], outputs)
    assert "an object detector" in other_than_classifier(signature)
    assert other_than_classifier(signature, "class_scores") == ""
