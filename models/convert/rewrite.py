"""The same network for another runtime: `--to`. From TensorFlow to TFLite, from TFLite to all others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from models import layer_formats
from models.convert.ends import choose
from models.convert.hints import hints_of, of_layers
from models.convert.labels import label_count
from models.convert.pixels import Hints
from models.convert.wanted import PROBABILITIES, Say, Wanted
from models.kinds import Found, find
from models.problems import ModelProblem, first_line

TENSORFLOW, TFLITE, OPENVINO = "tensorflow", "tflite", "openvino"
KIND_OF = {
    TFLITE: "TFLite",
    OPENVINO: "OpenVINO IR",
    "onnx": "ONNX",
    "torchscript": "TorchScript",
    "torch_export": "torch.export",
    "caffe": "Caffe",
}
TARGETS = (TENSORFLOW, TFLITE, *layer_formats.FORMATS)


class Rewritten(NamedTuple):
    """A model in another format, what is still known of it, and what the user still wants of it."""

    found: Found
    hints: Hints
    wanted: Wanted


def rewritten(found: Found, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """`found` in the format `wanted.to`, in the folder `scratch`. Raises ModelProblem where that can't be."""
    target = str(wanted.to)
    if found.kind.name == KIND_OF.get(target):
        return Rewritten(found, hints_of(found), wanted)
    if found.kind.name == "ONNX" and target == OPENVINO:
        return _openvino_of_onnx(found, wanted, scratch)
    if not found.kind.runtimes:
        made = _tflite_of_graph(found, wanted, scratch, say)
        return made if target == TFLITE else _of_layers(made, target, scratch)
    if found.kind.name == "TFLite" and target in layer_formats.FORMATS:
        return _of_layers(Rewritten(found, hints_of(found), wanted), target, scratch)
    raise ModelProblem(f"--to {target}: there is no way from {found.kind.name} to it here.")


def _of_layers(made: Rewritten, target: str, scratch: Path) -> Rewritten:
    from models.convert.tflite_layers import layers_of

    row = layer_formats.FORMATS[target]
    folder = scratch / target
    folder.mkdir()
    network = layers_of(made.found.path)
    try:
        row.write(network, folder)
    except ImportError as problem:
        raise ModelProblem(f"--to {target} needs a package ({problem}): {row.install}.") from problem
    hints = of_layers(made.hints, network.sides_px)
    # Softmax is among the layers, and some formats have their channels first.
    wanted = replace(_without_ends(made.wanted), layout=None, scores=PROBABILITIES)
    return Rewritten(find(folder / row.files[-1]), hints, wanted)


def _tflite_of_graph(found: Found, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """The network as it is: what comes before and behind it stands on the card."""
    from models.convert import as_graph
    from models.tflite_file import tflite_bytes

    network = as_graph.loaded(found, wanted, say)
    ends = choose(network.signatures, wanted, label_count(wanted, network.hints.labels), say)
    file = scratch / "model.tflite"
    try:
        file.write_bytes(tflite_bytes(*as_graph.as_function(network, ends)))
    except Exception as problem:  # TensorFlow's converter raises what it likes
        raise ModelProblem(
            f"TensorFlow can't write {found.path} as TFLite: {first_line(problem)}"
        ) from problem
    return Rewritten(find(file), network.hints, _without_ends(wanted))


def _openvino_of_onnx(found: Found, wanted: Wanted, scratch: Path) -> Rewritten:
    import openvino

    file = scratch / "model.xml"
    openvino.save_model(openvino.convert_model(found.path), file, compress_to_fp16=False)
    return Rewritten(find(file), hints_of(found), wanted)


def _without_ends(wanted: Wanted) -> Wanted:
    """The names were those of the former file."""
    return replace(wanted, signature=None, input=None, output=None)
