"""Reads what a model's file, its card and its exporter's notes say beyond inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.formats import tflite_reader
from models.formats.exporter_notes import CLASSIFY, notes_of
from models.formats.kinds import Found
from models.interface.pixels import LEVELS, SHAPING, Hints
from models.placing import CARD
from models.problems import ModelProblem

AS_TORCHVISION = Hints(layout="NCHW", usual_preset="torch")
AS_CAFFES_EXAMPLES = Hints(layout="NCHW", usual_preset="caffe")


def hints_of(found: Found) -> Hints:
    """The hints for a model of any kind. Raises Damaged, and ModelProblem for a card that can't be read."""
    look, notes = LOOKS.get(found.kind.name), notes_of(found)
    hints = _with_card(look(found.path) if look else Hints(), found.card)
    if notes.names and not notes.beside:
        hints = replace(hints, labels=notes.names)
    if notes.task != CLASSIFY:
        return hints
    why = f"as the notes of its exporter say it (task {CLASSIFY})"
    return replace(hints, preset="unit", why=why, sides_px=notes.sides_px or hints.sides_px)


def of_layers(hints: Hints, sides_px: tuple[int, int]) -> Hints:
    """Hints for a network that was rewritten as layers (NHWC), which do the original file's scaling."""
    anew = replace(hints, sides_px=sides_px, layout="NHWC", input_scale=0.0, output_scale=0.0)
    if not hints.input_scale:
        return anew
    return replace(anew, preset="raw", why="as the network does the rest", levels=None)


def _with_card(hints: Hints, card: Mapping[str, Any]) -> Hints:
    """The hints with what the card in the model's folder says, if it was exported or converted here."""
    section, labels = card.get("pixels"), card.get("labels")
    if not isinstance(section, dict):
        return hints
    try:
        height, width = map(int, section["side_px"])
        return replace(
            hints,
            labels=tuple(map(str, labels or ())),
            sides_px=(height, width),
            layout=section.get("layout", "NHWC"),
            shaping={key: kind(section[key]) for key, kind in SHAPING.items() if key in section},
            levels={key: kind(section[key]) for key, kind in LEVELS.items() if key in section},
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelProblem(
            f"The model's card, {CARD}, can't be read ({problem}). Export or convert the model again."
        ) from problem


def _tflite(file: Path) -> Hints:
    graph = tflite_reader.read(file).subgraphs[0]
    if graph.inputs is None or graph.outputs is None:
        raise ModelProblem(
            f"{file} has no input or no output. Convert it again, as a model from images to scores."
        )
    with tflite_reader.whole(file):
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
    "ONNX": lambda _: AS_TORCHVISION,
    "TorchScript": lambda _: AS_TORCHVISION,
    "torch.export": lambda _: AS_TORCHVISION,
    "OpenVINO IR": lambda _: AS_TORCHVISION,
    "Caffe": lambda _: AS_CAFFES_EXAMPLES,
}
