"""Made-up requests that wake every part of a model before the first client comes."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from tensorflow.core.framework import types_pb2

from serving.signatures import Signature, TensorSpec
from serving.tensors import numpy_dtype

FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # what the contract of `images` allows
SIDE_PX = 64


def sample_inputs(signature: Signature) -> Iterator[dict[str, np.ndarray]]:
    """Requests that fit the signature: one of each image format for strings, else one of zeros."""
    if any(spec.dtype == types_pb2.DT_STRING for spec in signature.inputs.values()):
        for image_format in FORMATS:
            image = _image(image_format)
            yield {alias: _filled(spec, image) for alias, spec in signature.inputs.items()}
    else:
        yield {alias: _filled(spec, b"") for alias, spec in signature.inputs.items()}


def _filled(spec: TensorSpec, image: bytes) -> np.ndarray:
    """Open sizes are taken as 1."""
    shape = [1 if size is None else size for size in (spec.shape if spec.shape is not None else (1,))]
    value = image if spec.dtype == types_pb2.DT_STRING else 0
    return np.full(shape, value, numpy_dtype(spec.dtype))


def _image(image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((SIDE_PX, SIDE_PX)).convert("RGB").save(buffer, image_format)
    return buffer.getvalue()
