"""What the inputs and outputs of a PyTorch file are called: clients of this server ask by name.

Outputs have the keys of the dict that the model gives; else they are `output_0`, `output_1`, ...
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from serving.errors import LoadFailed
from serving.model_files.specs import tensor_spec
from serving.values.signatures import TensorSpec


@dataclass(frozen=True)
class Program:
    """A module as a function of the tensors of `inputs`, in that order."""

    run: Callable[..., Mapping[str, torch.Tensor]]
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def scripted_program(file: Path, device: torch.device) -> Program:
    """A TorchScript file. Types and shapes are not in it. Raises LoadFailed."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # torch 2.13 on torch.jit
        module = torch.jit.load(str(file), map_location=device).eval()
    needed = [each for each in module.forward.schema.arguments[1:] if not each.has_default_value()]
    for argument in needed:
        if argument.type.kind() != "TensorType":
            raise LoadFailed(
                f"{file}: the input {argument.name!r} of forward() is {argument.type}, but only "
                "tensors can be sent. Give it a default, or wrap the model."
            )
    inputs, outputs = (
        {name: tensor_spec(file, name, np.float32, None) for name in names}
        for names in ((each.name for each in needed), _scripted_outputs(file, module))
    )
    return Program(lambda *tensors: named(module(*tensors)), inputs, outputs)


def exported_program(file: Path, device: torch.device) -> Program:
    """A torch.export file. Raises LoadFailed."""
    program = torch.export.load(str(file))
    if device.type != "cpu":
        program = torch.export.passes.move_to_device_pass(program, device)
    nodes = {node.name: node for node in program.graph.nodes}
    names = program.graph_signature.user_inputs
    types = [getattr(nodes[name].meta["val"], "dtype", None) for name in names]
    # Without the guards, which are Python code from the file; the server checks shapes itself.
    module = program.module(check_guards=False)
    _turn_kernels(module)

    def run(*tensors: torch.Tensor) -> Mapping[str, torch.Tensor]:
        of_its_type = [tensor.to(dtype) for tensor, dtype in zip(tensors, types, strict=True)]
        arguments, named_arguments = program.call_spec.in_spec.unflatten(of_its_type)
        return named(module(*arguments, **named_arguments))

    given = program.call_spec.out_spec.unflatten(
        [nodes[name].meta["val"] for name in program.graph_signature.user_outputs]
    )
    inputs = {str(name): _exported_spec(file, str(name), nodes[name].meta["val"]) for name in names}
    outputs = {name: _exported_spec(file, name, value) for name, value in named(given).items()}
    return Program(run, inputs, outputs)


def _turn_kernels(module: torch.fx.GraphModule) -> None:
    """Lay the kernels of convolutions out as oneDNN wants them, once, not at each run."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.conv2d.default and node.args[1].op == "get_attr":
            kernel = operator.attrgetter(node.args[1].target)(module)
            kernel.data = kernel.data.to(memory_format=torch.channels_last)


def named(given: Any) -> Mapping[str, Any]:
    """What a model gives, with a name for each tensor."""
    if isinstance(given, dict):
        return given
    return dict(zip(_numbered(), given if isinstance(given, (list, tuple)) else [given], strict=False))


def _numbered() -> Iterable[str]:
    number = 0
    while True:
        yield f"output_{number}"
        number += 1


def _scripted_outputs(file: Path, module: torch.jit.ScriptModule) -> list[str]:
    """Read from the graph: a TorchScript file has no list of them."""
    node = next(iter(module.graph.outputs())).node()
    returned = module.forward.schema.returns[0].type
    match returned.kind():
        case "TensorType":
            return ["output_0"]
        case "TupleType":
            return [name for name, _ in zip(_numbered(), returned.elements(), strict=False)]
        case "DictType" if node.kind() == "prim::DictConstruct":
            return [key.toIValue() for key in list(node.inputs())[::2]]
        case _:
            raise LoadFailed(
                f"{file}: forward() gives {returned}, whose names can't be determined. "
                "Let it return a tensor, a tuple of tensors, or a dict that is written out."
            )


def _exported_spec(file: Path, name: str, value: Any) -> TensorSpec:
    """16-bit floats are served as float32."""
    if not isinstance(value, torch.Tensor):
        return tensor_spec(file, name, None, None)
    short = value.dtype in (torch.bfloat16, torch.float16)
    dtype = np.float32 if short else _numpy_type(value.dtype)
    return tensor_spec(file, name, dtype, [size if isinstance(size, int) else None for size in value.shape])


def _numpy_type(dtype: torch.dtype) -> np.dtype | None:
    try:
        known: np.dtype = torch.empty(0, dtype=dtype).numpy().dtype
    except TypeError:
        return None
    return known
