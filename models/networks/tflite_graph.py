"""Loads a TFLite classifier into TensorFlow, layer by layer."""

from __future__ import annotations

from typing import Any

from models.formats.kinds import Found
from models.interface.hints import hints_of, of_layers
from models.interface.wanted import Wanted
from models.layers import PIXELS, PROBABILITIES
from models.networks.network import Network
from models.networks.tflite_layers import layers_of
from models.tensors import Signature, Tensor

CALL = "call"


def load(found: Found, _: Wanted) -> Network:
    """Raises ModelProblem where it has operators that are not known."""
    from models.layer_graph import LayerGraph

    network = layers_of(found.path)
    graph = LayerGraph(network)
    into = Tensor(PIXELS, "DT_FLOAT", (None, *network.sides_px, 3))
    out = Tensor(PROBABILITIES, "DT_FLOAT", (None, network.classes))

    def call(_: str, inputs: Any) -> dict[str, Any]:
        return {PROBABILITIES: graph(inputs[PIXELS])}

    return Network(
        [Signature(CALL, [into], [out])], call, [graph], of_layers(hints_of(found), network.sides_px)
    )
