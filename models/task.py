"""What a network is for, told by what it gives: Pixelcost asks classifiers, no other kind can be compared.

Names: the outputs of TensorFlow's Object Detection API, of its TFLite operator, of torchvision's and
OpenMMLab's ONNX exports, and of Ultralytics' YOLO.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.tensors import Signature, Tensor, listed

NEEDED = (
    "Pixelcost compares classifiers, which give one score for each class of the whole image: export such a "
    "model, or the classifying part of this one."
)
# What nothing but a detector is called; a word alone may be part of a classifier's name.
DETECTIONS = re.compile(r"(?:^|/)(?:raw_)?detection_|(?:^|/)num_detections|TFLite_Detection_PostProcess")
DETECTOR = "an object detector"
WORDS = {
    DETECTOR: {"box", "boxes", "bbox", "bboxes", "dets", "detections", "rois", "anchors"},
    "a network that segments images": {"mask", "masks", "segmentation"},
    "a network that finds poses or landmarks": {"keypoint", "keypoints", "heatmap", "heatmaps", "landmarks"},
    "a network that gives feature vectors": {"embedding", "embeddings", "embeds", "embed"},
}
CORNERS = 4  # of a box
FEATURES = {"feature", "features", "pooled", "pooler"}


def other_than_classifier(signature: Signature, output: str | None = None) -> str:
    """One sentence on what it is, where it is no classifier; empty where it may be one.

    `output` is the one that the user named: it is believed to hold scores of classes unless its name or
    shape says otherwise.
    """
    outputs = [each for each in signature.outputs if output in (None, each.name)] or signature.outputs
    detections = [each for each in outputs if DETECTIONS.search(each.name)]
    if detections:
        return _is(DETECTOR, detections)
    if output is None:
        if candidates := _by_candidate(outputs):
            return _is(DETECTOR, candidates)
        for what, words in WORDS.items():
            if said := [each for each in outputs if words & _words(each.name)]:
                return _is(what, said)
    if any(may_be_scores(each) for each in outputs):
        return ""
    tables = [each for each in outputs if each.shape and len(each.shape) > 2]
    return not_one_row(tables[0], signature.inputs) if tables else ""


def may_be_scores(tensor: Tensor) -> bool:
    """[n, classes], perhaps with dimensions of size 1 behind or between."""
    if tensor.dtype not in {"DT_FLOAT", "DT_HALF", "DT_UINT8", "DT_INT8", "DT_DOUBLE"}:
        return False
    return tensor.shape is None or (len(tensor.shape) >= 2 and _long(tensor.shape[1:]) <= 1)


def are_features(tensor: Tensor) -> bool:
    """Whether its name says that it is what a classifier computes its scores from."""
    return bool(FEATURES & _words(tensor.name))


def _by_candidate(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Outputs with values for each of the same candidates: boxes [n, 100, 4] beside scores [n, 100]."""
    tables = [each for each in outputs if each.shape and len(each.shape) == 3 and each.shape[1] != 1]
    for table in tables:
        rows, values = (table.shape or ())[1:]
        beside = [each for each in outputs if each is not table and (each.shape or ())[1:2] == (rows,)]
        if beside and (rows is not None or values == CORNERS):
            return [table, *beside]
    return []


def not_one_row(tensor: Tensor, inputs: Sequence[Tensor] = ()) -> str:
    """One sentence on an output with more than one row of numbers for an image."""
    if len(tensor.shape or ()) <= 3 and not _is_as_large_as_the_image(tensor, inputs):
        what = "a network that gives a table of numbers for each image, as object detectors do"
    else:
        what = "a network that gives a map of the image, as those for segmentation, depth and poses do"
    return _is(what, [tensor])


def _is_as_large_as_the_image(tensor: Tensor, inputs: Sequence[Tensor]) -> bool:
    sizes = {size for each in inputs for size in (each.shape or ())[1:] if size}
    return set((tensor.shape or ())[1:]) <= sizes


def _is(what: str, shown_by: Sequence[Tensor]) -> str:
    return f"It is {what}: it gives {listed(shown_by[:3])}. {NEEDED}"


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))


def _long(sizes: Sequence[int | None]) -> int:
    return sum(size != 1 for size in sizes)
