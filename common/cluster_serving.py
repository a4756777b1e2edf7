"""The config.yaml of Analytics Zoo's (later BigDL's) Cluster Serving, in all its forms.

The first form has sections (`model: path:`, `params: batch_size:`, `spark: master:`), the last one plain keys
(`modelPath:`, `jobName:`). `python -m models convert` takes the model from it, `python -m jobs serve` the
rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from common.words import decoded

LARGEST_BYTES: Final = 1 << 20
MOST_KEYS: Final = 500  # of a file with aliases of aliases, which would have billions
MOST_LEVELS: Final = 4

# What is read about the model, and its names in all forms.
MODEL_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("model.path", "modelPath"),
    "shape": ("data.shape", "data.image_shape"),
    "sides": ("imageResize",),
    "batch_size": ("params.batch_size",),
    "top_n": ("params.top_n", "params.filter", "data.filter", "filter", "postProcessing"),
    "encrypted": ("modelEncrypted",),
}
REDIS_KEYS: Final = ("redisUrl", "data.src", "redis.url")


class Unusable(Exception):
    """Something in the file can't be used. The text is a sentence that does not name the file."""


def keys_of(file: Path, load: Callable[[str], Any]) -> dict[str, Any]:
    """The keys that have a value, by dotted name: `model.path`. `load` is yaml.safe_load.

    Raises Unusable, also for files that are no such configuration.
    """
    text = _text(file)
    try:
        parsed = load(text)
        given = dict(_flat(parsed)) if isinstance(parsed, dict) else None
    except (RecursionError, OverflowError, MemoryError):
        raise Unusable("It is nested too deeply to be a configuration.") from None
    except Unusable:
        raise
    except Exception as problem:  # the loader's own kinds of error, and those of odd dates and numbers
        raise Unusable(_not_yaml(text, problem)) from None
    if given is None:
        if parsed is None:
            raise Unusable("It holds no keys. Set at least modelPath.")
        what = "a list" if isinstance(parsed, list) else "a text"
        raise Unusable(f"It is not a configuration of Cluster Serving: it holds no keys, but {what}.")
    return {key: value for key, value in given.items() if value not in (None, "")}


def first_of(given: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value of the first of the names that has one; None: none has."""
    return next((given[name] for name in names if name in given), None)


def whole_number(name: str, value: Any, written: str = r"(-?\d+)") -> int | None:
    """A whole number of 1 or more, as a number or in the form `written`; None if there is no value.

    Raises Unusable.
    """
    if value is None:
        return None
    found = re.fullmatch(written, str(value).strip())
    if not found or isinstance(value, bool) or len(found[1]) > 9 or int(found[1]) < 1:
        raise Unusable(f"{name} must be a whole number of 1 or more, not {shown(value)}.")
    return int(found[1])


def top_n(value: Any) -> int | None:
    """The number in `5` or `topN(5)`. Raises Unusable."""
    return whole_number("top_n", value, r"(?:topN\()?(-?\d+)\)?")


def image_shape(shape: Any) -> tuple[str | None, tuple[int, int] | None]:
    """Layout and (height, width) of "3,224,224", [224, 224, 3] or "224,224". Raises Unusable."""
    if shape is None:
        return None, None
    if not re.fullmatch(r"[\[(]?\s*[1-9]\d*(\s*,\s*[1-9]\d*)*\s*[\])]?", str(shape)):
        raise Unusable(f"the shape {shown(shape)} is not a list of whole numbers such as 3,224,224.")
    match [int(size) for size in re.findall(r"\d{1,9}", str(shape))]:
        case [3, height, width]:
            return "NCHW", (height, width)
        case [height, width, 3]:
            return "NHWC", (height, width)
        case [height, width]:
            return None, (height, width)
        case _:
            raise Unusable(f"the shape {shown(shape)} is not an image: 3,height,width or height,width,3.")


def model_path(file: Path, value: Any) -> Path:
    """Where the model is; relative paths count from the file. Raises Unusable."""
    if value is None:
        raise Unusable("it names no model: model.path (or modelPath) is empty.")
    if not isinstance(value, str):
        raise Unusable(f"the model's path must be a text, not {shown(value)}.")
    scheme, _, rest = value.rpartition(":")
    if scheme and scheme != "file":
        raise Unusable(f"the model is at {value}. Copy it to this machine and name it there.")
    return file.parent / ("/" + rest.lstrip("/") if scheme else value)


def shown(value: Any) -> str:
    """A value in a sentence, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _text(file: Path) -> str:
    try:
        if file.is_dir():
            raise Unusable("It is a folder. Name the file in it: config.yaml.")
        with file.open("rb") as opened:
            data = opened.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise Unusable("There is no such file.") from None
    except OSError as error:
        raise Unusable(f"It can't be read: {error.strerror}.") from None
    if len(data) > LARGEST_BYTES:
        raise Unusable(f"It is larger than {LARGEST_BYTES >> 20} MiB, so it is not a configuration.")
    try:
        return decoded(data)
    except UnicodeDecodeError:
        raise Unusable("It is not valid YAML: it is not a text in UTF-8.") from None


def _not_yaml(text: str, problem: Exception) -> str:
    tabs = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r" *\t\s*\S", line)]
    if tabs:
        return f"It is not valid YAML: line {tabs[0]} begins with a tab. Indent with spaces."
    return f"It is not valid YAML: {' '.join(str(problem).split())[:300]}"


def _flat(section: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Values by dotted names. Raises Unusable if there are far too many."""
    waiting: list[tuple[str, Any, int]] = [("", section, 0)]
    seen = 0
    while waiting:
        prefix, values, level = waiting.pop()
        for key, value in values.items():
            seen += 1
            if seen > MOST_KEYS:
                raise Unusable(f"It has more than {MOST_KEYS} keys, so it is not a configuration.")
            if not isinstance(value, dict):
                yield f"{prefix}{key}", value
            elif level >= MOST_LEVELS:
                raise Unusable("It is nested too deeply to be a configuration.")
            else:
                waiting.append((f"{prefix}{key}.", value, level + 1))
