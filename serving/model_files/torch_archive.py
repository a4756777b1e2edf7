"""Checks a PyTorch file before it is loaded: which kind it is, and that loading it runs no code.

Files of `torch.save` are pickles, which run code when they are loaded. `torch.jit.load` reads its
files without Python. `torch.export.load` unpickles some members, evaluates the sizes in its JSON
as Python and imports the functions that its graph names (read in torch 2.13's
export/pt2_archive/_package.py and _export/serde/serialize.py), so those are checked here.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from serving.errors import LoadFailed

SCRIPT, EXPORTED = "TorchScript", "torch.export"
# What zipfile and json raise for archives that are damaged, encrypted or compressed in an unknown way.
ZIP_PROBLEMS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
EXPORT_INSTEAD = "Export the model with torch.jit.script, torch.jit.trace or torch.export."

# Members of torch.export's archive, without the folder that holds them all.
HARMLESS_MEMBER = re.compile(
    r"(\.data/)?(version|byteorder|serialization_id|\.format_version|\.storage_alignment)"
    r"|archive_(format|version)|models/\w+\.json|data/sample_inputs/\w+\.pt"
    r"|data/weights/(weight_\d+|\w+\.json)|data/constants/(tensor_\d+|\w+\.json)"
)
# What a size may consist of: sympy's names, symbols, flags, numbers and signs.
HARMLESS_SIZE = re.compile(r"[A-Z]\w*|'\w+'|[su]\d+|[a-z_]+=(True|False)|\d+(\.\d+)?|[\s(),+*/<>=%-]")
HARMLESS_TARGET = re.compile(
    r"torch\.ops\.[a-z]\w*\.(?!__)\w+\.(?!_)\w+|_operator\.(?!_)\w+|math\.\w+|torch\.sym_\w+"
)


def kind(file: Path) -> str:
    """SCRIPT or EXPORTED. Raises LoadFailed for anything else, and for archives that would run code."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name.partition("/")[2] for name in archive.namelist()}
            if "constants.pkl" in members and any(name.startswith("code/") for name in members):
                return SCRIPT
            if any(name.startswith("models/") for name in members):
                _check_exported(file, archive, members)
                return EXPORTED
    except ZIP_PROBLEMS as problem:
        with file.open("rb") as opened:
            beginning = opened.read(4)
        if beginning.startswith(PICKLE):
            raise _pickled(file) from problem
        what = "is cut off or damaged" if beginning == ZIP else "is not a PyTorch model"
        raise LoadFailed(f"{file} {what}. {EXPORT_INSTEAD}") from problem
    raise _pickled(file)


def _pickled(file: Path) -> LoadFailed:
    return LoadFailed(
        f"{file} is a pickle of torch.save, which could run code when it is loaded. {EXPORT_INSTEAD}"
    )


def _check_exported(file: Path, archive: zipfile.ZipFile, members: set[str]) -> None:
    strange = sorted(name for name in members if not HARMLESS_MEMBER.fullmatch(name))
    if strange:
        raise _runs_code(file, f"its member {strange[0]!r}")
    for name in filter(lambda name: name.endswith(".json"), archive.namelist()):
        for key, text in _texts(json.loads(archive.read(name))):
            if _could_run(key, text):
                raise _runs_code(file, f"{key} {text[:80]!r}")


def _runs_code(file: Path, what: str) -> LoadFailed:
    return LoadFailed(f"{file} is refused: {what} could run code when it is loaded. {EXPORT_INSTEAD}")


def _texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the key that it stands under."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str):
        yield key, value


def _could_run(key: str, text: str) -> bool:
    match key:
        case "expr_str":
            return bool(HARMLESS_SIZE.sub("", text))
        case "target":
            return not HARMLESS_TARGET.fullmatch(text)
        case "path_name":
            return not re.fullmatch(r"(weight|tensor)_\d+", text)
        case _:
            return False
