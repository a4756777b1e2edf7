"""The inputs and outputs of a model: named tensors, and signatures made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TEXT = "DT_STRING"


@dataclass(frozen=True)
class Tensor:
    """Name, type as TensorFlow names it, and shape; None is an unknown size, or an unknown shape."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} [...]"
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"

    @property
    def is_images(self) -> bool:
        """Whether it can be a batch of encoded images: texts [n]."""
        return (self.dtype, self.shape) == (TEXT, (None,))


@dataclass(frozen=True)
class Signature:
    """A function of a model: named inputs to named outputs."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]

    def __str__(self) -> str:
        return f"{self.name}: {listed(self.inputs)} -> {listed(self.outputs)}"


def listed(tensors: Sequence[Tensor]) -> str:
    """Tensors for people: name, type and shape of every one."""
    return ", ".join(f"{tensor.name} {tensor}" for tensor in tensors) or "nothing"
