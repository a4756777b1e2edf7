"""Loads whole Keras models: `.keras`, and HDF5 as Keras 1 and 2 wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.formats.kinds import Found
from models.interface.pixels import Hints
from models.interface.preprocess import of_architecture
from models.interface.wanted import Wanted
from models.networks.keras_2 import for_keras_3
from models.networks.network import Network
from models.problems import ModelProblem, first_line
from models.tensors import Signature, Tensor

CALL = "call"
RESCALING = ("Rescaling", "Normalization")


def load(found: Found, _: Wanted) -> Network:
    """Raises ModelProblem with Keras' own words, for instance on layers that are code of the user's own."""
    import keras

    try:
        with for_keras_3(found) as file:
            model = keras.models.load_model(file, compile=False)
    except Exception as problem:  # Keras raises whatever its layers raise
        raise ModelProblem(
            f"Keras {keras.__version__} can't load {found.path}: {_reason(problem)}. Load it with the Keras "
            "and the code that made it, and export a SavedModel: model.export(DIR), in Keras 2 "
            "tf.saved_model.save(model, DIR); then convert that."
        ) from problem
    if not getattr(model, "inputs", None) or not model.outputs:
        raise ModelProblem(
            f"{found.path} does not say what it takes: it was saved before it was built. Call the model once "
            "on an image where it was made, and save it again."
        )
    signature = Signature(CALL, _tensors(model.inputs), _tensors(model.outputs))

    def call(_: str, inputs: Any) -> dict[str, Any]:
        outputs = model(
            list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values())), training=False
        )
        listed = outputs if isinstance(outputs, list | tuple) else [outputs]
        return {tensor.name: output for tensor, output in zip(signature.outputs, listed, strict=True)}

    variables = [each.value for each in model.variables]
    return Network([signature], call, variables, _hints(model))


def _reason(problem: Exception) -> str:
    """Its first sentence: further ones name functions, or show the whole configuration."""
    return first_line(problem).partition(". ")[0].rstrip(".")


def _tensors(tensors: Sequence[Any]) -> list[Tensor]:
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    types = [types_pb2.DataType.Name(tf.as_dtype(each.dtype).as_datatype_enum) for each in tensors]
    return [Tensor(each.name, name, tuple(each.shape)) for each, name in zip(tensors, types, strict=True)]


def _hints(model: Any) -> Hints:
    """A layer of its own that rescales, else its architecture's usual preprocessing."""
    own = [layer.name for layer in _all_layers(model) if type(layer).__name__ in RESCALING]
    if own:
        return Hints(preset="raw", why=f"as its own layer {own[0]} does the rest")
    known = next(
        (preset for layer in [model, *_all_layers(model)] if (preset := of_architecture(layer.name))), None
    )
    return Hints(preset=known, why=f"as keras.applications does for {model.name}")


def _all_layers(model: Any) -> list[Any]:
    """Also those of models within the model."""
    layers = []
    for layer in model.layers:
        layers += [layer, *(_all_layers(layer) if hasattr(layer, "layers") else [])]
    return layers
