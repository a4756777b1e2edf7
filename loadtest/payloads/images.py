"""Payloads of encoded images: string tensors over gRPC, base64 in JSON over REST."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from experiment.backends.grpc import predict_request
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo
from loadtest.records import Payload


def image_payload(
    info: BackendInfo,
    images: Sequence[bytes],
    names: Sequence[str],
    batch: int = 1,
    expected: Sequence[str | None] = (),
) -> Payload:
    """Requests with `batch` images each, taken from `images` in turn, for the protocol of `info`.

    There are as many bodies as images: the n-th starts with the n-th image. `expected` has the label of every
    image.
    """
    rounds = [[(number + step) % len(images) for step in range(batch)] for number in range(len(images))]
    encode = rest_body if info.protocol == "rest" else grpc_body
    return Payload(
        kind="image",
        bodies=tuple(encode(info, [images[index] for index in chosen]) for chosen in rounds),
        names=tuple(names),
        batch=batch,
        expected=tuple(tuple(expected[index] for index in chosen) for chosen in rounds) if expected else (),
    )


def grpc_body(info: BackendInfo, images: Sequence[bytes]) -> bytes:
    """A serialised PredictRequest with these encoded images: a DT_STRING tensor of shape [n]."""
    request: predict_pb2.PredictRequest = predict_request(info, info.signature, images[0])
    tensor = request.inputs[info.input_key]
    tensor.tensor_shape.dim[0].size = len(images)
    tensor.string_val.extend(images[1:])
    return bytes(request.SerializeToString())


def rest_body(info: BackendInfo, images: Sequence[bytes]) -> bytes:
    """The same as JSON, each image in base64."""
    rows = b",".join(b'{"b64": "' + base64.b64encode(image) + b'"}' for image in images)
    return b'{"signature_name": %s, "instances": [%s]}' % (json.dumps(info.signature).encode(), rows)
