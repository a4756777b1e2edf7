"""A loaded version of a model: its signatures, and how long every step of an answer took."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.errors import ImageUndecodable, InvalidArgument, ServingError
from serving.limits import EXPANDED_LIMIT_BYTES
from serving.models import batching
from serving.runtimes.base import Arrays, Model
from serving.values.signatures import DEFAULT_SIGNATURE, Signature
from serving.values.tensors import numpy_dtype

DECODE, CLASSIFY = "decode_images", "classify_pixels"
SPLIT = ("predict_images", DEFAULT_SIGNATURE)  # run as DECODE, then CLASSIFY, if the model has these too

NOT_THE_INPUT = {
    "RESOURCE_EXHAUSTED",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
}  # error codes


@dataclass(frozen=True)
class Result:
    """All outputs of a signature, and how long every step took."""

    outputs: Mapping[str, np.ndarray]
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class Servable:
    """A model in its runtime. Its methods may be called from several threads at once."""

    def __init__(self, model: Model):
        self._model = model
        self.about = model.about
        self.rows = batching.Rows()
        self.signatures: Mapping[str, Signature] = dict(model.signatures)
        self._split = {name for name in SPLIT if self._can_split(name)}

    def infer(self, signature_name: str, inputs: Arrays) -> Result:
        """Run a signature. Its inputs were checked before. Raises ServingError."""
        try:
            return self._infer(signature_name, inputs)
        except ServingError as problem:
            empty = next((alias for alias, array in inputs.items() if not array.size), None)
            if empty is None:
                why = self.signatures[signature_name].unlike(inputs)
            else:
                why = f"Input {empty!r} is empty: its shape is {list(inputs[empty].shape)}."
            if not why or problem.code in NOT_THE_INPUT:
                raise
            raise InvalidArgument(f"{why} {problem.message}") from problem

    def _infer(self, signature_name: str, inputs: Arrays) -> Result:
        started = time.perf_counter()
        # A value that stands for a whole tensor is expanded only now.
        inputs = {alias: np.asarray(array, order="C") for alias, array in inputs.items()}
        if signature_name == DECODE or signature_name in self._split:
            self._check_decoded(inputs)
        if signature_name not in self._split:
            outputs = self._model.infer(signature_name, inputs)
            return Result(outputs, {"inference": _ms_since(started)})
        pixels = self._decode(inputs)
        decoded = time.perf_counter()
        # DECODE may have more outputs, such as a checksum for clients that time it.
        only_inputs = {alias: pixels[alias] for alias in self.signatures[CLASSIFY].inputs}
        outputs = self._model.infer(CLASSIFY, only_inputs)
        return Result(outputs, {"decode": (decoded - started) * 1e3, "inference": _ms_since(decoded)})

    def close(self) -> None:
        """Give the memory back. Nothing may be called after this."""
        self._model.close()

    def _check_decoded(self, inputs: Arrays) -> None:
        """Limit the pixels of a request: images of a few bytes may decode to megabytes. One is always taken.

        Raises InvalidArgument.
        """
        count = batching.size_of(inputs) or 1
        for spec in self.signatures[DECODE].outputs.values():
            if spec.shape is None or None in spec.shape[1:]:
                continue
            one_bytes = numpy_dtype(spec.dtype).itemsize * math.prod(size or 0 for size in spec.shape[1:])
            most = max(1, EXPANDED_LIMIT_BYTES // max(1, one_bytes))
            if count > most:
                raise InvalidArgument(
                    f"{count} images are too many at once: each becomes {one_bytes} bytes in this model, so "
                    f"at most {most} are taken. Send them in several requests."
                )

    def _decode(self, inputs: Arrays) -> Arrays:
        """Run DECODE. If it fails that is InvalidArgument, whatever code the model's graph gives it."""
        try:
            return self._model.infer(DECODE, inputs)
        except ImageUndecodable:
            raise
        except ServingError as problem:
            if problem.code in NOT_THE_INPUT:
                raise
            raise InvalidArgument(self._blame(inputs, problem.message)) from problem

    def _blame(self, inputs: Arrays, message: str) -> str:
        """A sentence that names the bad image, found by decoding the images one by one."""
        ((alias, images),) = inputs.items()
        for index in range(len(images)):
            try:
                self._model.infer(DECODE, {alias: images[index : index + 1]})
            except ServingError as problem:
                return f"{alias}[{index}] can't be decoded: {problem.message}"
        return f"{alias} can't be decoded: {message}"

    def _can_split(self, name: str) -> bool:
        if not {name, DECODE, CLASSIFY} <= self.signatures.keys():
            return False
        whole, decode, classify = (self.signatures[key] for key in (name, DECODE, CLASSIFY))
        return (
            whole.inputs == decode.inputs
            and len(decode.inputs) == 1
            and classify.inputs.items() <= decode.outputs.items()
            and classify.outputs == whole.outputs
        )


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
