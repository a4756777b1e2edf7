"""Reads a `config.yaml` of Analytics Zoo's Cluster Serving, in the first and the last form of such files.

The first has `model: path:`, `data: shape:`, `params: top_n, batch_size`; the last `modelPath:` and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem

TOP = 5
KEYS = {  # what is read, and its names in both forms
    "model": ("model.path", "modelPath"),
    "shape": ("data.shape", "data.image_shape"),
    "sides": ("imageResize",),
    "batch_size": ("params.batch_size",),
    "top_n": ("params.top_n", "params.filter", "filter", "postProcessing"),
    "encrypted": ("modelEncrypted",),
}
BATCHING_FILE = "batching_parameters.txt"


@dataclass(frozen=True)
class Configuration:
    """What the file says about the model."""

    model: Path
    likely_layout: str | None = None
    size_px: tuple[int, int] | None = None
    batch_size: int | None = None

    def completed(self, wanted: Wanted) -> Wanted:
        """The options, with the file's size and layout if the options leave them open."""
        return replace(wanted, size_px=wanted.size_px or self.size_px, likely_layout=self.likely_layout)


def read(file: Path, say: Say) -> Configuration:
    """The configuration in a file. Says which keys are ignored. Raises ModelProblem."""
    given = dict(_flat(_parsed(file)))
    values = {
        name: next((given[key] for key in keys if given.get(key) is not None), None)
        for name, keys in KEYS.items()
    }
    if not values["model"]:
        raise ModelProblem(f"{file} names no model: model.path (or modelPath) is empty.")
    if values["encrypted"] is True:
        raise ModelProblem(f"{file}: the model is encrypted (modelEncrypted). Decrypt it, then convert it.")
    layout, sides = _shape(file, values["shape"] or values["sides"])
    batch_size = _count(file, "batch_size", values["batch_size"], r"(-?\d+)")
    if top := _count(file, "top_n", values["top_n"], r"(?:topN\()?(-?\d+)\)?"):
        rest = "the output probabilities has all" if top > TOP else f"best first; take {top} of them"
        say(f"top_n {top}: classes and scores hold the best {TOP}{';' if top > TOP else ','} {rest}")
    known = {key for keys in KEYS.values() for key in keys}
    ignored = [key for key, value in given.items() if key not in known and value not in (None, "")]
    if ignored:
        say(f"ignored, because Pixelcost uses no Redis, Spark or Flink: {', '.join(ignored)}")
    return Configuration(_model(file, str(values["model"])), layout, sides, batch_size)


def write_batching(out: Path, batch_size: int, say: Say) -> None:
    """Write a BatchingParameters file for TensorFlow Serving and the embedded server."""
    file = out / BATCHING_FILE
    file.write_text(f"max_batch_size {{ value: {batch_size} }}\n", encoding="utf-8")
    say(f"batch_size {batch_size}: serve with --enable_batching --batching_parameters_file={file}")


def _parsed(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        parsed = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as problem:
        raise ModelProblem(f"{file} is not valid YAML: {' '.join(str(problem).split())}") from problem
    if not isinstance(parsed, dict):
        raise ModelProblem(f"{file} is not a configuration of Cluster Serving: it holds no keys.")
    return parsed


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted names: `model.path`."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shape(file: Path, shape: Any) -> tuple[str | None, tuple[int, int] | None]:
    """Layout and sides of "3,224,224", [224, 224, 3] or "224,224"."""
    sizes = []
    if shape not in (None, ""):
        if not re.fullmatch(r"[\[(]?\s*[1-9]\d*(\s*,\s*[1-9]\d*)*\s*[\])]?", str(shape)):
            raise ModelProblem(
                f"{file}: the shape {shape!r} is not a list of whole numbers such as 3,224,224."
            )
        sizes = [int(size) for size in re.findall(r"\d+", str(shape))]
    match sizes:
        case []:
            return None, None
        case [3, height, width]:
            return "NCHW", (height, width)
        case [height, width, 3]:
            return "NHWC", (height, width)
        case [height, width]:
            return None, (height, width)
        case _:
            raise ModelProblem(
                f"{file}: the shape {shape!r} is not an image: 3,height,width or height,width,3."
            )


def _count(file: Path, key: str, value: Any, written: str) -> int | None:
    """A whole number of 1 or more; None if the file does not give it."""
    if value in (None, ""):
        return None
    found = re.fullmatch(written, str(value).strip())
    if not found or int(found[1]) < 1:
        raise ModelProblem(f"{file}: {key} must be a whole number of 1 or more, not {value!r}.")
    return int(found[1])


def _model(file: Path, written: str) -> Path:
    scheme, _, rest = written.rpartition(":")
    if scheme and scheme != "file":
        raise ModelProblem(f"{file}: the model is at {written}. Copy it to this machine and name it there.")
    return file.parent / ("/" + rest.lstrip("/") if scheme else written)
