"""The FileDescriptorSet of PredictionService.Predict, which gRPC tools read.

TensorFlow Serving has no reflection, so grpcurl and ghz need this file (`-protoset`), or TensorFlow's .proto
files.
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
    """The serialized set: all messages that Predict needs, and the service with this one method."""
    files: dict[str, Any] = {}
    _collect(predict_pb2.DESCRIPTOR, files)
    descriptors = descriptor_pb2.FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(descriptors.file.add())
    descriptors.file.append(_service())
    return descriptors.SerializeToString(deterministic=True)


def _collect(file: Any, files: dict[str, Any]) -> None:
    """Adds `file` to `files` after everything that it imports, the order that protobuf needs."""
    for dependency in file.dependencies:
        _collect(dependency, files)
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
