"""Loads SavedModels of TensorFlow 1 and 2, whatever their signatures."""

from __future__ import annotations

from typing import Any

from models.formats.kinds import Found
from models.formats.saved_model import look_into
from models.interface.hints import hints_of
from models.interface.wanted import Wanted
from models.networks.network import Network
from models.problems import ModelProblem, first_line


def load(found: Found, _: Wanted) -> Network:
    """Raises ModelProblem."""
    import tensorflow as tf

    contents = look_into(found.path)
    try:
        loaded = tf.saved_model.load(str(found.path), contents.tags)
    except Exception as problem:  # whatever its operations raise
        raise ModelProblem(
            f"TensorFlow {tf.__version__} can't load {found.path}: {first_line(problem)}"
        ) from problem

    def call(signature: str, inputs: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = loaded.signatures[signature](**inputs)
        return outputs

    return Network(contents.as_signatures(), call, [loaded], hints_of(found))
