"""Nested lists of JSON to arrays, with the checks of TensorFlow Serving, and floats of arrays to JSON.

No value changes, except that decimals are rounded: a whole number that a float can't hold exactly is refused,
as are true for 1, 1.0 for a whole number, and 1e39 for a 32-bit float.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import orjson

from serving.values.json_text import is_base64, to_bytes

DIMENSIONS_LIMIT = 32  # NumPy's iterators take no more
SHOWN_CHARACTERS = 20  # of a text in a message
SHORTEST = orjson.OPT_SERIALIZE_NUMPY


def from_json(values: Any, dtype: np.dtype) -> np.ndarray:
    """The array, in the shape of the lists. Raises ValueError with a clause like "it holds ..."."""
    if dtype.kind not in READERS:
        raise ValueError("JSON can't express such numbers; use gRPC")
    shape = _shape(values)
    return READERS[dtype.kind](_leaves(values, shape), dtype).reshape(shape)


def shortest(array: np.ndarray) -> Any:
    """Nested lists of floats, whose `repr` has the fewest digits that identify the array's floats.

    `tolist` would show the digits of the 64-bit float next to a 32-bit one: 2.4800000190734863 for 2.48.
    """
    # orjson writes NaN and infinities as null, which NumPy reads as NaN.
    wide = np.array(orjson.loads(orjson.dumps(array.ravel(), option=SHORTEST)), np.float64)
    odd = ~np.isfinite(array.ravel())
    wide[odd] = array.ravel()[odd]
    return wide.reshape(array.shape).tolist()


def _shape(values: Any) -> tuple[int, ...]:
    sizes: list[int] = []
    while isinstance(values, list):
        sizes.append(len(values))
        if len(sizes) > DIMENSIONS_LIMIT:
            raise ValueError(f"its lists are nested more than {DIMENSIONS_LIMIT} deep")
        if not values:
            break
        values = values[0]
    return tuple(sizes)


def _leaves(values: Any, shape: tuple[int, ...]) -> list[Any]:
    level = [values]
    for size in shape:
        if set(map(type, level)) - {list} or set(map(len, level)) - {size}:
            raise ValueError("its lists differ in length or depth")
        level = list(chain.from_iterable(level))
    if list in set(map(type, level)):
        raise ValueError("its lists differ in length or depth")
    return level


def _floats(leaves: list[Any], dtype: np.dtype) -> np.ndarray:
    types = _require({int, float}, "is not a number", leaves)
    wide = np.array(leaves, np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(dtype)
    overflown = np.isinf(narrow) & ~np.isinf(wide)
    if overflown.any():
        limit = np.finfo(dtype).max
        raise ValueError(f"it holds {leaves[int(overflown.argmax())]}, outside -{limit:.5g} to {limit:.5g}")
    if int in types:
        _require_exact(leaves, wide, dtype)
    return narrow


def _require_exact(leaves: list[Any], wide: np.ndarray, dtype: np.dtype) -> None:
    """Raises ValueError for a whole number that becomes another one. None up to 2**(nmant + 1) does."""
    large = np.flatnonzero(np.abs(wide) >= 2.0 ** (np.finfo(dtype).nmant + 1))
    for value in (leaves[index] for index in large.tolist()):
        if isinstance(value, int) and int(dtype.type(value)) != value:
            raise ValueError(
                f"it holds {value}, which a {dtype.name} can't hold exactly; "
                f"write {value}.0 to have it rounded"
            )


def _whole_numbers(leaves: list[Any], dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    outside: list[Any] = []
    if float in set(map(type, leaves)):  # a whole number of more than 64 bits was read as a float
        outside = [value for value in leaves if type(value) is float and 2.0**63 <= abs(value) < math.inf]
    if not outside:
        _require({int}, "is not a whole number", leaves)
        ends = (min(leaves, default=0), max(leaves, default=0))
        outside = [value for value in ends if not limits.min <= value <= limits.max]
    if outside:
        raise ValueError(f"it holds {outside[0]}, outside {limits.min} to {limits.max}")
    return np.array(leaves, dtype)


def _booleans(leaves: list[Any], dtype: np.dtype) -> np.ndarray:
    _require({bool}, "is neither true nor false", leaves)
    return np.array(leaves, dtype)


def _strings(leaves: list[Any], dtype: np.dtype) -> np.ndarray:
    _require({str, dict}, 'is neither a string nor {"b64": "..."}', leaves)
    array = np.empty(len(leaves), dtype)
    for index, value in enumerate(leaves):
        if isinstance(value, dict) and not is_base64(value):
            raise ValueError('it needs strings or {"b64": "..."}')
        try:
            array[index] = to_bytes(value)
        except ValueError as problem:
            raise ValueError(f"it {problem}") from problem
    return array


READERS: dict[str, Callable[[list[Any], np.dtype], np.ndarray]] = {
    "f": _floats,
    "i": _whole_numbers,
    "u": _whole_numbers,
    "b": _booleans,
    "O": _strings,
}


def _require(wanted: set[type], otherwise: str, leaves: list[Any]) -> set[type]:
    """The types of the values. Exactly these are allowed: to Python true is an int, too."""
    types = set(map(type, leaves))
    if not types <= wanted:
        wrong = next(value for value in leaves if type(value) not in wanted)
        raise ValueError(f"it holds {_shown(wrong)}, which {otherwise}")
    return types


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        value = value[:SHOWN_CHARACTERS] + "…"
    return json.dumps(value, ensure_ascii=False)
