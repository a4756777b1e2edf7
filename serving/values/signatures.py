"""What a model can be asked: its signatures, and whether a request fits one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import InvalidArgument
from serving.values.tensors import DTYPE_OF, dtype_name, numpy_dtype

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


class Shaped(Protocol):
    """An array, or what a message says about one before its values are read."""

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
        return cls(info.dtype, _shape(info.tensor_shape))

    def as_proto(self, name: str) -> meta_graph_pb2.TensorInfo:
        info = meta_graph_pb2.TensorInfo(name=name, dtype=self.dtype)
        info.tensor_shape.unknown_rank = self.shape is None
        for size in self.shape or ():
            info.tensor_shape.dim.add().size = -1 if size is None else size
        return info

    def fits(self, sent: Shaped) -> bool:
        """Whether the shape is just what is declared."""
        if self.shape is None:
            return True
        sizes = zip(self.shape, sent.shape, strict=False)
        return len(sent.shape) == len(self.shape) and all(want in (None, have) for want, have in sizes)

    def may_be_tried(self, sent: Shaped, is_scalar_open: bool) -> bool:
        """Whether a runtime that looks at shapes itself may be asked, though this one is not declared.

        Last dimensions of size 1 may be left out, and sizes may be others, but not 0. Another number of
        dimensions ends the process within the kernels of TensorFlow (convolutions, LSTM cells, ...), and
        sizes of 0 that of LiteRT too: both were tried, docs/conformance.md.
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


@dataclass(frozen=True)
class Signature:
    """One way to ask the model: named tensors in, named tensors out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str = PREDICT_METHOD
    definition: meta_graph_pb2.SignatureDef | None = None  # as the model brought it
    tries_shapes: bool = False  # the runtime is asked also where a shape is not the declared one

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
        """Raises InvalidArgument, naming the input, unless exactly the right tensors are there.

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
        """One sentence about the first input whose shape is not the declared one; empty if there is none."""
        for alias, each in sent.items():
            if not self.inputs[alias].fits(each):
                wanted = _written(self.inputs[alias].shape)
                return f"Input {alias!r} has the wrong shape: {_written(each.shape)} instead of {wanted}."
        return ""

    def _check_input(self, alias: str, spec: TensorSpec, sent: Shaped) -> None:
        if sent.dtype != numpy_dtype(spec.dtype):
            found = dtype_name(DTYPE_OF[sent.dtype])
            raise InvalidArgument(f"Input {alias!r} has the wrong type: {found} instead of {spec}.")
        # A TensorFlow 1 placeholder of shape [] takes any shape, and other graphs look the same.
        is_graph = self.definition is not None
        may_be_tried = self.tries_shapes and spec.may_be_tried(sent, is_scalar_open=is_graph)
        if not may_be_tried and not spec.fits(sent):
            raise InvalidArgument(self.unlike({alias: sent}))

    def chosen_outputs(self, output_filter: tuple[str, ...]) -> tuple[str, ...]:
        """The outputs to answer with: those of the filter, or all. Raises InvalidArgument."""
        for index, alias in enumerate(output_filter):
            if alias not in self.outputs:
                raise InvalidArgument(
                    f"output tensor alias not found in signature: {alias} "
                    f"Outputs expected to be in the set {{{','.join(self.outputs)}}}."
                )
            if alias in output_filter[:index]:
                raise InvalidArgument(f"duplicate output tensor alias: {alias}")
        return output_filter or tuple(self.outputs)


def _shape(proto: tensor_shape_pb2.TensorShapeProto) -> tuple[int | None, ...] | None:
    if proto.unknown_rank:
        return None
    return tuple(None if dimension.size < 0 else dimension.size for dimension in proto.dim)


def _written(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "[...]"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
