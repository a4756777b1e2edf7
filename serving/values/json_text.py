"""JSON read as TensorFlow Serving's parser reads it (RapidJSON): NaN and Infinity are numbers, 1e400 is not.

It is stricter in one point: a key that is twice in an object is refused where that is noticed. RapidJSON
takes the first one, most other parsers the last. Strings are text as UTF-8, or bytes as {"b64": "..."},
decoded like absl::Base64Unescape: white space is ignored, and the padding may be left out.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from serving.errors import InvalidArgument

# A key with an escape may be written in two ways: "x" and "\\u0078".
ESCAPE_IN_KEY = re.compile(rb'\\.[^"\\]*"\s*:')
WHOLE_NUMBER_CHARACTERS = 20  # of the longest 64-bit numbers, with the sign
WHITE_SPACE = b" \t\n\v\f\r"


def read(text: bytes, may_repeat_a_key: Callable[[Any, bytes], bool]) -> Any:
    """The value of a request's body. `may_repeat_a_key` gets it with the text. Raises InvalidArgument.

    orjson takes a fifth of the time; Python's parser, used when needed, reads NaN and says what is wrong.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return read_unique(text)
    is_doubtful = ESCAPE_IN_KEY.search(text) or may_repeat_a_key(value, text)
    return read_unique(text) if is_doubtful else value


def read_unique(text: bytes) -> Any:
    """As `read`, but slower: every key that is twice in an object is noticed. Raises InvalidArgument."""
    try:
        return _UNIQUE.decode(text.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise InvalidArgument(f"JSON Parse error: it is not UTF-8 text (byte {problem.start}).") from problem
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
    """A number of more than 64 bits is read as a decimal, as by orjson and RapidJSON."""
    if len(text) > WHOLE_NUMBER_CHARACTERS:
        return _decimal(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


_UNIQUE = json.JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_int=_whole)


def is_base64(value: Any) -> bool:
    """Whether a value is {"b64": "..."} and nothing else."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def to_bytes(value: str | dict[str, Any]) -> bytes:
    """The bytes of a string or of {"b64": "..."}. Raises ValueError with a clause like "holds ..."."""
    if isinstance(value, dict):
        try:
            return base64.b64decode(value["b64"], validate=True)  # nearly always; the rest takes longer
        except ValueError:
            return _decoded_leniently(value["b64"])
    try:
        return value.encode()
    except UnicodeEncodeError as problem:
        raise ValueError("holds half of a surrogate pair, which is not text") from problem


def _decoded_leniently(text: str) -> bytes:
    data = text.encode(errors="replace").translate(None, WHITE_SPACE)
    if set(b"-_") & set(data):
        raise ValueError(
            "has URL-safe base64 (with - or _). Send the standard alphabet, which has + and / instead"
        )
    digits = data.rstrip(b"=")
    padding = b"=" * (-len(digits) % 4)
    if len(data) - len(digits) not in {0, len(padding)}:
        raise ValueError("has damaged base64 (wrong padding at its end)")
    try:
        return base64.b64decode(digits + padding, validate=True)
    except binascii.Error as problem:
        raise ValueError(f"has damaged base64 ({problem})") from problem
