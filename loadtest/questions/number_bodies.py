"""A request with numbers, in each way that TensorFlow Serving takes them."""

from __future__ import annotations

import json
from typing import Any, Literal

from numpy.typing import NDArray

from experiment.protocol import predict_pb2, types_pb2
from experiment.records import BackendInfo

Schema = Literal["content", "values", "json"]
# Type of a tensor -> the field that holds one number after another. DT_HALF's holds bits, not numbers.
FIELDS = {
    **{"float32": ("DT_FLOAT", "float_val"), "float64": ("DT_DOUBLE", "double_val")},
    **{"int8": ("DT_INT8", "int_val"), "uint8": ("DT_UINT8", "int_val"), "int32": ("DT_INT32", "int_val")},
    **{"int64": ("DT_INT64", "int64_val"), "float16": ("DT_HALF", None)},
}


def body_of_numbers(info: BackendInfo, values: NDArray[Any], schema: Schema) -> bytes:
    """The body of a request; `values` are [rows, ...].

    "content": the tensor's bytes as they are in memory. "values": a list of numbers in the message, as
    clients make that extend `float_val`. "json": numbers as text, for REST.
    """
    if schema == "json":
        head = json.dumps(info.signature)
        return f'{{"signature_name": {head}, "instances": {json.dumps(values.tolist())}}}'.encode()
    request = predict_pb2.PredictRequest()
    request.model_spec.name = info.model
    request.model_spec.signature_name = info.signature
    tensor, (kind, field) = request.inputs[info.input_key], FIELDS[values.dtype.name]
    tensor.dtype = types_pb2.DataType.Value(kind)
    for size in values.shape:
        tensor.tensor_shape.dim.add().size = size
    if schema == "content" or field is None:
        tensor.tensor_content = values.tobytes()
    else:
        getattr(tensor, field).extend(values.ravel().tolist())
    return bytes(request.SerializeToString())
