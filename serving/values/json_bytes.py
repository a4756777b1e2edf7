"""Strings in JSON as bytes: text as UTF-8, and {"b64": "..."} decoded as TensorFlow Serving decodes it.

That is absl::Base64Unescape: white space counts for nothing, and the padding may be left out.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

WHITE_SPACE = b" \t\n\v\f\r"


def is_base64(value: Any) -> bool:
    """Whether it is {"b64": "..."} and nothing else."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def to_bytes(value: str | dict[str, Any]) -> bytes:
    """Of text, or of what `is_base64`. The words of the ValueError go on after what holds the value."""
    return _decoded(value["b64"]) if isinstance(value, dict) else _encoded(value)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        raise ValueError("holds half of a surrogate pair, which is not text") from problem


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)  # nearly always; what else is allowed takes longer
    except ValueError:
        return _decoded_leniently(text)


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
