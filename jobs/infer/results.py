"""From a model's outputs for a batch to the result of each job."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from experiment.backends.answers import bad_answer, top_labels
from experiment.backends.grpc import names_of
from experiment.protocol import tensor_pb2
from experiment.records import BackendInfo
from jobs.infer.tensors import to_array

SCORES_OF_ALL: Final = "probabilities"  # the output with the scores of all classes
MOST_VALUES: Final = 100_000  # of one job, as JSON; the array for Cluster Serving's clients has all of them


def arrays_of(info: BackendInfo, outputs: Mapping[str, tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
    """The outputs as arrays. Raises RequestFailed("bad_answer")."""
    arrays = {}
    for name in sorted(outputs):
        try:
            arrays[name] = to_array(outputs[name])
        except ValueError as why:
            raise bad_answer(info, f"{names_of([name])} {why}.") from None
    return arrays


def rows_of(
    info: BackendInfo, outputs: Mapping[str, np.ndarray], count: int
) -> Iterator[dict[str, np.ndarray]]:
    """The outputs of each of `count` examples. Raises RequestFailed("bad_answer")."""
    for name, array in outputs.items():
        if array.ndim < 1 or len(array) != count:
            raise bad_answer(
                info,
                f"{names_of([name])} of shape {list(array.shape)} to {count}; [{count}, ...] is expected.",
            )
    for row in range(count):
        yield {name: array[row] for name, array in outputs.items()}


def classes_of(info: BackendInfo, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The result of one photo as JSON: `top`, the five best labels. Raises RequestFailed("bad_answer")."""
    missing = [name for name in ("classes", "scores") if name not in outputs]
    if missing:
        found = names_of(outputs) or "nothing"
        raise bad_answer(info, f"without {' and '.join(missing)}. It returned: {found}.")
    classes, scores = (outputs[name].ravel().tolist() for name in ("classes", "scores"))
    top = top_labels(info, classes, scores)
    return {"top": [{"label": label.label, "score": label.score} for label in top]}


def numbers_of(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The result of a model of numbers as JSON: `outputs`, each as nested lists; `outputs` is None and
    `shapes` says what there is, if it is more than MOST_VALUES."""
    if sum(array.size for array in outputs.values()) > MOST_VALUES:
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        return {"outputs": None, "shapes": shapes}
    return {"outputs": {name: _plain(array.tolist()) for name, array in outputs.items()}}


def scores_of_all(
    info: BackendInfo, outputs: Mapping[str, np.ndarray], top_n: int | None
) -> np.ndarray | None:
    """What Cluster Serving's clients get of a photo: the scores of all classes [n], or with `top_n` the best
    as [top_n, 2], class number and score. None: the model does not return them.

    Raises RequestFailed("bad_answer") for scores that are not numbers.
    """
    scores = outputs.get(SCORES_OF_ALL)
    if scores is None or scores.dtype.kind != "f" or not scores.size:
        return None
    if not np.isfinite(scores).all():
        raise bad_answer(info, "probabilities that are not numbers.")
    scores = scores.ravel().astype(np.float32)
    return scores if top_n is None else best(scores, top_n)


def numbers_for_old(
    outputs: Mapping[str, np.ndarray], top_n: int | None
) -> np.ndarray | tuple[np.ndarray, ...] | None:
    """What Cluster Serving's clients get of a model of numbers: its output, or of several outputs one after
    another by name. With `top_n`, the best of an output that has scores. None: no output has numbers."""
    arrays = [array for array in outputs.values() if array.dtype != object and array.size]
    if top_n is not None:
        scores = [array for array in arrays if array.dtype.kind == "f" and array.size > 1]
        if len(scores) == 1:
            return best(scores[0].ravel(), top_n)
    if not arrays:
        return None
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def best(scores: np.ndarray, top_n: int) -> np.ndarray:
    """The `top_n` best of the scores [n], best first: [top_n, 2], their places and values."""
    order = np.argsort(-scores, kind="stable")[:top_n]
    return np.stack([order.astype(np.float32), scores[order].astype(np.float32)], axis=1)


def _plain(value: Any) -> Any:
    """As JSON can have it: text for bytes, None for what is not a finite number."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
