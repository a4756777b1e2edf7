"""Protocol messages that are in no installed package, declared in code with the fields that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor

Fields = tuple[tuple[str, int, str], ...]  # name, number and type; a type with a dot is a message


def declared(package: str, messages: Mapping[str, Fields], *needed: FileDescriptor) -> dict[str, type[Any]]:
    """Message classes by name. Their parsers skip fields that are not declared.

    They are in a descriptor pool of their own: the default pool may get the original messages one day.
    """
    file = descriptor_pb2.FileDescriptorProto(name="declared.proto", package=package, syntax="proto3")
    file.dependency.extend(other.name for other in needed)
    for name, fields in messages.items():
        file.message_type.add(name=name).field.extend(_field(*field) for field in fields)
    pool = descriptor_pool.DescriptorPool()
    for serialized in (*(other.serialized_pb for other in needed), file.SerializeToString()):
        pool.AddSerializedFile(serialized)
    classes = message_factory.GetMessageClassesForFiles([file.name], pool)
    return {name: classes[f"{package}.{name}"] for name in messages}


def _field(name: str, number: int, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    proto = descriptor_pb2.FieldDescriptorProto
    is_repeated, kind = kind.startswith("repeated "), kind.removeprefix("repeated ")
    field = proto(name=name, number=number, label=proto.LABEL_OPTIONAL)
    if is_repeated:
        field.label = proto.LABEL_REPEATED
    if "." in kind:
        field.type, field.type_name = proto.TYPE_MESSAGE, f".{kind}"
    else:
        field.type = proto.Type.Value(f"TYPE_{kind.upper()}")
    return field
