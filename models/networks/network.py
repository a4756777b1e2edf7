"""A model loaded into TensorFlow, whatever kind its file was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.interface.pixels import Hints
from models.tensors import Signature, Tensor


@dataclass(frozen=True)
class Network:
    """Its signatures; `call(signature's name, {input's name: tensor})` gives {output's name: tensor}."""

    signatures: Sequence[Signature]
    call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    keep: Sequence[Any] = ()  # the owners of its variables, to be saved with what calls it
    hints: Hints = field(default_factory=Hints)


def tensor_of(name: str, dtype: Any, shape: Any) -> Tensor:
    """Name, type and shape of one of TensorFlow's or Keras' tensors."""
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    sizes = tf.TensorShape(shape)
    type_name = types_pb2.DataType.Name(tf.as_dtype(dtype).as_datatype_enum)
    return Tensor(name, type_name, None if sizes.rank is None else tuple(sizes.as_list()))
