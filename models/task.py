"""Recognises networks that are not classifiers (detectors, segmentation, ...) by their outputs.

Their names are those of TensorFlow's Object Detection API, of its TFLite operator, of torchvision's and
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
# Only detectors have such outputs; single words, as below, may be part of a classifier's output names.
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
    """One sentence on what the network is if it is not a classifier; empty if it may be one.

    `output` is the one that the user named: it is believed to hold scores of classes unless its name or
    shape says otherwise.
    """
    outputs = [tensor for tensor in signature.outputs if output in (None, tensor.name)] or signature.outputs
    detections = [tensor for tensor in outputs if DETECTIONS.search(tensor.name)]
    if detections:
        return _is(DETECTOR, detections)
    if output is None:
        if candidates := _by_candidate(outputs):
            return _is(DETECTOR, candidates)
        for what, words in WORDS.items():
            if named := [tensor for tensor in outputs if words & _words(tensor.name)]:
                return _is(what, named)
    if any(map(may_be_scores, outputs)):
        return ""
    tables = [tensor for tensor in outputs if tensor.shape and len(tensor.shape) > 2]
    return not_one_row(tables[0], signature.inputs) if tables else ""


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
        if table.shape is None or len(table.shape) != 3 or table.shape[1] == 1:
            continue
        rows, values = table.shape[1:]
        beside = [other for other in outputs if other is not table and (other.shape or ())[1:2] == (rows,)]
        if beside and (rows is not None or values == CORNERS):
            return [table, *beside]
    return []


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
