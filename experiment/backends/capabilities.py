"""What a server can do: what it reports about itself, and whether its model can decode only.

Our own model server reports runtime, precision and hardware, as JSON in the trailing metadata of its
GetModelStatus answers. TensorFlow Serving reports nothing. Values that make no sense are ignored.

A model may have a signature `decode_images`: the same encoded images in, the pixels that the network gets
out. So any TensorFlow Serving shows how long decoding takes. Its output `checksum`, one number per image
that depends on every pixel, is requested if the signature has it; otherwise the pixels come back, and their
transfer is in the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from common.checks import is_line, is_number
from experiment.backends.answers import parsed_json
from experiment.records import BackendInfo

KEY = "pixelcost-about"
LONGEST_TEXT = 200  # characters; tables show it
SIGNATURE, SMALL_OUTPUT = "decode_images", "checksum"


def with_about(info: BackendInfo, metadata: Iterable[tuple[str, str | bytes]] | None) -> BackendInfo:
    """`info` with the facts in the trailing metadata of a status answer, instead of those it had."""
    text = next((value for key, value in metadata or () if key == KEY), "{}")
    try:
        sent = parsed_json(text)
    except ValueError:
        sent = {}
    sent = sent if isinstance(sent, dict) else {}
    facts: dict[str, Any] = {
        name: sent.get(name) if is_sound(sent.get(name)) else None for name, is_sound in FACTS.items()
    }
    device = sent["device"] if sent.get("device") in ("CPU", "GPU") else info.device
    return replace(info, device=device, **facts)


def about_of(info: BackendInfo) -> dict[str, Any]:
    """The facts that with_about() sets."""
    return {name: getattr(info, name) for name in ("device", *FACTS)}


def _is_text(value: Any) -> bool:
    return is_line(value, LONGEST_TEXT)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and is_number(value) and 0 < value < 2**53


FACTS: dict[str, Callable[[Any], bool]] = {
    "runtime": _is_text,
    "precision": _is_text,
    "isa": _is_text,
    "device_name": _is_text,
    "device_memory_bytes": _is_count,
    "replicas": _is_count,
}


def with_decoding(info: BackendInfo, signatures: Mapping[str, Any]) -> BackendInfo:
    """`info` with the signature that only decodes, if its input is that of the backend's own signature.

    `signatures` are name -> SignatureDef.
    """
    found, own, key = signatures.get(SIGNATURE), signatures.get(info.signature), info.input_key
    if found is None or own is None or set(found.inputs) != {key} or key not in own.inputs:
        return replace(info, decode_signature=None, decode_output=None)
    if found.inputs[key].dtype != own.inputs[key].dtype:
        return replace(info, decode_signature=None, decode_output=None)
    output = SMALL_OUTPUT if SMALL_OUTPUT in found.outputs else None
    return replace(info, decode_signature=SIGNATURE, decode_output=output)
