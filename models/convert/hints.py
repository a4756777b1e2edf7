"""What can be known of a model beyond its inputs and outputs, by its kind."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from models import onnx_reader, tflite_reader
from models.convert.pixels import Hints
from models.kinds import Found

AS_TORCHVISION = Hints(layout="NCHW", usual_preset="torch")
AS_CAFFES_EXAMPLES = Hints(layout="NCHW", usual_preset="caffe")


def hints_of(found: Found) -> Hints:
    """Raises Damaged."""
    look = LOOKS.get(found.kind.name)
    return look(found.path) if look else Hints()


def of_layers(hints: Hints, sides_px: tuple[int, int]) -> Hints:
    """Of a network that was written anew, channels last: the file's own scaling is in its layers."""
    anew = replace(hints, sides_px=sides_px, layout="NHWC", input_scale=0.0, output_scale=0.0)
    return replace(anew, preset="raw", why="as the network does the rest") if hints.input_scale else anew


def _onnx(file: Path) -> Hints:
    """Labels where the metadata has them, as Ultralytics writes them: names = {0: 'tench', ...}."""
    return Hints(_names(onnx_reader.metadata(file).get("names", "")), layout="NCHW", usual_preset="torch")


def _names(written: str) -> tuple[str, ...]:
    try:
        names = ast.literal_eval(written) if written else {}
    except (ValueError, SyntaxError):
        return ()
    is_list = isinstance(names, dict) and list(names) == list(range(len(names)))
    return tuple(map(str, names.values())) if is_list else ()


def _tflite(file: Path) -> Hints:
    graph = tflite_reader.read(file).subgraphs[0]
    input_scale, input_zero_point = tflite_reader.quantisation(graph.tensors[graph.inputs[0]])
    output_scale, output_zero_point = tflite_reader.quantisation(graph.tensors[graph.outputs[0]])
    return Hints(
        labels=tflite_reader.labels(file),
        input_scale=input_scale,
        input_zero_point=input_zero_point,
        output_scale=output_scale,
        output_zero_point=output_zero_point,
    )


LOOKS: dict[str, Callable[[Path], Hints]] = {
    "TFLite": _tflite,
    "ONNX": _onnx,
    "TorchScript": lambda _: AS_TORCHVISION,
    "torch.export": lambda _: AS_TORCHVISION,
    "OpenVINO IR": lambda _: AS_TORCHVISION,
    "Caffe": lambda _: AS_CAFFES_EXAMPLES,
}
