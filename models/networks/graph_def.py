"""Loads frozen graphs: a GraphDef whose variables have become constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.formats.kinds import Found
from models.formats.sniff import Damaged
from models.interface.hints import hints_of
from models.interface.wanted import Wanted
from models.networks.network import Network
from models.problems import ModelProblem, first_line
from models.tensors import Signature, Tensor

GRAPH = "graph"
VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
NO_RESULTS = {"Placeholder", "Const", "NoOp", "Assert"}


def load(found: Found, wanted: Wanted) -> Network:
    """Its ends: placeholders and what nothing reads, or what the user names. Raises ModelProblem."""
    import tensorflow as tf

    definition = _parse(found)
    if any(node.op in VARIABLES for node in definition.node):
        raise ModelProblem(
            f"{found.path} has variables without their values: it is not frozen. Export a SavedModel, or "
            "freeze it with its checkpoint."
        )
    try:
        graph = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    except Exception as problem:  # for instance an operation that this TensorFlow does not know
        raise ModelProblem(f"TensorFlow can't load {found.path}: {first_line(problem)}") from problem
    outputs = [_named(graph.graph, wanted.output)] if wanted.output else _results(graph.graph)
    inputs = [_named(graph.graph, wanted.input)] if wanted.input else _placeholders(outputs)
    signature = Signature(GRAPH, [_tensor(each) for each in inputs], [_tensor(each) for each in outputs])
    try:
        pruned = graph.prune(inputs, outputs)
    except Exception as problem:
        raise ModelProblem(
            f"{signature} is not a complete computation: {first_line(problem)} Name --input and --output."
        ) from problem

    def call(_: str, given: Any) -> dict[str, Any]:
        results = pruned(*given.values())
        return {tensor.name: result for tensor, result in zip(signature.outputs, results, strict=True)}

    return Network([signature], call, [pruned], hints_of(found))


def _parse(found: Found) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    try:
        return graph_pb2.GraphDef.FromString(found.path.read_bytes())
    except DecodeError as problem:
        raise Damaged(found.path, found.kind.name, str(problem)) from problem


def _named(graph: Any, name: str) -> Any:
    """A tensor by its name, or the first one of the operation with that name."""
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError) as problem:
        ends = ", ".join(each.name for each in _results(graph))
        raise ModelProblem(f"The graph has no tensor {name!r}. It ends with {ends}.") from problem


def _results(graph: Any) -> list[Any]:
    """What nothing reads."""
    operations = (each for each in graph.get_operations() if each.type not in NO_RESULTS)
    return [
        output
        for each in operations
        for output in each.outputs
        if not any(out.consumers() for out in each.outputs)
    ]


def _placeholders(outputs: Sequence[Any]) -> list[Any]:
    """Those that the outputs are computed from."""
    seen: dict[str, Any] = {}
    waiting = [output.op for output in outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen[operation.name] = operation
            waiting += [each.op for each in operation.inputs]
    return [each.outputs[0] for each in seen.values() if each.type == "Placeholder"]


def _tensor(tensor: Any) -> Tensor:
    from tensorflow.core.framework import types_pb2

    name = types_pb2.DataType.Name(tensor.dtype.as_datatype_enum)
    return Tensor(
        tensor.name.removesuffix(":0"), name, None if tensor.shape.rank is None else tuple(tensor.shape)
    )
