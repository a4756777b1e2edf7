"""Reads a model's `config.json`, in the form of BMW InnovationLab's inference APIs.

`confidence` and `predictions` are read for every request, so they can be changed while the model is served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = "config.json"
LARGEST_BYTES: Final = 1_000_000
PREDICTIONS: Final = 5  # without a config.json: as many as the model servers' contract has
TEXTS: Final = ("inference_engine_name", "framework", "type", "network")
CONVERT: Final = "convert"  # our own key: {"preprocess": "tf"} is `models convert --preprocess tf`
OPTIONS: Final = frozenset(
    {"size", "fit", "resize", "preprocess", "scale", "mean", "std", "layout", "channels"}
    | {"signature", "input", "output", "to"}
)
SWITCHES: Final = frozenset({"background", "no-background", "softmax", "logits"})


class ConfigUnusable(Exception):
    """A config.json that can't be used. The message is a sentence that names the key and the value."""


@dataclass(frozen=True, slots=True)
class OldConfig:
    """What counts of a config.json. `written` is all of it."""

    confidence: float = 0.0  # percent; classes below it are left out
    predictions: int = PREDICTIONS  # most classes in an answer
    options: tuple[str, ...] = ()  # of `python -m models convert`
    written: Mapping[str, Any] | None = None  # None: there is no such file


def read_config(folder: Path) -> OldConfig:
    """The config.json in a model's folder. Raises ConfigUnusable."""
    file = folder / FILE
    try:
        if not file.is_file():
            return OldConfig()
        if file.stat().st_size > LARGEST_BYTES:
            raise ConfigUnusable(
                f"{FILE} is larger than {LARGEST_BYTES / 1e6:g} MB, so it is no configuration."
            )
        written = json.loads(file.read_bytes())
    except OSError as problem:
        raise ConfigUnusable(f"{FILE} can't be read: {problem.strerror}.") from None
    except (ValueError, RecursionError) as problem:
        raise ConfigUnusable(f"{FILE} is not JSON: {problem}.") from None
    if not isinstance(written, dict):
        raise ConfigUnusable(f'{FILE} must hold an object, like {{"confidence": 60}}.')
    for key in TEXTS:
        if not isinstance(written.get(key, ""), str):
            raise ConfigUnusable(f"{FILE}: {key} is {_shown(written[key])}, but must be a text.")
    _whole(written, "number_of_classes", None)
    return OldConfig(
        confidence=_percent(written.get("confidence", 0)),
        predictions=_whole(written, "predictions", PREDICTIONS) or PREDICTIONS,
        options=_options(written.get(CONVERT, {}), folder),
        written=written,
    )


def _percent(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ConfigUnusable(
            f"{FILE}: confidence is {_shown(value)}, but must be a percentage from 0 to 100."
        )
    return float(value)


def _whole(written: Mapping[str, Any], key: str, default: int | None) -> int | None:
    value = written.get(key, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ConfigUnusable(f"{FILE}: {key} is {_shown(value)}, but must be a whole number from 1.")
    return value


def _options(value: Any, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, dict):
        raise ConfigUnusable(f'{FILE}: {CONVERT} must hold an object, like {{"preprocess": "tf"}}.')
    found: list[str] = []
    for key, given in value.items():
        if key in SWITCHES and given is True:
            found.append(f"--{key}")
        elif key == "labels" and isinstance(given, str) and Path(given).name == given:
            found.append(f"--labels={folder / given}")
        elif key in OPTIONS and isinstance(given, str | int | float) and not isinstance(given, bool):
            found.append(f"--{key}={given}")
        else:
            known, switches = (", ".join(sorted(names)) for names in (OPTIONS, SWITCHES))
            raise ConfigUnusable(
                f"{FILE}: {CONVERT}: {key} {_shown(given)} can't be used. Known are {known}, labels (a file "
                f"of this folder), and with true {switches}."
            )
    return tuple(found)


def _shown(value: Any) -> str:
    return json.dumps(value)[:60]
