"""JSON from untrusted sources: parsed strictly, and quoted in messages."""

from __future__ import annotations

import json
from typing import Any


def strict_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, also for NaN, Infinity and a key that appears twice.

    Raises RecursionError for JSON that is nested too deeply.
    """
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)


def quoted(value: Any) -> str:
    """The value as JSON for a message, at most 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {quoted(key)} appears twice")
        found[key] = value
    return found
