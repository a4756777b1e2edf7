"""What kind of model a file holds, by its content. The kinds are those of models/formats/kinds.py."""

from __future__ import annotations

import pickletools
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import wire
from common.wire import CutOff, Value
from models.problems import ModelProblem

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
# What zipfile raises for archives that are damaged, encrypted or compressed in a way that it does not know.
ZIP_PROBLEMS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
JAVA_OBJECT = b"\xac\xed\x00\x05"
BIGDL = b"com.intel.analytics.bigdl"
TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # of TensorFlow's tables: checkpoints and their indexes
LOOKED_AT_BYTES = 4096

# Field numbers of the messages, with what the fields may be: a number (int) or bytes.
ONNX_FIELDS = {1: int, 2: memoryview, 3: memoryview, 4: memoryview, 5: int, 6: memoryview, 7: memoryview}
ONNX_FIELDS |= {8: memoryview, 14: memoryview, 20: memoryview, 25: memoryview, 26: memoryview}
SAVED_MODEL_FIELDS = {1: int, 2: memoryview}
GRAPH_DEF_FIELDS = {1: memoryview, 2: memoryview, 3: int, 4: memoryview, 5: memoryview}


class Damaged(ModelProblem):
    """A model's file, but cut off or damaged."""

    def __init__(self, file: Path, kind: str, why: str):
        super().__init__(f"{file} is damaged: a model ({kind}), but {why}. Copy or export it again.")


def kind_of(file: Path) -> str | None:
    """The name of the kind of model in a file; None if it is not a known one. Raises Damaged and OSError."""
    with file.open("rb") as opened:
        start = opened.read(LOOKED_AT_BYTES)
    if not start:
        return None
    return next((kind for look in LOOKS if (kind := look(file, start))), None)


def _by_magic(file: Path, start: bytes) -> str | None:
    for (place, magic), look in MAGIC.items():
        if start.startswith(magic, place):
            return look(file, start)
    return None


def _by_end(file: Path, _: bytes) -> str | None:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - len(TABLE_END)))
        return "TensorFlow checkpoint" if opened.read() == TABLE_END else None


def _hdf5(file: Path, _: bytes) -> str:
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            return "Keras HDF5" if "model_config" in opened.attrs else "Keras weights"
    except Exception as problem:  # KeyError, RuntimeError, OSError, by where the damage is
        reason = str(problem).partition("(")[2].strip(")'") or type(problem).__name__
        raise Damaged(file, "Keras HDF5", f"HDF5 can't open it ({reason})") from problem


def _archive(file: Path, _: bytes) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except ZIP_PROBLEMS as problem:
        raise Damaged(file, "of Keras or PyTorch", f"its archive is cut off ({problem})") from problem
    inner = {name.partition("/")[2] for name in names}
    if {"config.json", "metadata.json"} <= names:
        return "Keras"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "TorchScript"
    if any(name.startswith("models/") and name.endswith(".json") for name in inner):
        return "torch.export"
    return "pickled PyTorch" if "data.pkl" in inner else None


def _pickle(_: Path, start: bytes) -> str | None:
    """By its first instruction, which is read, not run."""
    try:
        next(pickletools.genops(start))
    except (ValueError, StopIteration):
        return None
    return "pickled PyTorch"


def _by_text(_: Path, start: bytes) -> str | None:
    try:
        text = start.decode("utf-8", "strict" if len(start) < LOOKED_AT_BYTES else "ignore")
    except UnicodeDecodeError:
        return None
    return next((kind for kind, pattern in TEXTS.items() if pattern.search(text)), None)


TEXTS = {
    "OpenVINO IR": re.compile(r"<net\s[^>]*version="),
    "TensorFlow checkpoint": re.compile(r"\Amodel_checkpoint_path:"),
    "SavedModel as text": re.compile(r"\Asaved_model_schema_version:"),
    "Caffe description": re.compile(
        r"^\s*(layers?|input_param|input_shape)\s*\{|^\s*input:\s*\"", re.MULTILINE
    ),
    "GraphDef as text": re.compile(r"\Anode\s*\{"),
    "Git LFS pointer": re.compile(r"\Aversion https://git-lfs"),
    "web page": re.compile(r"\A\s*<(!doctype )?html", re.IGNORECASE),
    "Cluster Serving configuration": re.compile(
        r"^(modelPath\s*:|model\s*:\s*(#.*)?\n(\s*#.*\n)*\s+path\s*:)", re.MULTILINE
    ),
}


