"""The numeric signatures of a SavedModel, for runtimes that can't handle text.

OpenVINO reads the one signature `serving_default` and drops what that does not need. So a SavedModel is
written for every signature, in which it has that name and no text outputs. The weights are not copied.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.errors import LoadFailed
from serving.values.signatures import DEFAULT_SIGNATURE, INTERNAL_SIGNATURES, Signature

FILE = "saved_model.pb"


def numeric_signatures(directory: Path, tags: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Name of a signature, and directory of a SavedModel with it alone, which exists until the next step.

    Raises LoadFailed if no signature takes numbers and returns numbers.
    """
    meta_graph = _meta_graph(directory, tags)
    signatures = {
        name: signature
        for name, signature in sorted(meta_graph.signature_def.items())
        if not name.startswith(INTERNAL_SIGNATURES)
    }
    cut = {
        name: _without_text(signature)
        for name, signature in signatures.items()
        if signature.inputs and not any(map(_is_text, signature.inputs.values()))
    }
    cut = {name: signature for name, signature in cut.items() if signature.outputs}
    if not cut:
        raise LoadFailed(_nothing(directory, signatures))
    for name, signature in cut.items():
        with tempfile.TemporaryDirectory(prefix="saved-model-") as scratch:
            _write(Path(scratch), directory, meta_graph, signature)
            yield name, Path(scratch)


def _meta_graph(directory: Path, tags: Collection[str]) -> meta_graph_pb2.MetaGraphDef:
    try:
        graphs = saved_model_pb2.SavedModel.FromString((directory / FILE).read_bytes()).meta_graphs
    except (OSError, DecodeError) as problem:
        raise LoadFailed(f"{directory / FILE} is damaged ({problem}). Copy or export it again.") from problem
    for graph in graphs:
        if set(tags) == set(graph.meta_info_def.tags):
            return graph
    raise LoadFailed(
        f"{directory / FILE} holds no graph with the tags {' '.join(tags)!r}. Export it with them."
    )


def _is_text(info: meta_graph_pb2.TensorInfo) -> bool:
    return bool(info.dtype == types_pb2.DT_STRING)


def _without_text(signature: meta_graph_pb2.SignatureDef) -> meta_graph_pb2.SignatureDef:
    cut = meta_graph_pb2.SignatureDef()
    cut.CopyFrom(signature)
    for alias, info in signature.outputs.items():
        if _is_text(info):
            del cut.outputs[alias]
    return cut


def _nothing(directory: Path, signatures: dict[str, meta_graph_pb2.SignatureDef]) -> str:
    inputs = {name: Signature.from_proto(name, proto).inputs for name, proto in signatures.items()}
    found = "; ".join(
        f"{name}: " + ", ".join(f"{alias} {spec}" for alias, spec in specs.items())
        for name, specs in inputs.items()
    )
    return (
        f"{directory} has no signature from numbers to numbers (found {found or 'none'}), and OpenVINO "
        "can't handle text or encoded images. Export a signature from pixels to probabilities beside it, and "
        "describe the pixels in assets.extra/pixelcost.json; or serve it with the runtime tensorflow."
    )


def _write(
    scratch: Path,
    source: Path,
    meta_graph: meta_graph_pb2.MetaGraphDef,
    signature: meta_graph_pb2.SignatureDef,
) -> None:
    alone = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = alone.meta_graphs.add()
    graph.CopyFrom(meta_graph)
    graph.signature_def.clear()
    graph.signature_def[DEFAULT_SIGNATURE].CopyFrom(signature)
    (scratch / FILE).write_bytes(alone.SerializeToString())
    for part in ("variables", "assets"):
        if (source / part).is_dir():
            (scratch / part).symlink_to((source / part).resolve())
