"""Writes a function of pixels as TFLite, with a signature."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def tflite_bytes(function: Any, owner: tf.Module) -> bytes:
    """A concrete function as `serving_default`; `owner` holds its variables."""
    converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function], owner).convert()
    return converted
