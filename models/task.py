"""Recognises networks that are not classifiers (detectors, segmentation, ...) by their outputs.

Their names are those of TensorFlow's Object Detection API, of its TFLite operator, of torchvision's and
OpenMMLab's ONNX exports, and of Ultralytics' YOLO.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from models.tensors import Signature, Tensor, listed

NEEDED = (
    "Pixelcost compares classifiers, which give one score for each class of the whole image: export such a "
    "model, or the classifying part of this one."
)
# Only detectors have such outputs; single words, as below, may be part of a classifier's output names.
DETECTIONS = re.compile(r"(?:^|/)(?:raw_)?detection_|(?:^|/)num_detections|TFLite_Detection_PostProcess")
DETECTOR, MAPS, POSES = (
    "an object detector",
    "a network that segments images",
    "a network that finds poses or landmarks",
)
WORDS = {
    DETECTOR: {
        "box",
        "boxes",
        "bbox",
        "bboxes",
        "dets",
        "detections",
        "rois",
        "anchors",
        "mbox",
        "priorbox",
        "rpn",
    },
    MAPS: {"mask", "masks", "segmentation"},
    POSES: {"keypoint", "keypoints", "heatmap", "heatmaps", "landmarks"},
    "a network that gives feature vectors": {"embedding", "embeddings", "embeds", "embed"},
}
SSD = {"loc", "conf"}  # the names of its two heads
CORNERS = 4  # of a box
HALF_SIDES = 4  # times as many values has a map with twice the sides
FEATURES = {"feature", "features", "pooled", "pooler"}


def other_than_classifier(signature: Signature, output: str | None = None) -> str:
    """One sentence on what the network is if it is not a classifier; empty if it may be one.

    `output` is the one that the user named: it is believed to hold scores of classes unless its name or
    shape says otherwise.
    """
    outputs = [tensor for tensor in signature.outputs if output in (None, tensor.name)] or signature.outputs
    detections = [tensor for tensor in outputs if DETECTIONS.search(tensor.name)]
    if detections:
        return _is(DETECTOR, detections)
    if output is None and (other := _by_names_and_shapes(outputs)):
        return other
    if any(map(may_be_scores, outputs)):
        return ""
    tables = [tensor for tensor in outputs if tensor.shape and len(tensor.shape) > 2]
    if _is_pyramid(tables):
        return _is("a network that gives maps of several sizes, as the heads of object detectors do", tables)
    return not_one_row(tables[0], signature.inputs) if tables else ""


def _by_names_and_shapes(outputs: Sequence[Tensor]) -> str:
    """One sentence if several outputs belong together as those of another network do; else empty."""
    if candidates := _by_candidate(outputs):
        return _is(DETECTOR, candidates)
    if {word for tensor in outputs for word in _words(tensor.name)} >= SSD:
        return _is(DETECTOR, outputs)
    for what, words in WORDS.items():
        if named := [tensor for tensor in outputs if words & _words(tensor.name)]:
            return _is(what, named)
    return ""


def may_be_scores(tensor: Tensor) -> bool:
    """Whether an output can be [n, classes], perhaps with axes of size 1 behind or between."""
    if tensor.dtype not in {"DT_FLOAT", "DT_HALF", "DT_UINT8", "DT_INT8", "DT_DOUBLE"}:
        return False
    shape = tensor.shape
    return shape is None or (len(shape) >= 2 and sum(size != 1 for size in shape[1:]) <= 1)


def are_features(tensor: Tensor) -> bool:
    """Whether an output's name says that it holds features, from which a classifier computes its scores."""
    return bool(FEATURES & _words(tensor.name))


def _by_candidate(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Outputs that list the same candidates: boxes [n, 100, 4] beside scores [n, 100]. Empty if none do."""
    for table in outputs:
        if table.shape is None or len(table.shape) != 3:
            continue
        rows, values = table.shape[1:]
        if rows == 1 and values != CORNERS:
            continue
        beside = [other for other in outputs if other is not table and (other.shape or ())[1:2] == (rows,)]
        if beside and (rows is not None or values == CORNERS):
            return [table, *beside]
    return []


def _is_pyramid(tables: Sequence[Tensor]) -> bool:
    """Whether outputs are maps, some with half the sides of others: [1,255,26,26], [1,255,13,13]."""
    shapes = [tensor.shape or () for tensor in tables]
    if not all(len(shape) in (4, 5) and None not in shape[1:] for shape in shapes):
        return False
    sizes = {math.prod(size or 0 for size in shape[1:]) for shape in shapes}
    return any(HALF_SIDES * size in sizes for size in sizes)


def not_always_one_row(output: Tensor) -> str:
    """One sentence on a network whose answers to single images had different lengths, or none."""
    return _is("a network that gives a list of any length for each image, as object detectors do", [output])


def not_one_row(tensor: Tensor, inputs: Sequence[Tensor] = ()) -> str:
    """One sentence on a network with such an output: more than one row of numbers for an image."""
    shape = tensor.shape or ()
    image_sizes = {size for image in inputs for size in (image.shape or ())[1:] if size}
    if len(shape) <= 3 and not set(shape[1:]) <= image_sizes:
        what = "a network that gives a table of numbers for each image, as object detectors do"
    else:
        what = "a network that gives a map of the image, as those for segmentation, depth and poses do"
    return _is(what, [tensor])


def _is(what: str, shown_by: Sequence[Tensor]) -> str:
    return f"It is {what}: it gives {listed(shown_by[:3])}. {NEEDED}"


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
