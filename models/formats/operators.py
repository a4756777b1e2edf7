"""Recognises detectors by operators of their network: suppressing overlapping boxes, pooling regions.

Such a detector may end in one table [boxes, 7], which by its shape could be a classifier of seven classes.
The network is not loaded for this. Numbers of fields: onnx.proto, graph.proto, saved_model.proto.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from common.wire import mapped, messages, text
from models.formats import tflite_reader
from models.formats.kinds import GRAPH_FILE, Found
from models.formats.sniff import ZIP_PROBLEMS
from models.problems import ModelProblem
from models.task import DETECTOR, NEEDED

OF_DETECTORS = re.compile(
    r"(?i:non_?max_?suppression|detection_?(?:post_?process|output)|roi_?(?:align|pool)|region_?yolo"
    r"|^(?:prior_?box|yolo)|^(?:generate_?)?proposals?$)|NMS|Nms$|(?:^|[._])nms"
)
OPENVINO_TYPE = re.compile(r'<layer\b[^>]*?\btype="(\w+)"')
CAFFE_TYPE = re.compile(r'^\s*type\s*:\s*"?(\w+)', re.MULTILINE)
TORCH_CALL = re.compile(r"\b(torchvision\.\w+)")
NODE_OF_GRAPH = 1
ONNX_GRAPHS = ((7,), (7, 1, 5, 6), (7, 1, 5, 6, 1, 5, 6))  # the graph, and those within If and Loop
ONNX_OPERATOR, ONNX_FUNCTION_NODES = 4, (25, 7)
TENSORFLOW_OPERATOR, FUNCTION_NODES = 2, (2, 1, 3)  # of a GraphDef: library, function, node_def
GRAPH_OF_SAVED_MODEL = (2, 2)


def task_by_operators(found: Found) -> str:
    """One sentence if the network has an operator that only detectors have; else empty."""
    look = OPERATORS.get(found.kind.name)
    try:
        names = {name for name in look(found) if OF_DETECTORS.search(name)} if look else set()
    except (ValueError, OSError, ModelProblem, *ZIP_PROBLEMS):  # what is damaged is refused when it is read
        return ""
    if not names:
        return ""
    return f"It is {DETECTOR}: its network has the operator {', '.join(sorted(names)[:3])}. {NEEDED}"


def _onnx(found: Found) -> Iterator[str]:
    model = mapped(found.path)
    for path in ONNX_GRAPHS:
        yield from _names(messages(model, *path, NODE_OF_GRAPH), ONNX_OPERATOR)
    yield from _names(messages(model, *ONNX_FUNCTION_NODES), ONNX_OPERATOR)


def _graph(graphs: Iterable[memoryview]) -> Iterator[str]:
    for graph in graphs:
        for path in ((NODE_OF_GRAPH,), FUNCTION_NODES):
            yield from _names(messages(graph, *path), TENSORFLOW_OPERATOR)


def _names(nodes: Iterable[memoryview], field: int) -> Iterator[str]:
    for node in nodes:
        yield text(node, field)


def _tflite(found: Found) -> Iterator[str]:
    model = tflite_reader.read(found.path)
    with tflite_reader.whole(found.path):
        for code in model.operatorCodes or ():
            yield (code.customCode or b"").decode("utf-8", "replace")
        for operator in (operator for graph in model.subgraphs for operator in graph.operators or ()):
            yield tflite_reader.name_of(model, operator)


def _described(file: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    return (match[1] for match in pattern.finditer(file.read_text("utf-8", "replace")))


def _torch(found: Found) -> Iterator[str]:
    with zipfile.ZipFile(found.path) as archive:
        for name in (name for name in archive.namelist() if "/code/" in name and name.endswith(".py")):
            yield from TORCH_CALL.findall(archive.read(name).decode("utf-8", "replace"))


OPERATORS: Mapping[str, Callable[[Found], Iterator[str]]] = {
    "ONNX": _onnx,
    "SavedModel": lambda found: _graph(messages(mapped(found.path / GRAPH_FILE), *GRAPH_OF_SAVED_MODEL)),
    "frozen GraphDef": lambda found: _graph([mapped(found.path)]),
    "TFLite": _tflite,
    "OpenVINO IR": lambda found: _described(found.path, OPENVINO_TYPE),
    "Caffe": lambda found: _described(found.beside[0], CAFFE_TYPE),
    "TorchScript": _torch,
}
