"""Reads what Ultralytics' exporter writes into or beside a model: its task, class names and image size.

https://docs.ultralytics.com/modes/export/: metadata_props of ONNX, config.txt of TorchScript, a file in the
archive behind TFLite, and metadata.yaml in the folder of OpenVINO's and TensorFlow's files.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.formats import onnx_reader
from models.formats.kinds import Found
from models.formats.label_files import texts_of_yaml
from models.formats.sniff import read_member
from models.task import DETECTOR, MAPS, NEEDED, POSES

CLASSIFY = "classify"
TASKS = {
    CLASSIFY: "a classifier",
    "detect": DETECTOR,
    "obb": DETECTOR,
    "segment": MAPS,
    "pose": POSES,
}
BESIDE = "metadata.yaml"
IN_TFLITE, IN_TORCHSCRIPT = ("metadata.json", "temp_meta.txt"), ("extra/config.txt",)
LARGEST_BYTES = 1_000_000
LARGEST_SIDE_PX = 4096


@dataclass(frozen=True)
class Notes:
    """The exporter's notes; None or empty for what it did not write."""

    task: str | None = None
    names: tuple[str, ...] = ()
    sides_px: tuple[int, int] | None = None  # height, width
    beside: Path | None = None  # the file with the notes, if they are not inside of the model


def notes_of(found: Found) -> Notes:
    """The notes of a model; empty if it has none or they can't be read, as any file may have such a name."""
    look = INSIDE.get(found.kind.name)
    inside = _notes(look(found.path)) if look else Notes()
    if inside != Notes() or found.kind.name not in BESIDE_KINDS:
        return inside
    file = (found.path if found.path.is_dir() else found.path.parent) / BESIDE
    is_short = file.is_file() and file.stat().st_size <= LARGEST_BYTES
    notes = _notes(_parsed(file.read_bytes()) if is_short else {})
    return Notes(notes.task, notes.names, notes.sides_px, file) if notes.task else Notes()


def other_task(notes: Notes) -> str:
    """One sentence if the notes say that the model is not a classifier; else empty."""
    if notes.task in (None, CLASSIFY):
        return ""
    return f"It is {TASKS[notes.task]}: the notes of its exporter say task {notes.task}. {NEEDED}"


def _notes(written: Mapping[str, Any]) -> Notes:
    task = written.get("task")
    return Notes(task if task in TASKS else None, _names(written.get("names")), _sides(written.get("imgsz")))


def _names(written: Any) -> tuple[str, ...]:
    """Class names from {0: 'tench', ...} or a list, also as text; in JSON and YAML keys are texts."""
    names = _literal(written) if isinstance(written, str) else written
    if isinstance(names, list):
        return tuple(map(str, names))
    is_list = isinstance(names, dict) and [str(key) for key in names] == [str(n) for n in range(len(names))]
    return tuple(map(str, names.values())) if is_list else ()


def _sides(written: Any) -> tuple[int, int] | None:
    """Height and width from [224, 224], also as text, or from 224."""
    sides = _literal(str(written).replace("'", ""))  # YAML read as texts
    sides = [sides, sides] if isinstance(sides, int) else sides
    fits = isinstance(sides, list) and len(sides) == 2
    if not fits or not all(isinstance(side, int) and 0 < side <= LARGEST_SIDE_PX for side in sides):
        return None
    return sides[0], sides[1]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _parsed(data: bytes) -> Mapping[str, Any]:
    """A dictionary in JSON, YAML or Python; empty if it is anything else."""
    text = data.decode("utf-8", "replace")
    readers: tuple[Callable[[str], Any], ...] = (json.loads, _literal, texts_of_yaml)
    for read in readers:
        try:
            found = read(text)
        except (ValueError, yaml.YAMLError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _in_archive(file: Path, names: tuple[str, ...]) -> Mapping[str, Any]:
    data = read_member(file, lambda name: name.endswith(names), LARGEST_BYTES)
    return _parsed(data) if data else {}


INSIDE: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {
    "ONNX": onnx_reader.metadata,
    "TFLite": lambda file: _in_archive(file, IN_TFLITE),
    "TorchScript": lambda file: _in_archive(file, IN_TORCHSCRIPT),
}
BESIDE_KINDS = {"SavedModel", "OpenVINO IR", "TFLite", "frozen GraphDef"}
