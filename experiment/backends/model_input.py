"""What a model sees of an image: its decoded and resized input as a picture.

It is the output of the signature `decode_images` (capabilities.py). Its values have whatever range the
network takes, so they are scaled to 8 bits, and `scale` says how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiment.backends.base import CONNECT_S, RequestFailed, reading_answers_of, short_cause
from experiment.backends.capabilities import SIGNATURE, SMALL_OUTPUT
from experiment.backends.grpc import (
    model_version,
    names_of,
    open_channel,
    predict_method,
    predict_request,
    wait_for_connection,
)
from experiment.protocol import tensor_pb2, types_pb2
from experiment.records import BackendInfo
from experiment.wording import one_line

_FLOATS = {types_pb2.DT_FLOAT: "<f4", types_pb2.DT_DOUBLE: "<f8", types_pb2.DT_HALF: "<f2"}
_WHOLE = {types_pb2.DT_UINT8: "u1", types_pb2.DT_INT8: "i1", types_pb2.DT_INT32: "<i4"}
_TYPES = _FLOATS | _WHOLE

NEAR_ZERO = 4.0  # standardized values (minus the mean, divided by the deviation) are within it
OVERSHOOT = 16.0  # of 255, which a resizing filter may add at an edge


@dataclass(frozen=True, slots=True)
class Seen:
    """The picture that the network gets, and how its values were scaled."""

    image: Image.Image  # mode RGB
    scale: str  # a sentence
    version: int | None  # of the model that answered; None: not reported


def seen(info: BackendInfo, data: bytes, timeout_s: float) -> Seen:
    """What the model of a gRPC backend sees of the encoded image `data`. Raises RequestFailed."""
    request = predict_request(info, info.decode_signature or SIGNATURE, data)
    with open_channel(info.address) as channel:
        wait_for_connection(channel, CONNECT_S)
        try:
            answer = predict_method(channel)(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise _failed(info, error) from None
    with reading_answers_of(info):
        values = _pixels(info, answer.outputs)
        if not np.isfinite(values).all():
            raise RequestFailed("bad_answer", f"{info.name} answered pixels that are not numbers.")
        levels, scale = to_8_bits(values)
        if levels.shape[2] == 1:
            levels = np.repeat(levels, 3, axis=2)
        return Seen(Image.fromarray(levels, "RGB"), scale, model_version(answer))


def to_8_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint8], str]:
    """Values of any shape and usual range as levels 0..255, and a sentence on how they were scaled.

    The range is guessed from the values: 0..255, 0..1, -1..1, standardized values (drawn from -4 to 4), else
    from the lowest to the highest value.
    """
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1 and values.dtype.kind == "f":
        return _spread(values, 0, 1), "Values from 0 to 1, drawn as 0 to 255."
    if low >= -OVERSHOOT and high <= 255 + OVERSHOOT and (low >= 0 or high > NEAR_ZERO):
        cut = " Values beyond 0 and 255 are cut." if low < 0 or high > 255 else ""
        return _spread(values, 0, 255), f"Values as the model gets them, from 0 to 255.{cut}"
    if low >= -1 and high <= 1:
        return _spread(values, -1, 1), "Values from -1 to 1, drawn as 0 to 255."
    if low >= -NEAR_ZERO and high <= NEAR_ZERO:
        return _spread(values, -NEAR_ZERO, NEAR_ZERO), "Values around 0, drawn from -4 to 4 as 0 to 255."
    words = f"Values from {low:.4g} to {high:.4g}, drawn as 0 to 255."
    return _spread(values, low, high), words


def _spread(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    share = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.rint(np.clip(share, 0.0, 1.0) * 255).astype(np.uint8)


def _pixels(info: BackendInfo, outputs: Mapping[str, Any]) -> NDArray[Any]:
    """The output that is a picture: [height, width, 1 or 3]."""
    for name in sorted(outputs):
        shape = [dim.size for dim in outputs[name].tensor_shape.dim]
        if name != SMALL_OUTPUT and _is_picture(shape) and outputs[name].dtype in _TYPES:
            values = _values(outputs[name])
            if values.size != math.prod(shape):
                raise RequestFailed(
                    "bad_answer",
                    f"{info.name} answered a picture of shape {shape} with {values.size:,} values.",
                )
            values = values.reshape(shape)[0]
            return values if values.shape[-1] in {1, 3} else np.moveaxis(values, 0, -1)
    raise RequestFailed(
        "bad_answer",
        f"{info.name} answered {names_of(outputs) or 'nothing'}; a picture of 1 x height x width x 3 is "
        "expected.",
    )


def _is_picture(shape: list[int]) -> bool:
    return len(shape) == 4 and shape[0] == 1 and min(shape) > 0 and bool({shape[1], shape[3]} & {1, 3})


def _values(tensor: tensor_pb2.TensorProto) -> NDArray[Any]:
    """The values of a tensor in either of protobuf's two encodings, flat."""
    kind = _TYPES[tensor.dtype]
    content = tensor.tensor_content
    if content:
        return np.frombuffer(content, kind, len(content) // np.dtype(kind).itemsize)
    return np.asarray(tensor.float_val or tensor.double_val or tensor.int_val, kind)


def _failed(info: BackendInfo, error: grpc.RpcError) -> RequestFailed:
    status, details = error.code(), one_line(error.details() or "")
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        return RequestFailed("deadline", f"{info.name} did not answer in time.")
    if status == grpc.StatusCode.UNAVAILABLE:
        where = f"{info.name} at {info.address} ({short_cause(details)})"
        return RequestFailed("unreachable", f"No answer from {where}.")
    if status in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}:
        return RequestFailed("not_found", f"{info.name} can't show what its model sees: {details}")
    return RequestFailed("server_error", f"{info.name} refused: {details}")
