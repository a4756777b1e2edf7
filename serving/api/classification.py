"""Classify: the signatures that can do it, and their outputs as a ClassificationResult.

Format: tensorflow_serving/apis/classification.proto and
https://www.tensorflow.org/tfx/serving/signature_defs; messages have TensorFlow Serving's wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from tensorflow_serving.apis import classification_pb2

from serving.errors import InvalidArgument
from serving.values.json_arrays import shortest
from serving.values.signatures import CLASSIFY_METHOD, Signature

INPUTS, CLASSES, SCORES = "inputs", "classes", "scores"
METHOD, RESULT_FIELD = CLASSIFY_METHOD, "classification_result"
Response = classification_pb2.ClassificationResponse


def outputs_of(signature: Signature) -> tuple[str, ...]:
    """The outputs to compute. Raises InvalidArgument when the signature can't classify.

    The method name may be another if everything else fits: TensorFlow 2 exports all signatures as predict
    signatures.
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
    """The outputs for `count` examples as classes. Raises InvalidArgument for outputs of other shapes."""
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
    """For every example its [label, score] pairs; without labels in the model, the labels are ""."""
    examples = []
    for row in answer.classifications:
        scores = shortest(np.array([item.score for item in row.classes], np.float32))
        examples.append([[item.label, score] for item, score in zip(row.classes, scores, strict=True)])
    return examples


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
