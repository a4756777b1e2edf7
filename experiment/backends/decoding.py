"""Can a model be asked to decode only? Then any TensorFlow Serving shows what decoding takes.

An exported model may have a signature `decode_images`: the same encoded images in, the pixels
that the network gets out. Its output `checksum`, a number for each image that depends on every
pixel, is asked for where it is there: else the pixels themselves come back, and their way with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experiment.records import BackendInfo

SIGNATURE, SMALL_OUTPUT = "decode_images", "checksum"


def with_decoding(info: BackendInfo, signatures: Mapping[str, Any]) -> BackendInfo:
    """`info` with the signature that only decodes, if it takes what the model's own signature takes."""
    found = signatures.get(SIGNATURE, None)
    own = signatures.get(info.signature, None)
    if found is None or own is None or not _same_input(info.input_key, found, own):
        return replace(info, decode_signature=None, decode_output=None)
    output = SMALL_OUTPUT if SMALL_OUTPUT in found.outputs else None
    return replace(info, decode_signature=SIGNATURE, decode_output=output)


def _same_input(key: str, found: Any, own: Any) -> bool:
    return (
        set(found.inputs) == {key} and key in own.inputs and found.inputs[key].dtype == own.inputs[key].dtype
    )
