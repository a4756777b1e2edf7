"""Loads a PyTorch file, and finds the names of its inputs and outputs: clients send tensors by name.

Outputs are named by the keys of the dict that the model returns; else `output_0`, `output_1`, ...
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorflow.core.framework import types_pb2

from serving.errors import LoadFailed
from serving.values.signatures import TensorSpec, tensor_spec


@dataclass(frozen=True)
class Program:
    """A loaded model: `run` takes the tensors of `inputs` in their order, and returns outputs by name."""

    run: Callable[..., Mapping[str, torch.Tensor]]
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def scripted_program(file: Path, device: torch.device) -> Program:
    """Load a TorchScript file. It holds no types and shapes: all are float32 of any shape.

    Raises LoadFailed.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # torch 2.13 on torch.jit
        module = torch.jit.load(str(file), map_location=device).eval()
    arguments = module.forward.schema.arguments[1:]
    needed = [argument for argument in arguments if not argument.has_default_value()]
    for argument in needed:
        if argument.type.kind() != "TensorType":
            raise LoadFailed(
                f"{file}: the input {argument.name!r} of forward() is {argument.type}, but only "
                "tensors can be sent. Give it a default, or wrap the model."
            )
    spec = TensorSpec(types_pb2.DT_FLOAT, None)
    inputs = {argument.name: spec for argument in needed}
    outputs = dict.fromkeys(_scripted_outputs(file, module), spec)
    return Program(lambda *tensors: named(module(*tensors)), inputs, outputs)


def exported_program(file: Path, device: torch.device) -> Program:
    """Load a torch.export file. Raises LoadFailed."""
    program = torch.export.load(str(file))
    if device.type != "cpu":
        program = torch.export.passes.move_to_device_pass(program, device)
    nodes = {node.name: node for node in program.graph.nodes}
    names = program.graph_signature.user_inputs
    types = [getattr(nodes[name].meta["val"], "dtype", None) for name in names]
    # Without the guards, which are Python code from the file; the server checks the shapes itself.
    module = program.module(check_guards=False)
    # Lay the kernels of convolutions out as oneDNN wants them, now and not in every run.
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.conv2d.default and node.args[1].op == "get_attr":
            kernel = operator.attrgetter(node.args[1].target)(module)
            kernel.data = kernel.data.to(memory_format=torch.channels_last)

    def run(*tensors: torch.Tensor) -> Mapping[str, torch.Tensor]:
        of_its_type = [tensor.to(dtype) for tensor, dtype in zip(tensors, types, strict=True)]
        arguments, named_arguments = program.call_spec.in_spec.unflatten(of_its_type)
        return named(module(*arguments, **named_arguments))

    returned = program.call_spec.out_spec.unflatten(
        [nodes[name].meta["val"] for name in program.graph_signature.user_outputs]
    )
    inputs = {str(name): _exported_spec(file, str(name), nodes[name].meta["val"]) for name in names}
    outputs = {name: _exported_spec(file, name, value) for name, value in named(returned).items()}
    return Program(run, inputs, outputs)


def named(returned: Any) -> Mapping[str, Any]:
    """What a model returns, with a name for every tensor."""
    if isinstance(returned, dict):
        return returned
    tensors = returned if isinstance(returned, (list, tuple)) else [returned]
    return {f"output_{index}": tensor for index, tensor in enumerate(tensors)}


def _scripted_outputs(file: Path, module: torch.jit.ScriptModule) -> list[str]:
    """The names of the outputs, read from the graph: a TorchScript file does not list them."""
    node = next(iter(module.graph.outputs())).node()
    returned = module.forward.schema.returns[0].type
    match returned.kind():
        case "TensorType":
            return ["output_0"]
        case "TupleType":
            return list(named(returned.elements()))
        case "DictType" if node.kind() == "prim::DictConstruct":
            return [key.toIValue() for key in list(node.inputs())[::2]]
        case _:
            raise LoadFailed(
                f"{file}: forward() returns {returned}, whose names can't be determined. "
                "Let it return a tensor, a tuple of tensors, or a dict that is written out."
            )


def _exported_spec(file: Path, name: str, value: Any) -> TensorSpec:
    """Type and shape of an input or output. 16-bit floats are served as float32. Raises LoadFailed."""
    if not isinstance(value, torch.Tensor):
        return tensor_spec(file, name, None, None)
    is_short = value.dtype in (torch.bfloat16, torch.float16)
    dtype: np.dtype | None
    try:
        dtype = torch.empty(0, dtype=torch.float32 if is_short else value.dtype).numpy().dtype
    except TypeError:  # a type that NumPy does not have
        dtype = None
    return tensor_spec(file, name, dtype, [size if isinstance(size, int) else None for size in value.shape])
