"""SavedModels that take encoded images already, but answer otherwise than the contract says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from models.convert.ends import scores_of
from models.convert.labels import find_labels, label_count
from models.convert.network import Network
from models.convert.proof import SAMPLE
from models.convert.wanted import Say, Wanted
from models.image_model import labelled
from models.kinds import Found
from models.problems import ModelProblem, first_line
from models.tensors import Signature

CONTRACT = {"classes", "scores"}


def takes_images(network: Network, wanted: Wanted) -> Signature | None:
    """The signature that takes any number of texts, which are images as far as its type says."""
    asked = (each for each in network.signatures if wanted.signature in (None, each.name))
    return next((each for each in asked if len(each.inputs) == 1 and each.inputs[0].is_images), None)


def write(found: Found, network: Network, directory: Path, wanted: Wanted, say: Say) -> dict[str, Any]:
    """Its signature as `predict_images`: passed on, or with labels where it gives scores only."""
    signature = takes_images(network, wanted)
    if signature is None:
        raise ValueError("none of its signatures takes texts")
    name = signature.inputs[0].name
    say(f"signature {signature.name} takes encoded images (--signature)")
    tried = _try(found, network, signature, wanted.photo or SAMPLE)
    labels, output = [], ""
    if not tried.keys() >= CONTRACT:
        output = scores_of(signature, wanted, label_count(wanted, ()), say).name
        labels = find_labels(wanted, (), int(tried[output].shape[-1]), say)

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = network.call(signature.name, {name: images})
        return labelled(outputs[output], labels) if labels else dict(outputs)

    stored = tf.Module()
    stored.kept = list(network.keep)
    function = tf.function(predict, input_signature=[tf.TensorSpec([None], tf.string, "images")])
    tf.saved_model.save(stored, str(directory), {"predict_images": function, "serving_default": function})
    return {"labels": labels} if labels else {}


def _try(found: Found, network: Network, signature: Signature, photo: Path) -> dict[str, tf.Tensor]:
    """Its answer to one photo: types can't tell images from serialised tf.Examples."""
    try:
        images = tf.constant([photo.read_bytes()])
        return dict(network.call(signature.name, {signature.inputs[0].name: images}))
    except (tf.errors.OpError, ValueError) as problem:
        raise ModelProblem(
            f"{found.path}: the signature {signature} does not take {photo.name}: {first_line(problem)} "
            "If it takes serialised tf.Examples, export one for images or pixels; if another takes pixels, "
            "name it with --signature."
        ) from problem
