"""A loaded model version, ready for requests: what it can be asked, and where the time of an answer went."""

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
SPLIT = ("predict_images", DEFAULT_SIGNATURE)  # run as DECODE, then CLASSIFY, where these fit

NOT_THE_INPUT = {"RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}  # codes of what is not its fault


@dataclass(frozen=True)
class Result:
    """Every output of a signature, and how long each step took."""

    outputs: Mapping[str, np.ndarray]
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class Servable:
    """One model of one runtime. May be asked from several threads at once."""

    def __init__(self, model: Model):
        self._model = model
        self.about = model.about
        self.rows = batching.Rows()
        self.signatures: Mapping[str, Signature] = dict(model.signatures)
        self._split = {name for name in SPLIT if self._can_split(name)}

    def infer(self, signature_name: str, inputs: Arrays) -> Result:
        """Run a signature. The inputs must fit it. Raises ServingError."""
        try:
            return self._infer(signature_name, inputs)
        except ServingError as problem:
            why = self._odd_input(signature_name, inputs)
            if not why or problem.code in NOT_THE_INPUT:
                raise
            raise InvalidArgument(f"{why} {problem.message}") from problem

    def _odd_input(self, signature_name: str, inputs: Arrays) -> str:
        """What is odd about an input, so that a run of it failed; empty if nothing is."""
        for alias, array in inputs.items():
            if not array.size:
                return f"Input {alias!r} is empty: its shape is {list(array.shape)}."
        return self.signatures[signature_name].unlike(inputs)

    def _infer(self, signature_name: str, inputs: Arrays) -> Result:
        started = time.perf_counter()
        # One value that stands for all takes its memory only now.
        inputs = {alias: np.asarray(array, order="C") for alias, array in inputs.items()}
        if signature_name == DECODE or signature_name in self._split:
            self._check_decoded(inputs)
        if signature_name not in self._split:
            outputs = self._model.infer(signature_name, inputs)
            return Result(outputs, {"inference": _ms_since(started)})
        pixels = self._only_pixels(self._decode(inputs))
        decoded = time.perf_counter()
        outputs = self._model.infer(CLASSIFY, pixels)
        return Result(outputs, {"decode": (decoded - started) * 1e3, "inference": _ms_since(decoded)})

    def close(self) -> None:
        """Give the memory back. Nobody asks any more."""
        self._model.close()

    def _only_pixels(self, decoded: Arrays) -> Arrays:
        """What CLASSIFY takes. DECODE may give more, such as a checksum for clients that time it."""
        return {name: decoded[name] for name in self.signatures[CLASSIFY].inputs}

    def _check_decoded(self, inputs: Arrays) -> None:
        """Images of a few bytes each become pixels of a megabyte each. One is always taken."""
        count = batching.size_of(inputs) or 1
        for spec in self.signatures[DECODE].outputs.values():
            if spec.shape is None or None in spec.shape[1:]:
                continue
            one_bytes = numpy_dtype(spec.dtype).itemsize * math.prod(size or 0 for size in spec.shape[1:])
            most = max(1, EXPANDED_LIMIT_BYTES // max(1, one_bytes))
            if count > most:
                raise InvalidArgument(
                    f"{count} images are too many at once: this model makes {one_bytes} bytes of each, so at "
                    f"most {most} are taken. Send them in several requests."
                )

    def _decode(self, inputs: Arrays) -> Arrays:
        """Bad bytes are the client's fault, whatever code the decoder gives them."""
        try:
            return self._model.infer(DECODE, inputs)
        except ImageUndecodable:
            raise
        except ServingError as problem:
            if problem.code in NOT_THE_INPUT:
                raise
            raise InvalidArgument(self._blame(inputs, problem.message)) from problem

    def _blame(self, inputs: Arrays, message: str) -> str:
        """Which of the images it was. Only a failed batch pays for finding out."""
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
