"""JSON read as TensorFlow Serving's parser reads it (RapidJSON): NaN and Infinity are numbers, 1e400 is not.

Stricter in one thing: a key that stands twice in an object is refused wherever it is noticed.
There RapidJSON takes the first one and most others the last.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from serving.errors import InvalidArgument

# Such a key may be written in two ways: "x" and "\\u0078".
ESCAPE_IN_KEY = re.compile(rb'\\.[^"\\]*"\s*:')
WHOLE_NUMBER_CHARACTERS = 20  # of the longest ones with 64 bits, the sign included


def read(text: bytes, may_repeat_a_key: Callable[[Any, bytes], bool]) -> Any:
    """The value of a body. Raises InvalidArgument. Where a key may stand twice the caller looks for it.

    orjson holds Python's lock for a fifth of the time; the other one knows NaN and says what is wrong.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return read_unique(text)
    is_doubtful = ESCAPE_IN_KEY.search(text) or may_repeat_a_key(value, text)
    return read_unique(text) if is_doubtful else value


def read_unique(text: bytes) -> Any:
    """The same, slower. Raises InvalidArgument also for a key that appears twice in an object."""
    try:
        return _UNIQUE.decode(text.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        why = f"it is not UTF-8 text (byte {problem.start})."
        raise InvalidArgument(f"JSON Parse error: {why}") from problem
    except RecursionError as problem:
        raise InvalidArgument("JSON Parse error: it is nested too deeply.") from problem
    except ValueError as problem:
        raise InvalidArgument(f"JSON Parse error: {problem}") from problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidArgument(f"The key {key!r} appears twice in an object. Send it once.")
        found[key] = value
    return found


def _decimal(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:WHOLE_NUMBER_CHARACTERS]} is too big for a 64-bit float.")
    return value


def _whole(text: str) -> int | float:
    """Of more than 64 bits it is a decimal, as for orjson and RapidJSON."""
    if len(text) > WHOLE_NUMBER_CHARACTERS:
        return _decimal(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


_UNIQUE = json.JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_int=_whole)
