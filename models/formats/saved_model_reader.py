"""Reads a SavedModel's signatures, and says whether Pixelcost can use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.placing import refuse_patterns
from models.problems import ModelProblem
from models.task import other_than_classifier
from models.tensors import TEXT, Signature, Tensor

SIGNATURE = "predict_images"
INTERNAL = "__saved_model"  # TensorFlow's own entries, like __saved_model_init_op


class CheckFailed(ModelProblem):
    """A SavedModel that can't be read. The message says what to do."""


@dataclass(frozen=True)
class Contents:
    """What one SavedModel directory holds."""

    directory: Path
    size_bytes: int
    tags: tuple[str, ...]
    signatures: Mapping[str, Any]  # name -> SignatureDef

    def problems(self) -> list[str]:
        """Reasons why Pixelcost can't send images to it; empty if it can."""
        signature = self.signatures.get(SIGNATURE)
        if signature is None:
            return [f"It has no signature {SIGNATURE!r}. MODEL_SIGNATURE_NAME can name another one."]
        found = [
            f"Input {tensor.name!r} is {tensor}, but should be DT_STRING [?] (encoded images)."
            for tensor in _tensors(signature.inputs)
            if not tensor.is_images
        ]
        if len(signature.inputs) != 1:
            found.append(f"It takes {len(signature.inputs)} inputs, but should take one: the images.")
        return found + list(_wrong_outputs(_tensors(signature.outputs)))

    def other_task(self) -> str:
        """One sentence if none of its signatures can be a classifier's; else empty."""
        signatures = self.as_signatures()
        asked = [signature for signature in signatures if signature.name == SIGNATURE]
        others = [other_than_classifier(signature) for signature in asked or signatures]
        return others[0] if others and all(others) else ""

    def as_signatures(self) -> list[Signature]:
        """Its signatures, sorted by name."""
        return [
            Signature(name, _tensors(definition.inputs), _tensors(definition.outputs))
            for name, definition in sorted(self.signatures.items())
        ]

    def lines(self) -> list[str]:
        """What it is, then one line per signature."""
        head = f"{self.directory}: SavedModel, tags {' '.join(self.tags)}, {self.size_bytes / 1e6:.1f} MB"
        return [head, *(f"  {signature}" for signature in self.as_signatures())]


def look_into(directory: Path) -> Contents:
    """The contents of a folder with a saved_model.pb. Raises CheckFailed, and ModelProblem for its path."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    refuse_patterns(directory)
    file, variables = directory / "saved_model.pb", directory / "variables"
    try:
        graphs = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
    except DecodeError as problem:
        raise CheckFailed(f"{file} is damaged ({problem}). Copy or export it again.") from problem
    if not graphs:
        raise CheckFailed(f"{file} holds no graph. Export the model again.")
    graph = next((graph for graph in graphs if "serve" in graph.meta_info_def.tags), graphs[0])
    if graph.saver_def.restore_op_name and not (variables / "variables.index").exists():
        raise CheckFailed(f"{directory} lacks its weights: {variables} is missing. Copy the whole directory.")
    definitions = graph.signature_def.items()
    signatures = {name: definition for name, definition in definitions if not name.startswith(INTERNAL)}
    size_bytes = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    return Contents(directory, size_bytes, tuple(graph.meta_info_def.tags), signatures)


def _wrong_outputs(outputs: Sequence[Tensor]) -> Iterator[str]:
    """Sentences on outputs `classes` and `scores` that are missing or have another type than we read."""
    by_name = {tensor.name: tensor for tensor in outputs}
    for name, dtype in (("classes", TEXT), ("scores", "DT_FLOAT")):
        tensor = by_name.get(name)
        if tensor is None:
            yield f"It has no output {name!r}."
        elif tensor.dtype != dtype:
            yield f"Output {name!r} is {tensor}, but should be {dtype} [?,5]."


def _tensors(infos: Mapping[str, Any]) -> list[Tensor]:
    from tensorflow.core.framework import types_pb2

    tensors = []
    for name, info in sorted(infos.items()):
        sizes = (None if axis.size < 0 else axis.size for axis in info.tensor_shape.dim)
        shape = None if info.tensor_shape.unknown_rank else tuple(sizes)
        tensors.append(Tensor(name, types_pb2.DataType.Name(info.dtype), shape))
    return tensors
