"""Reads an ONNX file's metadata, and which other files hold its weights.

Field numbers: https://github.com/onnx/onnx, onnx/onnx.proto.
"""

from __future__ import annotations

from pathlib import Path

from common.wire import mapped, messages, text
from models.formats.sniff import Damaged
from models.problems import ModelProblem

GRAPH, INITIALIZER, EXTERNAL_DATA = 7, 5, 13
METADATA = 14
KEY, VALUE = 1, 2


def metadata(file: Path) -> dict[str, str]:
    """Its metadata_props; empty if they can't be read."""
    try:
        return {text(entry, KEY): text(entry, VALUE) for entry in messages(mapped(file), METADATA)}
    except ValueError:
        return {}


def external_files(file: Path) -> list[Path]:
    """The files in its folder with its larger weights.

    Raises ModelProblem when one is missing or lies elsewhere, and Damaged.
    """
    try:
        entries = list(messages(mapped(file), GRAPH, INITIALIZER, EXTERNAL_DATA))
        names = dict.fromkeys(text(entry, VALUE) for entry in entries if text(entry, KEY) == "location")
    except ValueError as problem:
        raise Damaged(file, "ONNX", f"its graph can't be read ({problem})") from problem
    for name in names:
        if Path(name).name != name:
            raise ModelProblem(
                f"{file} has weights in {name!r}, which is not beside it. Save it as one file."
            )
        if not (file.parent / name).is_file():
            raise ModelProblem(f"{file} lacks its weights: {name} is not beside it. Copy it there too.")
    return [file.parent / name for name in names]
