"""A loaded model version, ready for requests: what it can be asked, and where the time of an answer went."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from serving import batching
from serving.errors import ImageUndecodable, InvalidArgument, ServingError
from serving.runtimes import Arrays, Model
from serving.signatures import DEFAULT_SIGNATURE, Signature

DECODE, CLASSIFY = "decode_images", "classify_pixels"
SPLIT = ("predict_images", DEFAULT_SIGNATURE)  # run as DECODE, then CLASSIFY, where these fit


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
            empty = next((alias for alias, array in inputs.items() if not array.size), None)
            if empty is None:
                raise
            raise InvalidArgument(
                f"Input {empty!r} is empty: its shape is {list(inputs[empty].shape)}. {problem.message}"
            ) from problem

    def _infer(self, signature_name: str, inputs: Arrays) -> Result:
        started = time.perf_counter()
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

    def _decode(self, inputs: Arrays) -> Arrays:
        """Bad bytes are the client's fault, whatever code the decoder gives them."""
        try:
            return self._model.infer(DECODE, inputs)
        except ImageUndecodable:
            raise
        except ServingError as problem:
            if problem.code in {"RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}:
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
