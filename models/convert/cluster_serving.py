"""Takes the model from a config.yaml of Analytics Zoo's Cluster Serving, and what the file says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from common.cluster_serving import (
    MODEL_KEYS,
    Unusable,
    first_of,
    image_shape,
    keys_of,
    model_path,
    top_n,
    whole_number,
)
from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem

TOP = 5
BATCHING_FILE = "batching_parameters.txt"

Value = TypeVar("Value")


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
    """The configuration in a file. Says which keys are for `python -m jobs serve`. Raises ModelProblem."""
    import yaml

    given = _of(file, lambda: keys_of(file, yaml.safe_load))
    values = {name: first_of(given, names) for name, names in MODEL_KEYS.items()}
    model = _of(file, lambda: model_path(file, values["model"]))
    if values["encrypted"] is True:
        raise ModelProblem(f"{file}: the model is encrypted (modelEncrypted). Decrypt it, then convert it.")
    layout, sides = _of(file, lambda: image_shape(values["shape"] or values["sides"]))
    batch_size = _of(file, lambda: whole_number("batch_size", values["batch_size"]))
    if top := _of(file, lambda: top_n(values["top_n"])):
        rest = "the output probabilities has all" if top > TOP else f"best first; take {top} of them"
        say(f"top_n {top}: classes and scores hold the best {TOP}{';' if top > TOP else ','} {rest}")
    known = {name for names in MODEL_KEYS.values() for name in names}
    if others := [name for name in given if name not in known]:
        say(f"not about the model, so only `python -m jobs serve` uses it: {', '.join(others)}")
    return Configuration(model, layout, sides, batch_size)


def write_batching(out: Path, batch_size: int, say: Say) -> None:
    """Write a BatchingParameters file for TensorFlow Serving and the embedded server."""
    file = out / BATCHING_FILE
    file.write_text(f"max_batch_size {{ value: {batch_size} }}\n", encoding="utf-8")
    say(f"batch_size {batch_size}: serve with --enable_batching --batching_parameters_file={file}")


def _of(file: Path, read_part: Callable[[], Value]) -> Value:
    try:
        return read_part()
    except Unusable as problem:
        raise ModelProblem(f"{file}: {problem}") from None
