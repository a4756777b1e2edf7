"""TensorFlow Serving's protocol messages, without TensorFlow's runtime.

The messages of `tensorflow-serving-api` need only the `*_pb2` modules under
`tensorflow/core`, but importing those the usual way runs `tensorflow/__init__.py`,
which takes seconds and half a gigabyte. A stand-in package object with the right
`__path__` lets Python find the messages and nothing else. In the web image only
these files exist (see Dockerfile). Import messages from here, never directly.
"""

from __future__ import annotations

import importlib.util
import sys
import types


def _stand_in_for_tensorflow() -> None:
    if "tensorflow" in sys.modules:
        return
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "The protocol messages of TensorFlow are missing. `make run` installs them with everything else; "
            "or copy tensorflow/core/**/*_pb2.py and tensorflow_serving as the Dockerfile does."
        )
    package = types.ModuleType("tensorflow")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec  # PyTorch reads it, and fails if it is missing
    sys.modules["tensorflow"] = package


_stand_in_for_tensorflow()

from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2  # noqa: E402
from tensorflow.core.protobuf import meta_graph_pb2  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


def type_name(dtype: int) -> str:
    """TensorFlow's name of a tensor's type: 1 -> "DT_FLOAT". Servers may send numbers without a name."""
    try:
        return str(types_pb2.DataType.Name(dtype))
    except ValueError:
        return f"type number {dtype}, which does not exist,"


__all__ = [
    "GET_MODEL_METADATA",
    "GET_MODEL_STATUS",
    "PREDICT",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "meta_graph_pb2",
    "model_pb2",
    "predict_pb2",
    "tensor_pb2",
    "tensor_shape_pb2",
    "type_name",
    "types_pb2",
]
