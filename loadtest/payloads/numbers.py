"""Payloads of numbers, of the shape and type that the model's metadata names: tensors over gRPC, JSON over
REST.

Floats are drawn from 0 to 1 and bytes from 0 to 255, as scaled and plain pixels are; other whole numbers are
0 or 1, which are valid wherever they count or index something.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiment.backends.base import MESSAGE_LIMIT_BYTES
from experiment.backends.model_spec import InputSpec
from experiment.protocol import predict_pb2, types_pb2
from experiment.records import BackendInfo
from experiment.wording import count, size
from loadtest.errors import LoadRefused
from loadtest.records import Payload

# TensorFlow's name of a type -> NumPy's.
TYPES = {
    **{"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"},
    **{"DT_UINT8": "uint8", "DT_INT8": "int8", "DT_UINT16": "uint16", "DT_INT16": "int16"},
    **{"DT_INT32": "int32", "DT_INT64": "int64", "DT_BOOL": "bool"},
}


def numbers_payload(
    info: BackendInfo,
    spec: InputSpec,
    batch: int,
    distinct: int,
    seed: int,
    shape: Sequence[int] | None = None,
) -> Payload:
    """`distinct` requests of random numbers for the input `spec`, each with `batch` rows.

    `shape` is that of one row, for a model that leaves it open. Raises LoadRefused where the model can't take
    that.
    """
    whole = (batch, *row_shape(info, spec, batch, shape))
    kind = TYPES.get(spec.dtype)
    if kind is None:
        raise LoadRefused(
            f"The model of {info.name} takes {spec.dtype}, which can't be made here. Types that can: "
            f"{', '.join(sorted(TYPES))}."
        )
    _check_size(math.prod(whole) * np.dtype(kind).itemsize)
    draw = np.random.default_rng(seed)
    encode = rest_body if info.protocol == "rest" else grpc_body
    bodies = tuple(encode(info, spec, random_values(draw, whole, kind)) for _ in range(distinct))
    return Payload("numbers", bodies, tuple(f"numbers {number}" for number in range(distinct)), batch)


def grpc_body(info: BackendInfo, spec: InputSpec, values: NDArray[Any]) -> bytes:
    """A serialised PredictRequest with the numbers as they are in memory. `values` are [rows, ...]."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = info.model
    request.model_spec.signature_name = spec.signature
    tensor = request.inputs[spec.name]
    tensor.dtype = types_pb2.DataType.Value(spec.dtype)
    for side in values.shape:
        tensor.tensor_shape.dim.add().size = side
    tensor.tensor_content = values.tobytes()
    return bytes(request.SerializeToString())


def rest_body(info: BackendInfo, spec: InputSpec, values: NDArray[Any]) -> bytes:
    """JSON with one list of numbers for each row."""
    return json.dumps({"signature_name": spec.signature, "instances": values.tolist()}).encode()


def random_values(draw: np.random.Generator, shape: Sequence[int], kind: str) -> NDArray[Any]:
    """Numbers of NumPy's type `kind`, as the module says."""
    if kind.startswith("float"):
        return draw.random(shape, dtype=np.float32).astype(kind)
    most = 255 if kind == "uint8" else 1
    return draw.integers(0, most, shape, endpoint=True).astype(kind)


def row_shape(info: BackendInfo, spec: InputSpec, batch: int, shape: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of one row. Raises LoadRefused if the model does not say, or takes another batch."""
    if spec.shape and spec.shape[0] not in {None, batch}:
        raise LoadRefused(
            f"The model of {info.name} takes {count(spec.shape[0] or 0, 'row')} in each request. "
            f"Choose --batch {spec.shape[0]}."
        )
    asked = tuple(shape) if shape else None
    named = spec.shape[1:] if spec.shape else None
    if asked is not None and (named is None or _fits(asked, named)):
        return asked
    if named is not None and None not in named and asked is None:
        return tuple(side or 0 for side in named)
    said = "any shape" if named is None else " x ".join("n" if side is None else str(side) for side in named)
    raise LoadRefused(f"The model of {info.name} takes rows of {said}. Name one with --shape, as 28,28,1.")


def _fits(asked: Sequence[int], named: Sequence[int | None]) -> bool:
    return len(asked) == len(named) and all(
        own in {None, side} for side, own in zip(asked, named, strict=True)
    )


def _check_size(size_bytes: int) -> None:
    if size_bytes > MESSAGE_LIMIT_BYTES:
        raise LoadRefused(
            f"A request would have {size(size_bytes)}; at most {size(MESSAGE_LIMIT_BYTES)} can be sent. "
            "Choose a smaller --batch."
        )
