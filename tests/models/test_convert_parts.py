"""The small decisions of `python -m models convert`, one by one, without any model."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from models.catalogue import imagenet
from models.convert import cluster_serving, convert
from models.formats.kinds import find
from models.interface.ends import choose
from models.interface.hints import of_layers
from models.interface.labels import find_labels, labels_beside, read_labels
from models.interface.pixels import (
    OF_ARCHITECTURE,
    PRESETS,
    Hints,
    Pixels,
    of_architecture,
    quantised,
    work_out,
)
from models.interface.scores import is_logits, made_up
from models.interface.wanted import LOGITS, PROBABILITIES, Wanted
from models.problems import ModelProblem, what_went_wrong
from models.tensors import Signature, Tensor

NHWC = Tensor("x", "DT_FLOAT", (None, 32, 40, 3))
SCORES = Tensor("y", "DT_FLOAT", (None, 7))


def quiet(_: str) -> None:
    """For what need not be said."""


def ends(into: Tensor = NHWC, *outputs: Tensor, labels: int | None = None, **wanted):
    signature = Signature("serving_default", [into], outputs or [SCORES])
    return choose([signature], Wanted(**wanted), labels, quiet)


# Labels


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        (["tabby, tabby cat", "goose"], ["tabby", "goose"]),
        (["0: tabby", "1: goose"], ["tabby", "goose"]),
        (["1  goose", "0  tabby"], ["tabby", "goose"]),
        (["n02123045 tabby, tabby cat", "n01855672 goose"], ["tabby", "goose"]),
        (["crane, bird", "crane, machine"], ["crane, bird", "crane, machine"]),
        (["crane", "crane"], ["crane (class 0)", "crane (class 1)"]),
        (["2: two", "4: four"], ["2: two", "4: four"]),
        (["a", "", "b", ""], ["a", "(class 1)", "b"]),
    ],
)
def test_labels_are_what_people_call_the_classes_and_never_two_the_same(tmp_path, lines, labels):
    (tmp_path / "labels").write_text("\n".join(lines))
    assert read_labels(tmp_path / "labels") == labels


CAT_DOG = ["cat", "dog"]
NOTATIONS = {
    "a byte order mark": ("\ufeff0 cat\r\n1 dog\r\n".encode(), CAT_DOG),
    "UTF-16 as Notepad and PowerShell write it": ("cat\r\ndog\r\n".encode("utf-16"), CAT_DOG),
    "JSON list": (b'["cat", "dog"]', CAT_DOG),
    "JSON index": (b'{"1": ["n02084071", "dog"], "0": ["n02121620", "cat"]}', CAT_DOG),
    "class_indices of Keras": (b'{"dog": 1, "cat": 0}', CAT_DOG),
    "config.json of Hugging Face": (b'{"model_type": "vit", "id2label": {"0": "cat", "1": "dog"}}', CAT_DOG),
    "Python dictionary": (b"{0: 'cat, tabby',\n 1: 'dog'}", CAT_DOG),
    "YAML list": (b"- cat\n- no\n- 'on'\n", ["cat", "no", "on"]),
    "data.yaml of Ultralytics": (b"path: x\nnames:\n  0: cat\n  1: dog\n", CAT_DOG),
    "numbers from 1": (b"1 cat\n2 dog\n", CAT_DOG),
    "numbers behind": (b"dog\t1\ncat\t0\n", CAT_DOG),
    "quotes": (b'"cat"\n"dog"\n', CAT_DOG),
    "single quotes": (b"'cat'\n'dog'\n", CAT_DOG),
    "quotes in CSV": (b'0,"cat, tabby"\n1,"dog"\n', CAT_DOG),
    "columns with names": (b"id,label\n0,cat\n1,dog\n", CAT_DOG),
    "numbers that are part of the names": (b"1 cent\n2 cent\n", ["1 cent", "2 cent"]),
    "odd blanks within names": ("a\u2028b\nc\x85d\ne\x0cf".encode(), ["a\u2028b", "c\x85d", "e\x0cf"]),
    "apostrophe": (b"'s-Hertogenbosch\ndog\n", ["'s-Hertogenbosch", "dog"]),
}


@pytest.mark.parametrize(("data", "labels"), NOTATIONS.values(), ids=list(NOTATIONS))
def test_a_list_of_labels_is_read_in_the_notations_that_people_have(tmp_path, data, labels):
    (tmp_path / "labels").write_bytes(data)
    assert read_labels(tmp_path / "labels") == labels


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("Katze\nLöwe\n".encode("cp1252"), r"line 2 is not UTF-8 \(byte 0xf6\).*iconv -f WINDOWS-1252"),
        (b"{cat\n", r"it starts with \{, but is neither JSON nor"),
        (b"[background]\ncat\n", r"it starts with \[, but is neither JSON nor"),
        (b'cat\n"dog\n', "line 2 starts with a quotation mark, but is not a quoted name"),
        (b'{"0": "cat", "2": "dog"}', "its numbers are not 0, 1, 2 and so on"),
        (b'{"0": {"a": 1}}', "is not a name"),
        (b"cat\n\0\1\2", "line 2 has the control character"),
        ("cat\ndog".encode("utf-16-le"), "line 1 has the control character"),
        (b"[" * 100_000, "neither JSON nor"),
    ],
)
def test_what_is_no_list_of_labels_is_never_taken_as_names(tmp_path, data, why):
    (tmp_path / "labels").write_bytes(data)
    with pytest.raises(ModelProblem, match=why):
        read_labels(tmp_path / "labels")


def test_files_that_were_found_by_their_names_are_skipped_with_a_line_when_they_do_not_help(tmp_path):
    (tmp_path / "a_label_notes.txt").write_bytes(b"L\xf6we")
    (tmp_path / "b_labels.txt").write_text("")
    (tmp_path / "c_labels.txt").write_text("one\ntwo\nthree")
    (tmp_path / "d_labels.txt").write_text("cat\ndog")
    (tmp_path / "e_labels.txt").mkdir()
    said: list[str] = []
    beside = labels_beside(tmp_path / "model.keras")
    assert find_labels(Wanted(likely_labels=beside), (), 2, said.append) == CAT_DOG
    assert [line.partition(": ")[0] for line in said] == ["skipped"] * 3 + ["labels"]
    assert "c_labels.txt has 3 labels for 2 scores" in said[2]


def test_a_list_of_imagenets_classes_gets_the_spelling_of_the_catalogue(tmp_path):
    lines = ["background", *(", ".join(entry.names) for entry in imagenet.classes())]
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    assert read_labels(tmp_path / "labels.txt") == ["background", *imagenet.labels()]


def test_a_file_of_labels_that_can_not_be_read_is_named(tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    for name in ("empty.txt", "missing.txt"):
        with pytest.raises(ModelProblem, match=name):
            read_labels(tmp_path / name)


# Inputs and outputs


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (Tensor("x", "DT_FLOAT", (None, 4)), r"\[\?,4\] is not \[\?,height,width,3\]"),
        (Tensor("x", "DT_FLOAT", (None, 28, 28, 1)), r"\[\?,28,28,1\] is not"),
        (Tensor("x", "DT_INT64", (None, 32, 32, 3)), "DT_INT64 is not one of DT_FLOAT"),
    ],
)
def test_a_model_that_takes_no_pixels_is_refused_with_what_it_takes(tensor, why):
    with pytest.raises(ModelProblem, match=why):
        ends(tensor)


def test_further_inputs_are_in_the_way():
    two = Signature("serving_default", [NHWC, Tensor("is_training", "DT_BOOL", ())], [SCORES])
    with pytest.raises(ModelProblem, match="2 inputs, but only one is allowed"):
        choose([two], Wanted(), None, quiet)


def test_a_signature_without_inputs_is_not_said_to_have_several():
    with pytest.raises(ModelProblem, match="no input, but one for pixels is needed"):
        choose([Signature("init", [], [SCORES])], Wanted(), None, quiet)


def test_of_several_outputs_the_one_with_as_many_scores_as_labels_is_taken():
    features = Tensor("features", "DT_FLOAT", (None, 512))
    picture = Tensor("picture", "DT_FLOAT", (None, 8, 8, 3))
    assert ends(NHWC, features, SCORES, picture, labels=7).output == SCORES
    assert ends(NHWC, features, SCORES, picture).output == SCORES
    assert ends(NHWC, features, SCORES, output="features").output == features
    assert ends(NHWC, features, SCORES, output="y").output == SCORES
    with pytest.raises(ModelProblem, match="no output 'z'"):
        ends(NHWC, SCORES, output="z")


def test_a_signature_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ModelProblem, match=r"no signature .predict.\. It has serving_default"):
        ends(signature="predict")


# Pixels


def pixels(
    into: Tensor = NHWC, hints: Hints | None = None, said: list[str] | None = None, **wanted
) -> Pixels:
    say = quiet if said is None else said.append
    return work_out(ends(into), Wanted(**wanted), hints or Hints(), say)


def test_layout_and_sides_are_read_from_the_shape():
    assert pixels().side_px == (32, 40)
    found = pixels(Tensor("x", "DT_FLOAT", (None, 3, None, 50)), size_px=(60, 50))
    assert (found.layout, found.side_px) == ("NCHW", (60, 50))


@pytest.mark.parametrize("wanted", [{"size_px": (32, 32)}, {"layout": "NCHW"}])
def test_what_contradicts_the_shape_is_refused(wanted):
    with pytest.raises(ModelProblem, match="--"):
        pixels(**wanted)


def test_unknown_preprocessing_is_assumed_with_a_warning_and_said_one_without():
    said: list[str] = []
    assert pixels(hints=Hints(usual_preset="torch"), said=said).std == (0.229, 0.224, 0.225)
    assert "WARNING" in said[-1]
    said.clear()
    found = pixels(said=said, preprocess="caffe", mean=128.0)
    assert (found.channels, found.mean, said) == ("BGR", 128.0, [])


OF_CARD = Hints(
    shaping={"fit": "central_crop", "crop_fraction": 0.5, "resize": "bicubic"}, levels={"mean": 4.0}
)


def test_what_the_card_says_is_taken_unless_the_user_says_otherwise():
    kept = work_out(ends(), Wanted(), OF_CARD, quiet)
    assert (kept.fit, kept.crop_fraction, kept.resize, kept.mean) == ("central_crop", 0.5, "bicubic", 4.0)
    said = work_out(ends(), Wanted(fit="squash", resize="area", preprocess="raw"), OF_CARD, quiet)
    assert (said.fit, said.crop_fraction, said.resize, said.mean) == ("squash", 0.875, "area", 0.0)


def test_the_levels_of_a_card_stay_true_only_where_no_scale_moves_into_the_network():
    assert of_layers(OF_CARD, (32, 40)).levels == OF_CARD.levels
    moved = of_layers(replace(OF_CARD, input_scale=0.1), (32, 40))
    assert (moved.levels, moved.preset, moved.shaping) == (None, "raw", OF_CARD.shaping)


def test_a_quantised_input_takes_levels_or_what_its_scale_makes_of_values():
    uint8 = Tensor("x", "DT_UINT8", (1, 32, 40, 3))
    hints = Hints(input_scale=1 / 128, input_zero_point=128)
    assert pixels(uint8, hints).as_card() == Pixels("x", "y", (32, 40), dtype="uint8").as_card()
    found = pixels(uint8, hints, preprocess="tf")
    level = np.array([0.0, 127.5, 255.0])
    values = (level * found.scale - found.mean) / found.std
    np.testing.assert_allclose(values, [0, 128, 256])
    with pytest.raises(ModelProblem, match="does not say how they are scaled"):
        pixels(uint8, preprocess="tf")


def test_quantised_values_keep_their_channels():
    values = quantised(PRESETS["torch"].values, 0.5, 10)
    level = np.array([10.0, 20.0, 30.0])
    real = (level / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = (level * values["scale"] - values["mean"]) / values["std"]
    np.testing.assert_allclose(found, real / 0.5 + 10)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("mobilenetv2_1.00_224", "tf"),
        ("MobilenetV3small", "raw"),
        ("efficientnetv2-b0", "raw"),
        ("resnet50", "caffe"),
        ("resnet50v2", "tf"),
        ("inception_v3", "tf"),
        ("convnext_tiny", "raw"),
        ("my_model", None),
    ],
)
def test_a_model_of_keras_applications_is_known_by_its_name(name, preset):
    assert of_architecture(name) == preset


def test_every_known_architecture_has_a_preset():
    assert set(OF_ARCHITECTURE.values()) <= set(PRESETS)


# Scores


@pytest.mark.parametrize(
    ("scores", "logits", "said"),
    [
        ([[0.2, 0.8]], False, "sum is 1"),
        ([[-1.0, 4.0]], True, "logits"),
        ([[0.0, 1.0], [0.5, 0.5]], False, "sum is 1"),
    ],
)
def test_one_answer_shows_whether_scores_are_probabilities(scores, logits, said):
    lines: list[str] = []
    assert is_logits(np.array(scores), pixels(), Wanted(), lines.append) is logits
    assert said in lines[0]


def test_quantised_probabilities_may_add_up_to_less():
    found = Pixels("x", "y", (1, 1), output_scale=1 / 256)
    assert not is_logits(np.array([[100, 80, *[0] * 300]]), found, Wanted(), quiet)
    as_floats = np.array([[100, 80, *[0] * 300]]) / 256
    assert not is_logits(as_floats, pixels(), Wanted(), quiet)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(scores=LOGITS)])
def test_a_model_that_does_not_answer_with_numbers_is_refused(value, wanted):
    with pytest.raises(ModelProblem, match="NaN or infinity"):
        is_logits(np.array([[0.5, value]]), pixels(), wanted, quiet)


def test_a_configuration_that_names_itself_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("modelPath: config.yaml\n")
    with pytest.raises(ModelProblem, match="is not a model but another configuration"):
        convert(tmp_path / "config.yaml", tmp_path / "out", Wanted(), quiet)


def test_what_is_neither_file_nor_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelProblem, match="neither a file nor a folder"):
        find(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([[0.9, 0.8, 0.1]], "add up to 1.8 to 1.8 instead of 1"),
        ([[0.0] * 100], "add up to 0 to 0 instead of 1"),
        ([[0.6, 0.8], [-0.8, 0.6]], "is a vector of length 1"),
        ([[0.0, *range(16)]], "as after a ReLU"),
    ],
)
def test_scores_that_no_classifier_gives_are_refused(scores, why):
    with pytest.raises(ModelProblem, match=why):
        is_logits(np.array(scores), pixels(), Wanted(), quiet)


def test_what_the_user_says_of_the_scores_is_believed_but_not_what_can_not_be():
    said: list[str] = []
    assert not is_logits(np.array([[0.9, 0.8]]), pixels(), Wanted(scores=PROBABILITIES), said.append)
    assert is_logits(np.array([[0.2, 0.8]]), pixels(), Wanted(scores=LOGITS), said.append)
    assert [line.partition(",")[0] for line in said] == ["WARNING", "WARNING"]
    with pytest.raises(ModelProblem, match="so they are not probabilities"):
        is_logits(np.array([[-3.0, 5.0]]), pixels(), Wanted(scores=PROBABILITIES), quiet)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_made_up_images_are_as_the_model_takes_them(layout, dtype):
    wanted = Pixels("x", "y", (4, 6), layout=layout, dtype=dtype, mean=128.0 if dtype == "int8" else 0.0)
    images = made_up(wanted, 2)
    assert {image.shape for image in images} == {(2, 4, 6, 3) if layout == "NHWC" else (2, 3, 4, 6)}
    assert {str(image.dtype) for image in images} == {dtype}
    assert all(np.ptp(image.astype(float)) > 50 for image in images)


def test_one_score_for_each_image_is_too_few():
    with pytest.raises(ModelProblem, match="one score per image"):
        is_logits(np.array([[0.5]]), pixels(), Wanted(), quiet)


# Cluster Serving


FIRST = "model:\n  path: net.onnx\ndata:\n  shape: 3, 192, 256\nparams:\n  batch_size: 4\n  top_n: 9\n"
LAST = "modelPath: net.onnx\njobName: serving_stream\nimageResize: 192,256\n"


@pytest.mark.parametrize(
    ("text", "layout", "batch_size", "said"),
    [
        (FIRST, "NCHW", 4, "the output probabilities has all"),
        (LAST, None, None, "only `python -m jobs serve` uses it: jobName"),
    ],
)
def test_both_kinds_of_configuration_are_read(tmp_path, text, layout, batch_size, said):
    (tmp_path / "config.yaml").write_text(text)
    lines: list[str] = []
    found = cluster_serving.read(tmp_path / "config.yaml", lines.append)
    assert found.model == tmp_path / "net.onnx"
    assert (found.likely_layout, found.size_px, found.batch_size) == (layout, (192, 256), batch_size)
    assert said in " ".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  path:\n", "names no model"),
        ("modelPath: hdfs://node/net", "Copy it to this machine"),
        ("modelPath: net\nmodelEncrypted: true\n", "is encrypted"),
        ("modelPath: net\ndata:\n  shape: 7\n", "is not an image"),
        ("modelPath: [", "is not valid YAML"),
        ("modelPath: net\ndata:\n  shape: banana\n", "not a list of whole numbers"),
        ("modelPath: net\ndata:\n  shape: 0,-5,3\n", "not a list of whole numbers"),
        ("modelPath: net\nparams:\n  batch_size: lots\n", "batch_size must be a whole number"),
        ("modelPath: net\nparams:\n  top_n: -3\n", "top_n must be a whole number"),
        ("- modelPath", "holds no keys"),
    ],
)
def test_a_configuration_that_can_not_be_followed_says_why(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ModelProblem, match=message):
        cluster_serving.read(tmp_path / "config.yaml", quiet)


def test_of_tensorflows_tracebacks_the_last_line_says_what_happened():
    text = "Graph execution error:\n\nDetected at node x\nNot a PNG\n\t [[{{node x}}]]"
    assert what_went_wrong(ValueError(text)) == "Not a PNG."
    assert what_went_wrong(ValueError("cut off")) == "cut off."
    assert what_went_wrong(ValueError("")) == "ValueError."


def test_of_what_keras_says_the_reason_is_shown_and_not_the_configuration():
    text = f"Error with config={{{chr(97) * 600}}}.\n\nException encountered: no groups"
    assert what_went_wrong(TypeError(text)) == "no groups."
    assert len(what_went_wrong(ValueError("x" * 5000))) < 500
