"""Loads whole Keras models: `.keras`, and HDF5 as Keras 1 and 2 wrote it."""

from __future__ import annotations

from typing import Any

from models.formats.kinds import Found
from models.interface.pixels import Hints, of_architecture
from models.interface.wanted import Wanted
from models.networks.keras_2 import for_keras_3
from models.networks.network import Network, tensor_of
from models.problems import ModelProblem, what_went_wrong
from models.tensors import Signature

CALL = "call"
RESCALING = ("Rescaling", "Normalization")


def load(found: Found, _: Wanted) -> Network:
    """A whole Keras model. Raises ModelProblem with Keras' message, for instance for a user's own layers."""
    import keras

    try:
        with for_keras_3(found) as file:
            model = keras.models.load_model(file, compile=False)
    except Exception as problem:  # its layers raise errors of many types
        reason = (
            what_went_wrong(problem).partition(". ")[0].rstrip(".")
        )  # the rest may be a whole configuration
        raise ModelProblem(
            f"Keras {keras.__version__} can't load {found.path}: {reason}. Load it with the Keras "
            "and the code that made it, and export a SavedModel: model.export(DIR), in Keras 2 "
            "tf.saved_model.save(model, DIR); then convert that."
        ) from problem
    if not getattr(model, "inputs", None) or not model.outputs:
        raise ModelProblem(
            f"{found.path} does not say what it takes: it was saved before it was built. Where it was made, "
            "call the model once on an image, then save it again."
        )
    inputs, outputs = (
        [tensor_of(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors]
        for tensors in (model.inputs, model.outputs)
    )
    signature = Signature(CALL, inputs, outputs)

    def call(_: str, inputs: Any) -> dict[str, Any]:
        values = list(inputs.values())
        outputs = model(values if len(values) > 1 else values[0], training=False)
        listed = outputs if isinstance(outputs, list | tuple) else [outputs]
        return {tensor.name: output for tensor, output in zip(signature.outputs, listed, strict=True)}

    variables = [variable.value for variable in model.variables]
    return Network([signature], call, variables, _hints(model))


def _hints(model: Any) -> Hints:
    """The preprocessing: done by a layer of the model that rescales, else as usual for its architecture."""
    layers = _all_layers(model)
    own = [layer.name for layer in layers if type(layer).__name__ in RESCALING]
    if own:
        return Hints(preset="raw", why=f"as its own layer {own[0]} does the rest")
    known = next((preset for layer in [model, *layers] if (preset := of_architecture(layer.name))), None)
    return Hints(preset=known, why=f"as keras.applications does for {model.name}")


def _all_layers(model: Any) -> list[Any]:
    """Its layers, including those of models within the model."""
    layers = []
    for layer in model.layers:
        layers += [layer, *(_all_layers(layer) if hasattr(layer, "layers") else [])]
    return layers
