"""Lets a model of pixels take encoded images and answer with labels, as its card describes.

The signatures are the same as those of a SavedModel that does all of it in its graph: `decode_images`
(images to pixels), `classify_pixels` (pixels to classes, scores and probabilities), and both in one as
`predict_images` and `serving_default`. The card is `assets.extra/pixelcost.json` beside the model's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.errors import ImageUndecodable, LoadFailed, ServingError
from serving.images.pixels import LAYOUTS, Pixels
from serving.images.refused import ImageRefused
from serving.machine.process import keep_freed_memory
from serving.runtimes.base import About, Arrays, Model
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec
from serving.values.tensors import DTYPE_OF

CARD = Path("assets.extra") / "pixelcost.json"
DECODE, CLASSIFY, PREDICT = "decode_images", "classify_pixels", "predict_images"
TOP = 5


def read_card(directory: Path) -> Mapping[str, Any]:
    """The card in a version's directory; empty if there is none. Raises LoadFailed."""
    path = directory / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise LoadFailed(f"{path} can't be read: {problem}. Correct it, or remove it.") from problem
    if not isinstance(card, dict):
        raise LoadFailed(f"{path} must hold a JSON object. Correct it, or remove it.")
    return card


def with_image_signatures(model: Model, card: Mapping[str, Any]) -> Model:
    """`model` with the signatures above, if its card has a section "pixels".

    A model that takes bytes by itself stays as it is. Raises LoadFailed when card and model don't fit.
    """
    specs = (spec for signature in model.signatures.values() for spec in signature.inputs.values())
    takes_bytes = any(spec.dtype == types_pb2.DT_STRING for spec in specs)
    if "pixels" not in card or takes_bytes:
        return model
    if not isinstance(card["pixels"], dict):
        raise LoadFailed("The model's card, assets.extra/pixelcost.json: pixels is not an object.")
    pixels = Pixels.from_card(card["pixels"])
    keep_freed_memory()
    raw, pixels = _raw_signature(model, pixels)
    return ImageModel(model, raw, _as_taken(raw.inputs[pixels.input], pixels), _labels(card))


class ImageModel:
    """A model of pixels with decoding before it and labels behind it."""

    def __init__(self, model: Model, raw: Signature, pixels: Pixels, labels: Sequence[bytes]):
        self._model, self._raw, self._pixels = model, raw, pixels
        self._labels = np.array(labels, object)
        self.signatures = _signatures(raw, pixels, labels)

    @property
    def about(self) -> About:
        return self._model.about

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        if signature_name == DECODE:
            return {"pixels": self._decode(inputs["images"])}
        if signature_name == CLASSIFY:
            return self._classify(inputs["pixels"])
        return self._classify(self._decode(inputs["images"]))

    def close(self) -> None:
        self._model.close()

    def _decode(self, images: np.ndarray) -> np.ndarray:
        pixels = np.empty((len(images), *self._pixels.shape), self._pixels.dtype)
        for index, image in enumerate(images):
            try:
                pixels[index] = self._pixels.of(image)
            except ImageRefused as problem:
                raise ImageUndecodable(f"images[{index}] can't be decoded: {problem}.") from problem
        return pixels

    def _classify(self, pixels: np.ndarray) -> Arrays:
        scores = self._model.infer(self._raw.name, {self._pixels.input: pixels})[self._pixels.output]
        wanted = (len(pixels), len(self._labels))
        if scores.size != wanted[0] * wanted[1]:
            raise ServingError(
                f"The model returned scores {list(scores.shape)}, but its card has {wanted[1]} labels."
            )
        probabilities = self._pixels.scores_of(scores.reshape(wanted))
        if self._pixels.softmax:
            probabilities = _softmax(probabilities)
        # As in tf.math.top_k: of equal scores the first comes first.
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        return {
            "classes": self._labels[best],
            "probabilities": probabilities,
            "scores": np.take_along_axis(probabilities, best, axis=1),
        }


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _raw_signature(model: Model, pixels: Pixels) -> tuple[Signature, Pixels]:
    """The signature with the card's input alone and the card's output; the card, with the model's names.

    With one input and one output the names don't matter: formats of one model often name them differently.
    """
    for signature in model.signatures.values():
        if list(signature.inputs) == [pixels.input] and pixels.output in signature.outputs:
            return signature, pixels
    if len(model.signatures) == 1:
        (signature,) = model.signatures.values()
        if len(signature.inputs) == len(signature.outputs) == 1:
            return signature, replace(
                pixels, input=next(iter(signature.inputs)), output=next(iter(signature.outputs))
            )
    found = "; ".join(
        f"{signature.name}: {', '.join(signature.inputs)} -> {', '.join(signature.outputs)}"
        for signature in model.signatures.values()
    )
    raise LoadFailed(
        f"The model's card names the input {pixels.input!r} and the output {pixels.output!r}, but the model "
        f"has {found}. Correct pixels.input and pixels.output in assets.extra/pixelcost.json."
    )


def _as_taken(spec: TensorSpec, pixels: Pixels) -> Pixels:
    """In the card's layout if it fits the input, else in the other: some formats turn NHWC into NCHW."""
    any_batch = TensorSpec(spec.dtype, None if spec.shape is None else (None, *spec.shape[1:]))
    for layout in (pixels.layout, *LAYOUTS):
        turned = replace(pixels, layout=layout)
        example = np.empty((1, *turned.shape), turned.dtype)
        if DTYPE_OF[example.dtype] == spec.dtype and any_batch.fits(example):
            return turned
    raise LoadFailed(
        f"The model's card makes {pixels.dtype} {list(pixels.shape)} of every image, but the input "
        f"{pixels.input!r} is {spec}. Correct the section pixels of assets.extra/pixelcost.json."
    )


def _labels(card: Mapping[str, Any]) -> list[bytes]:
    labels = card.get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise LoadFailed(
            "The model's card has a section pixels but no labels. Add them to assets.extra/pixelcost.json: "
            "a list of names in the order of the model's scores."
        )
    return [label.encode() for label in labels]


def _signatures(raw: Signature, pixels: Pixels, labels: Sequence[bytes]) -> dict[str, Signature]:
    into, out = raw.inputs[pixels.input], raw.outputs[pixels.output]
    batch = into.shape[0] if into.shape else None
    if out.shape and out.shape[-1] not in {None, len(labels)}:
        raise LoadFailed(
            f"The model's card has {len(labels)} labels, but the model returns {out.shape[-1]} scores. "
            "Correct the labels in assets.extra/pixelcost.json."
        )
    top = min(TOP, len(labels))
    encoded = {"images": TensorSpec(types_pb2.DT_STRING, (batch,))}
    decoded = {"pixels": TensorSpec(into.dtype, (batch, *pixels.shape))}
    answer = {
        "classes": TensorSpec(types_pb2.DT_STRING, (batch, top)),
        "probabilities": TensorSpec(types_pb2.DT_FLOAT, (batch, len(labels))),
        "scores": TensorSpec(types_pb2.DT_FLOAT, (batch, top)),
    }
    ends = {
        DECODE: (encoded, decoded),
        CLASSIFY: (decoded, answer),
        PREDICT: (encoded, answer),
        DEFAULT_SIGNATURE: (encoded, answer),
    }
    return {name: Signature(name, inputs, outputs) for name, (inputs, outputs) in ends.items()}
