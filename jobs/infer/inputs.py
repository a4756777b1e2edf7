"""Which signature and which inputs of the model a request's arrays belong to, and whether they fit.

The clients of Cluster Serving name arrays as they like and send floats whatever the model takes. So with one
array for one input the name does not count, and numbers are converted if none of them changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiment.backends.base import RequestFailed
from experiment.backends.grpc import names_of
from experiment.backends.model_spec import InputSpec, Signatures, all_inputs, by_preference
from experiment.records import BackendInfo
from jobs.infer.tensors import TYPES


@dataclass(frozen=True, slots=True)
class Fitted:
    """Arrays under the model's names and in its types, without the batch dimension."""

    signature: str
    arrays: Mapping[str, np.ndarray]
    batching: (
        str  # "any": many in one request; "one": only [1, ...]; "none": the model has no batch dimension
    )

    @property
    def group(self) -> tuple[object, ...]:
        """Requests with the same one go together."""
        shapes = sorted((name, array.shape, str(array.dtype)) for name, array in self.arrays.items())
        return (self.signature, *shapes)


def fit(
    info: BackendInfo, signatures: Signatures, arrays: Mapping[str, np.ndarray], is_batch: bool = False
) -> Fitted:
    """The arrays as the model takes them; with `is_batch` they have their batch dimension already.

    Raises RequestFailed: "bad_request" with what the model takes instead, "not_found" if it takes nothing.
    """
    candidates = by_preference(info, signatures)
    if not candidates:
        raise RequestFailed("not_found", f"The model of {info.name} has no signature for Predict.")
    reasons = []
    for signature in candidates:
        specs = all_inputs(signatures, signature)
        try:
            renamed = _renamed(specs, arrays)
            fitted = {name: converted(specs[name], array, is_batch) for name, array in renamed.items()}
        except ValueError as why:
            reasons.append(str(why))
        else:
            return Fitted(signature, fitted, "none" if is_batch else _batching(list(specs.values())))
    raise RequestFailed("bad_request", reasons[0])


def converted(spec: InputSpec, array: np.ndarray, is_batch: bool = False) -> np.ndarray:
    """The array in the input's type. Raises ValueError with a sentence."""
    kind = TYPES.get(spec.dtype)
    is_text = array.dtype == object
    if kind is None or is_text == spec.takes_numbers:
        sent = "text or an image" if is_text else "numbers"
        takes = spec.words if spec.takes_numbers else "text or encoded images"
        raise ValueError(f"The input {spec.name} takes {takes}; the job has {sent}.")
    if is_batch and not array.ndim:
        raise ValueError(f"The input {spec.name} takes a batch; the job has one number.")
    shape = array.shape[1:] if is_batch else array.shape
    wanted = spec.example_shape if spec.shape is not None else shape
    if is_text and not is_batch and shape == (1,) and wanted == ():
        array, shape = array.reshape(()), ()  # Cluster Serving's clients send a text as an array of one
    if len(wanted) != len(shape) or any(
        side not in {None, given} for side, given in zip(wanted, shape, strict=True)
    ):
        given = f"an array of shape {' x '.join(map(str, shape))}" if shape else "a single value"
        what = spec.words if spec.takes_numbers else f"texts of shape {list(wanted)}"
        raise ValueError(f"The input {spec.name} takes {what}; the job has {given}.")
    with np.errstate(all="ignore"):
        made = array.astype(kind.dtype)
    if np.dtype(kind.dtype).kind in "iub" and not np.array_equal(made, array):
        raise ValueError(
            f"The input {spec.name} takes whole numbers ({spec.dtype[3:].lower()}); the job has others."
        )
    return made


def _renamed(specs: Mapping[str, InputSpec], arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    if set(specs) == set(arrays):
        return arrays
    if len(specs) == len(arrays) == 1:
        return dict(zip(specs, arrays.values(), strict=True))
    raise ValueError(f"The model's inputs are {names_of(specs) or 'none'}; the job has {names_of(arrays)}.")


def _batching(specs: list[InputSpec]) -> str:
    firsts = {spec.shape[0] if spec.shape else None for spec in specs if spec.shape != ()}
    if any(spec.shape == () for spec in specs) or firsts - {None, 1}:
        return "none"
    return "one" if 1 in firsts else "any"