def _by_fields(file: Path, _: bytes) -> str | None:
    """Protobuf has no magic bytes: a message is recognised by its fields."""
    data = wire.mapped(file)
    found: list[tuple[int, Value]] = []
    cut_at = None
    try:
        found.extend(wire.fields(data))
    except CutOff as problem:
        cut_at = problem.field
    except ValueError:
        return None
    kind = _of_fields(data, found, cut_at)
    if kind and cut_at is not None:
        raise Damaged(file, kind, f"its {file.stat().st_size} bytes end within it")
    return kind


def _of_fields(data: memoryview, found: list[tuple[int, Value]], cut_at: int | None) -> str | None:
    numbers = {number for number, _ in found} | ({cut_at} if cut_at else set())
    if 100 in numbers or _is_old_caffe(found):
        return "Caffe"
    if {1, 7} <= numbers and _all_are(found, ONNX_FIELDS):
        return "ONNX"
    if 2 in numbers and _all_are(found, SAVED_MODEL_FIELDS) and found:
        return "SavedModel"
    if _all_are(found, GRAPH_DEF_FIELDS) and _is_node(found):
        return "frozen GraphDef"
    file: Any = data.obj  # an mmap, which is searched without copying it
    return "BigDL" if file.find(BIGDL) >= 0 else None


def _all_are(found: list[tuple[int, Value]], known: dict[int, type]) -> bool:
    return all(number in known and isinstance(value, known[number]) for number, value in found)


def _is_node(found: list[tuple[int, Value]]) -> bool:
    """Whether field 1 begins with a NodeDef: a name (1) and an operation (2)."""
    first = next((value for number, value in found if number == 1), None)
    return isinstance(first, memoryview) and all(_has_text(first, field) for field in (1, 2))


def _is_old_caffe(found: list[tuple[int, Value]]) -> bool:
    """Whether field 2 begins with a V1LayerParameter: a name (4) and a type that is a number (5)."""
    first = next((value for number, value in found if number == 2), None)
    return isinstance(first, memoryview) and _has_number(first, 5) and _has_text(first, 4)


def _has_number(message: memoryview, field: int) -> bool:
    try:
        return any(number == field and isinstance(value, int) for number, value in wire.fields(message))
    except ValueError:
        return False


def _has_text(message: memoryview, field: int) -> bool:
    try:
        text = wire.text(message, field)
    except ValueError:
        return False
    return bool(text) and text.isprintable()


def read_member(file: Path, is_wanted: Callable[[str], bool], largest_bytes: int) -> bytes | None:
    """The first member of a zip archive, in or behind a model, with a wanted name and within the limit.

    None if the file has no archive, no such member, or is damaged.
    """
    try:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if is_wanted(info.filename) and info.file_size <= largest_bytes:
                    return archive.read(info)
    except ZIP_PROBLEMS:
        pass
    return None


# (offset, bytes there) -> what decides the kind; None: something else after all.
MAGIC: dict[tuple[int, bytes], Callable[[Path, bytes], str | None]] = {
    (0, HDF5): _hdf5,
    (0, ZIP): _archive,
    (0, b"\x80"): _pickle,
    (0, JAVA_OBJECT): lambda _, start: "BigDL" if b"bigdl" in start else None,
    (4, b"TFL3"): lambda *_: "TFLite",
    (8, b"{"): lambda _, start: "safetensors" if b'"dtype"' in start and b'"data_offsets"' in start else None,
}
LOOKS: tuple[Callable[[Path, bytes], str | None], ...] = (_by_magic, _by_end, _by_text, _by_fields)
