"""The description of PredictionService.Predict as gRPC tools read it: a FileDescriptorSet.

TensorFlow Serving has no reflection, so grpcurl and ghz can't ask it what it takes. With this
file (`-protoset`) they need no .proto files of TensorFlow.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2

from experiment.protocol import predict_pb2

FILE_NAME = "predict.protoset"
SERVICE, METHOD = "tensorflow.serving.PredictionService", "Predict"


@cache
def protoset() -> bytes:
    """Every message that Predict needs, and the service with this one method."""
    files: dict[str, Any] = {}
    _collect(predict_pb2.DESCRIPTOR, files)
    made = descriptor_pb2.FileDescriptorSet()
    for each in files.values():
        each.CopyToProto(made.file.add())
    made.file.append(_service())
    return made.SerializeToString(deterministic=True)


def _collect(file: Any, files: dict[str, Any]) -> None:
    """The file after all that it imports, as protobuf wants them."""
    for each in file.dependencies:
        _collect(each, files)
    files.setdefault(file.name, file)


def _service() -> descriptor_pb2.FileDescriptorProto:
    package, _, name = SERVICE.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(
        name="pixelcost/predict.proto", package=package, syntax="proto3"
    )
    file.dependency.append(predict_pb2.DESCRIPTOR.name)
    method = file.service.add(name=name).method.add(name=METHOD)
    method.input_type = f".{predict_pb2.PredictRequest.DESCRIPTOR.full_name}"
    method.output_type = f".{predict_pb2.PredictResponse.DESCRIPTOR.full_name}"
    return file
