"""Classify: which signatures can, and their outputs as a ClassificationResult.

Format: tensorflow_serving/apis/classification.proto and
https://www.tensorflow.org/tfx/serving/signature_defs; the wordings are TensorFlow Serving's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from tensorflow_serving.apis import classification_pb2

from serving.errors import InvalidArgument
from serving.values.json_arrays import shortest
from serving.values.signatures import CLASSIFY_METHOD, Signature

INPUTS, CLASSES, SCORES = "inputs", "classes", "scores"
METHOD = CLASSIFY_METHOD


def outputs_of(signature: Signature) -> tuple[str, ...]:
    """The outputs to compute. Raises InvalidArgument when the signature can't classify.

    Another method name is no obstacle if everything else fits: TensorFlow 2 calls each signature
    that it exports a predict signature.
    """
    wanted = tuple(name for name in (CLASSES, SCORES) if name in signature.outputs)
    if signature.method_name != METHOD and not (wanted and INPUTS in signature.inputs):
        raise InvalidArgument(
            f"Expected classification signature method_name to be {METHOD}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if INPUTS not in signature.inputs:
        raise InvalidArgument(f"No classification inputs found in SignatureDef: {signature.name}")
    if len(signature.outputs) not in (1, 2):
        raise InvalidArgument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if not wanted:
        raise InvalidArgument(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature.name}"
        )
    return wanted


def result(outputs: Mapping[str, np.ndarray], count: int) -> classification_pb2.ClassificationResult:
    """The classes of `count` examples. Raises InvalidArgument when the outputs can't be that."""
    classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
    _check(CLASSES, "DT_STRING", np.dtype(object), classes, count)
    _check(SCORES, "DT_FLOAT", np.dtype(np.float32), scores, count)
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise InvalidArgument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    rows = ({"classes": list(_row(classes, scores, index))} for index in range(count))
    return classification_pb2.ClassificationResult(classifications=rows)


def as_json(answer: classification_pb2.ClassificationResult) -> list[list[list[str | float]]]:
    """[label, score] pairs of each example; a label that the model does not give is ""."""
    return [
        [list(pair) for pair in zip((each.label for each in row.classes), _scores(row), strict=True)]
        for row in answer.classifications
    ]


def _scores(row: Any) -> list[float]:
    scores: list[float] = shortest(np.array([each.score for each in row.classes], np.float32))
    return scores


def _check(alias: str, dtype_name: str, dtype: np.dtype, array: np.ndarray | None, count: int) -> None:
    if array is None:
        return
    if array.ndim != 2:
        raise InvalidArgument(f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}")
    if array.dtype != dtype:
        raise InvalidArgument(f"Expected {alias} Tensor of {dtype_name}. Got: {array.dtype}")
    if len(array) != count:
        raise InvalidArgument(f"Expected {alias} output batch size of {count}. Got: {len(array)}")


def _row(
    classes: np.ndarray | None, scores: np.ndarray | None, index: int
) -> Iterator[classification_pb2.Class]:
    labels = [] if classes is None else [label.decode("utf-8", "replace") for label in classes[index]]
    values = [] if scores is None else scores[index].tolist()
    size = max(len(labels), len(values))
    for label, score in zip(labels or [""] * size, values or [0.0] * size, strict=True):
        yield classification_pb2.Class(label=label, score=score)
