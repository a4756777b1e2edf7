"""The SignatureDefs that TensorFlow Serving's tools write into a TFLite file's metadata.

A buffer under the name below holds a map, as a flexbuffer, of signature names to serialised messages
(tensorflow/lite/tools/signature/signature_def_util.cc). LiteRT itself reads only the file's other,
newer kind of signatures.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from ai_edge_litert.schema_py_generated import Model
from flatbuffers import flexbuffers
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import LoadFailed

METADATA = b"signature_defs_metadata"

SignatureDefs = Mapping[str, meta_graph_pb2.SignatureDef]


def tflite_signatures(file: Path) -> SignatureDefs:
    """The SignatureDefs by name; empty if the file has none. Raises LoadFailed and OSError."""
    try:
        model = Model.GetRootAs(file.read_bytes(), 0)
        entries = (model.Metadata(index) for index in range(model.MetadataLength()))
        buffers = [entry.Buffer() for entry in entries if entry.Name() == METADATA]
        if not buffers:
            return {}
        content = model.Buffers(buffers[0]).DataAsNumpy().tobytes()
        texts = flexbuffers.GetRoot(content).AsMap
        return {
            key.AsKey: meta_graph_pb2.SignatureDef.FromString(bytes(text.AsStringBytes))
            for key, text in zip(texts.Keys, texts.Values, strict=True)
        }
    except (AttributeError, LookupError, TypeError, ValueError, DecodeError, struct.error) as problem:
        raise LoadFailed(
            f"{file} is damaged: its signatures can't be read ({problem}). Convert or copy it again."
        ) from problem
