"""Converts SavedModels that take encoded images already, but have other signatures or outputs than we ask."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from models.convert.proof import SAMPLE
from models.formats.kinds import Found
from models.image_model import labelled
from models.interface.ends import scores_of
from models.interface.labels import find_labels, label_count
from models.interface.pixels import Pixels
from models.interface.scores import is_logits, made_up, rows_of
from models.interface.wanted import Say, Wanted
from models.networks.network import Network
from models.problems import ModelProblem, what_went_wrong
from models.task import other_than_classifier
from models.tensors import Signature

CONTRACT = {"classes", "scores"}
MADE_UP = Pixels("", "", (96, 128), dtype="uint8")
Answers = dict[str, tf.Tensor]


def takes_images(network: Network, wanted: Wanted) -> Signature | None:
    """The signature whose one input is texts [n], which by its type may be images; None if none is."""
    for signature in network.signatures:
        is_wanted = wanted.signature in (None, signature.name)
        if is_wanted and len(signature.inputs) == 1 and signature.inputs[0].is_images:
            return signature
    return None


def write(found: Found, network: Network, directory: Path, wanted: Wanted, say: Say) -> dict[str, Any]:
    """Write its signature as `predict_images`, with labels if it gives scores only. Returns card sections."""
    signature = takes_images(network, wanted)
    if signature is None:
        raise ValueError("none of its signatures takes texts")
    name, photo = signature.inputs[0].name, wanted.photo or SAMPLE
    say(f"signature {signature.name} takes encoded images (--signature)")
    if {output.name for output in signature.outputs} >= CONTRACT:
        if other := other_than_classifier(signature):
            raise ModelProblem(other)
        _try(found, network, signature, photo.name, photo.read_bytes())
        labels, softmax, output_name = [], False, ""
    else:
        output_name = scores_of(signature, wanted, label_count(wanted, ()), say).name
        scores = _scores(found, network, signature, output_name, photo)
        softmax = is_logits(scores, MADE_UP, wanted, say)
        labels = find_labels(wanted, (), scores.shape[-1], say)

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = network.call(signature.name, {name: images})
        if not labels:
            return dict(outputs)
        scores = tf.cast(tf.reshape(outputs[output_name], (-1, len(labels))), tf.float32)
        return labelled(tf.nn.softmax(scores) if softmax else scores, labels)

    stored = tf.Module()
    stored.kept = list(network.keep)
    function = tf.function(predict, input_signature=[tf.TensorSpec([None], tf.string, "images")])
    tf.saved_model.save(stored, str(directory), {"predict_images": function, "serving_default": function})
    return {"labels": labels} if labels else {}


def _scores(found: Found, network: Network, signature: Signature, output: str, photo: Path) -> np.ndarray:
    """Scores [images, classes] for the photo, and for made-up images if it takes PNG."""
    tensor = next(tensor for tensor in signature.outputs if tensor.name == output)
    answers = [_try(found, network, signature, photo.name, photo.read_bytes())]
    for levels in made_up(MADE_UP, 1):
        with suppress(ModelProblem):
            image = tf.io.encode_png(levels[0]).numpy()
            answers.append(_try(found, network, signature, "a made-up PNG", image))
    return np.concatenate([rows_of(answer[output].numpy(), 1, tensor) for answer in answers])


def _try(found: Found, network: Network, signature: Signature, name: str, image: bytes) -> Answers:
    """The outputs for one image. Raises ModelProblem: by type, the input may also be tf.Examples."""
    try:
        images = tf.constant([image])
        return dict(network.call(signature.name, {signature.inputs[0].name: images}))
    except (tf.errors.OpError, ValueError) as problem:
        raise ModelProblem(
            f"{found.path}: the signature {signature} does not take {name}: {what_went_wrong(problem)} "
            "If it takes serialised tf.Examples, export a signature for images or pixels; if another takes "
            "pixels, name it with --signature."
        ) from problem
