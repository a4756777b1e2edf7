"""What a server of ours tells about itself: runtime, precision, hardware.

It sends compact JSON as trailing metadata with every GetModelStatus answer. TensorFlow
Serving sends none, so nothing is known there; what makes no sense is taken for not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from experiment.backends.answers import parsed_json
from experiment.records import BackendInfo

KEY = "pixelcost-about"
LONGEST_TEXT = 200  # characters; these words go into tables


def with_about(info: BackendInfo, metadata: Iterable[tuple[str, str | bytes]] | None) -> BackendInfo:
    """`info` with what the trailing metadata of a status answer tells, and nothing from before."""
    sent = _sent(metadata)
    facts: dict[str, Any] = {
        name: sent.get(name) if is_sound(sent.get(name)) else None for name, is_sound in FACTS.items()
    }
    device = sent["device"] if sent.get("device") in ("CPU", "GPU") else info.device
    return replace(info, device=device, **facts)


def about_of(info: BackendInfo) -> dict[str, Any]:
    """The facts that with_about() put there."""
    return {name: getattr(info, name) for name in ("device", *FACTS)}


def _sent(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, Any]:
    text = next((value for key, value in metadata or () if key == KEY), "{}")
    try:
        sent = parsed_json(text)
    except ValueError:
        return {}
    return sent if isinstance(sent, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


FACTS: dict[str, Callable[[Any], bool]] = {
    "runtime": _is_text,
    "precision": _is_text,
    "isa": _is_text,
    "device_name": _is_text,
    "device_memory_bytes": _is_count,
    "replicas": _is_count,
}
