"""Which model, version and signature: the protocol's ModelSpec and the service's."""

from __future__ import annotations

from tensorflow_serving.apis import model_pb2

from serving.errors import InvalidArgument
from serving.models.served_model import ModelSpec


def from_proto(proto: model_pb2.ModelSpec) -> ModelSpec:
    """Raises InvalidArgument without a name."""
    if not proto.name:
        raise InvalidArgument("Missing ModelSpec")
    version = proto.version.value if proto.HasField("version") else None
    return ModelSpec(proto.name, version, proto.version_label)


def to_proto(spec: ModelSpec, signature_name: str = "") -> model_pb2.ModelSpec:
    """Of the model that answered."""
    return model_pb2.ModelSpec(name=spec.name, version={"value": spec.version}, signature_name=signature_name)
