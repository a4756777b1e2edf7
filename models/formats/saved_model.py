"""Says what a SavedModel directory holds, and whether Pixelcost can use it."""

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
    """The directory holds no SavedModel that can be read. The message says what to do."""


@dataclass(frozen=True)
class Contents:
    """What was found in one SavedModel directory."""

    directory: Path
    size_bytes: int
    tags: tuple[str, ...]
    signatures: Mapping[str, Any]  # name -> SignatureDef

    def problems(self) -> list[str]:
        """Why Pixelcost can't send images to it; empty when it can."""
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
        """What it is instead of a classifier; empty where one of its signatures may be one."""
        signatures = self.as_signatures()
        contract = [each for each in signatures if each.name == SIGNATURE]
        others = [other_than_classifier(each) for each in contract or signatures]
        return others[0] if others and all(others) else ""

    def as_signatures(self) -> list[Signature]:
        """By name."""
        return [
            Signature(name, _tensors(each.inputs), _tensors(each.outputs))
            for name, each in sorted(self.signatures.items())
        ]

    def lines(self) -> list[str]:
        """For people: what it is, then one line per signature."""
        head = f"{self.directory}: SavedModel, tags {' '.join(self.tags)}, {self.size_bytes / 1e6:.1f} MB"
        return [head, *(f"  {each}" for each in self.as_signatures())]


def look_into(directory: Path) -> Contents:
    """A SavedModel, or the newest of the numbered versions in `directory`. Raises CheckFailed."""
    path = _version_directory(directory)
    refuse_patterns(path)
    saved_model = _parse(path)
    if not saved_model.meta_graphs:
        raise CheckFailed(f"{path / 'saved_model.pb'} holds no graph. Export the model again.")
    if not list(path.glob("variables/variables.index")) and _has_variables(saved_model):
        raise CheckFailed(
            f"{path} lacks its weights: {path / 'variables'} is not there. Copy the whole directory."
        )
    graph = _for_serving(saved_model)
    signatures = {name: each for name, each in graph.signature_def.items() if not name.startswith(INTERNAL)}
    size_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Contents(path, size_bytes, tuple(graph.meta_info_def.tags), signatures)


def _wrong_outputs(outputs: Sequence[Tensor]) -> Iterator[str]:
    """Where `classes` and `scores` are missing or of another type than the contract's."""
    by_name = {tensor.name: tensor for tensor in outputs}
    for name, dtype in (("classes", TEXT), ("scores", "DT_FLOAT")):
        tensor = by_name.get(name)
        if tensor is None:
            yield f"It has no output {name!r}."
        elif tensor.dtype != dtype:
            yield f"Output {name!r} is {tensor}, but should be {dtype} [?,5]."


def _version_directory(directory: Path) -> Path:
    if not directory.is_dir():
        raise CheckFailed(f"{directory} is not a directory.")
    if (directory / "saved_model.pb").is_file():
        return directory
    versions = sorted((path.parent for path in directory.glob("[0-9]*/saved_model.pb")), key=_version_number)
    if not versions:
        names = ", ".join(sorted(entry.name for entry in directory.iterdir())[:5]) or "nothing"
        raise CheckFailed(
            f"{directory} holds no SavedModel: looked for saved_model.pb and 1/saved_model.pb, found {names}."
        )
    return versions[-1]


def _version_number(directory: Path) -> int:
    return int(directory.name) if directory.name.isdecimal() else -1


def _parse(path: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        return saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except DecodeError as problem:
        raise CheckFailed(
            f"{path / 'saved_model.pb'} is damaged ({problem}). Copy or export it again."
        ) from problem


def _for_serving(saved_model: Any) -> Any:
    graphs = saved_model.meta_graphs
    return next((graph for graph in graphs if "serve" in graph.meta_info_def.tags), graphs[0])


def _has_variables(saved_model: Any) -> bool:
    graph = _for_serving(saved_model)
    return bool(graph.saver_def.restore_op_name)


def _tensors(infos: Mapping[str, Any]) -> list[Tensor]:
    return [_tensor(alias, info) for alias, info in sorted(infos.items())]


def _tensor(alias: str, info: Any) -> Tensor:
    from tensorflow.core.framework import types_pb2

    sizes = [None if dimension.size < 0 else dimension.size for dimension in info.tensor_shape.dim]
    shape = None if info.tensor_shape.unknown_rank else tuple(sizes)
    return Tensor(alias, types_pb2.DataType.Name(info.dtype), shape)
