"""What goes into a model and what comes out: named tensors, and signatures made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TEXT = "DT_STRING"


@dataclass(frozen=True)
class Tensor:
    """A name, TensorFlow's name of its type, and its shape: None for a size, or for all, that is open."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} [...]"
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"

    @property
    def is_images(self) -> bool:
        """Whether it takes any number of encoded images."""
        return (self.dtype, self.shape) == (TEXT, (None,))


@dataclass(frozen=True)
class Signature:
    """One way to ask a model."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]

    def __str__(self) -> str:
        return f"{self.name}: {listed(self.inputs)} -> {listed(self.outputs)}"


def listed(tensors: Sequence[Tensor]) -> str:
    """For people: each with its type and shape."""
    return ", ".join(f"{tensor.name} {tensor}" for tensor in tensors) or "nothing"
