"""The signatures of a model, and whether the tensors of a request fit one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import InvalidArgument, LoadFailed
from serving.values.tensors import DTYPE_OF, dtype_name, numpy_dtype

DEFAULT_SIGNATURE = "serving_default"
INTERNAL_SIGNATURES = "__saved_model"  # prefix of TensorFlow's own, like __saved_model_init_op
PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


class Shaped(Protocol):
    """An array, or the header of a message whose values have not been read."""

    @property
    def dtype(self) -> np.dtype: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of one input or output."""

    dtype: int  # a DataType of TensorFlow
    shape: tuple[int | None, ...] | None  # None as a size: any; None as the shape: any rank

    @classmethod
    def from_proto(cls, info: meta_graph_pb2.TensorInfo) -> TensorSpec:
        if info.tensor_shape.unknown_rank:
            return cls(info.dtype, None)
        sizes = (dimension.size for dimension in info.tensor_shape.dim)
        return cls(info.dtype, tuple(None if size < 0 else size for size in sizes))

    def as_proto(self, name: str) -> meta_graph_pb2.TensorInfo:
        info = meta_graph_pb2.TensorInfo(name=name, dtype=self.dtype)
        info.tensor_shape.unknown_rank = self.shape is None
        for size in self.shape or ():
            info.tensor_shape.dim.add().size = -1 if size is None else size
        return info

    def fits(self, sent: Shaped) -> bool:
        """Whether the shape is the declared one."""
        if self.shape is None:
            return True
        sizes = zip(self.shape, sent.shape, strict=False)
        return len(sent.shape) == len(self.shape) and all(want in (None, have) for want, have in sizes)

    def may_be_tried(self, sent: Shaped, is_scalar_open: bool) -> bool:
        """Whether a shape other than the declared one may be passed to a runtime that checks shapes itself.

        Last dimensions of size 1 may be left out, and sizes may differ, but not be 0. Another number of
        dimensions would crash the process in some kernels of TensorFlow (convolutions, LSTM cells, ...), and
        sizes of 0 in LiteRT's too, see docs/conformance.md.
        """
        if self.shape is None or (is_scalar_open and not self.shape):
            return True
        left_out = self.shape[len(sent.shape) :]
        sizes = zip(self.shape, sent.shape, strict=False)
        return (
            len(sent.shape) <= len(self.shape)
            and all(size == 1 for size in left_out)
            and all(want is None or have > 0 for want, have in sizes if want != have)
        )

    def __str__(self) -> str:
        return f"{dtype_name(self.dtype)} {_written(self.shape)}"


def tensor_spec(
    file: Path, alias: str, dtype: np.dtype | type | None, shape: Iterable[int | None] | None
) -> TensorSpec:
    """The spec of a tensor in a model file. Sizes of None or below zero mean any size.

    `dtype` is None for a type that NumPy does not have. Raises LoadFailed for a type that can't be served.
    """
    known = DTYPE_OF.get(np.dtype(dtype)) if dtype is not None else None
    if known is None or np.dtype(dtype).kind == "O":
        what = "strings" if dtype is not None and np.dtype(dtype).kind in "OSU" else f"{dtype or 'no tensor'}"
        raise LoadFailed(
            f"{file}: {alias!r} holds {what}, which this runtime can't serve. "
            "Export the model with numbers in and out (float32, uint8, ...)."
        )
    if shape is None:
        return TensorSpec(known, None)
    return TensorSpec(known, tuple(None if size is None or size < 0 else int(size) for size in shape))


@dataclass(frozen=True)
class Signature:
    """A function of the model: named tensors in, named tensors out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str = PREDICT_METHOD
    definition: meta_graph_pb2.SignatureDef | None = None  # as it stands in the model's file
    tries_shapes: bool = False  # whether other shapes are passed to the runtime, see may_be_tried

    @classmethod
    def from_proto(cls, name: str, definition: meta_graph_pb2.SignatureDef) -> Signature:
        inputs = {alias: TensorSpec.from_proto(info) for alias, info in sorted(definition.inputs.items())}
        outputs = {alias: TensorSpec.from_proto(info) for alias, info in sorted(definition.outputs.items())}
        return cls(name, inputs, outputs, definition.method_name, definition, tries_shapes=True)

    def as_proto(self) -> meta_graph_pb2.SignatureDef:
        """The model's own definition; else one made from the names, types and shapes."""
        if self.definition is not None:
            return self.definition
        return meta_graph_pb2.SignatureDef(
            inputs={alias: spec.as_proto(alias) for alias, spec in self.inputs.items()},
            outputs={alias: spec.as_proto(alias) for alias, spec in self.outputs.items()},
            method_name=self.method_name,
        )

    def check_inputs(self, sent: Mapping[str, Shaped]) -> None:
        """Raises InvalidArgument, naming the input, unless exactly the declared tensors were sent.

        The first words of the first two messages are TensorFlow Serving's (predict_util.cc).
        """
        extra = [alias for alias in sent if alias not in self.inputs]
        missing = [alias for alias in self.inputs if alias not in sent]
        if len(sent) != len(self.inputs):
            raise InvalidArgument(
                f"input size does not match signature: {len(sent)}!={len(self.inputs)} "
                f"len({{{','.join(sent)}}}) != len({{{','.join(self.inputs)}}}). "
                f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
            )
        if extra:
            raise InvalidArgument(
                f"input tensor alias not found in signature: {extra[0]}. "
                f"Inputs expected to be in the set {{{','.join(self.inputs)}}}."
            )
        for alias, spec in self.inputs.items():
            self._check_input(alias, spec, sent[alias])

    def unlike(self, sent: Mapping[str, Shaped]) -> str:
        """A sentence about the first input whose shape is not the declared one; empty if all are."""
        for alias, tensor in sent.items():
            if not self.inputs[alias].fits(tensor):
                wanted = _written(self.inputs[alias].shape)
                return f"Input {alias!r} has the wrong shape: {_written(tensor.shape)} instead of {wanted}."
        return ""

    def _check_input(self, alias: str, spec: TensorSpec, sent: Shaped) -> None:
        if sent.dtype != numpy_dtype(spec.dtype):
            found = dtype_name(DTYPE_OF[sent.dtype])
            raise InvalidArgument(f"Input {alias!r} has the wrong type: {found} instead of {spec}.")
        # A TensorFlow 1 placeholder of shape [] takes any shape, and its graph looks like any other.
        is_graph = self.definition is not None
        may_be_tried = self.tries_shapes and spec.may_be_tried(sent, is_scalar_open=is_graph)
        if not may_be_tried and not spec.fits(sent):
            raise InvalidArgument(self.unlike({alias: sent}))

    def chosen_outputs(self, output_filter: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the outputs to return: those of the filter, or all. Raises InvalidArgument."""
        for index, alias in enumerate(output_filter):
            if alias not in self.outputs:
                raise InvalidArgument(
                    f"output tensor alias not found in signature: {alias} "
                    f"Outputs expected to be in the set {{{','.join(self.outputs)}}}."
                )
            if alias in output_filter[:index]:
                raise InvalidArgument(f"duplicate output tensor alias: {alias}")
        return output_filter or tuple(self.outputs)


def _written(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "[...]"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
