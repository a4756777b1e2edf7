"""Loads SavedModels of TensorFlow 1 and 2, and frozen graphs (GraphDefs without variables)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.formats.kinds import Found
from models.formats.saved_model_reader import look_into
from models.formats.sniff import Damaged
from models.interface.hints import hints_of
from models.interface.wanted import Wanted
from models.networks.network import Network, tensor_of
from models.problems import ModelProblem, what_went_wrong
from models.tensors import Signature, Tensor

GRAPH = "graph"
VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
NO_RESULTS = {"Placeholder", "Const", "NoOp", "Assert"}


def load_saved_model(found: Found, _: Wanted) -> Network:
    """A SavedModel with all its signatures. Raises ModelProblem."""
    import tensorflow as tf

    contents = look_into(found.path)
    try:
        loaded = tf.saved_model.load(str(found.path), contents.tags)
    except Exception as problem:  # its operations raise errors of many types
        raise ModelProblem(
            f"TensorFlow {tf.__version__} can't load {found.path}: {what_went_wrong(problem)}"
        ) from problem

    def call(signature: str, inputs: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = loaded.signatures[signature](**inputs)
        return outputs

    return Network(contents.as_signatures(), call, [loaded], hints_of(found))


def load_graph_def(found: Found, wanted: Wanted) -> Network:
    """A frozen graph from its placeholders to the outputs that no other operation reads, or as the user says.

    Raises ModelProblem.
    """
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
        raise ModelProblem(f"TensorFlow can't load {found.path}: {what_went_wrong(problem)}") from problem
    outputs = [_named(graph.graph, wanted.output)] if wanted.output else _results(graph.graph)
    inputs = [_named(graph.graph, wanted.input)] if wanted.input else _placeholders(outputs)
    signature = Signature(GRAPH, _tensors(inputs), _tensors(outputs))
    try:
        pruned = graph.prune(inputs, outputs)
    except Exception as problem:
        raise ModelProblem(
            f"{signature} is not a complete computation: {what_went_wrong(problem)} "
            "Name --input and --output."
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
    """The tensor with this name, or the first output of the operation with this name."""
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError) as problem:
        ends = ", ".join(tensor.name for tensor in _results(graph))
        raise ModelProblem(f"The graph has no tensor {name!r}. It ends with {ends}.") from problem


def _results(graph: Any) -> list[Any]:
    """The outputs of operations that no other operation reads."""
    results = []
    for operation in graph.get_operations():
        is_read = any(output.consumers() for output in operation.outputs)
        if operation.type not in NO_RESULTS and not is_read:
            results += operation.outputs
    return results


def _placeholders(outputs: Sequence[Any]) -> list[Any]:
    """The placeholders that the outputs are computed from."""
    seen: dict[str, Any] = {}
    waiting = [output.op for output in outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen[operation.name] = operation
            waiting += [tensor.op for tensor in operation.inputs]
    return [operation.outputs[0] for operation in seen.values() if operation.type == "Placeholder"]


def _tensors(tensors: Sequence[Any]) -> list[Tensor]:
    return [tensor_of(tensor.name.removesuffix(":0"), tensor.dtype, tensor.shape) for tensor in tensors]
