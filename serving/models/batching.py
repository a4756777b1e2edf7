"""Merges several requests into one run of a model, and splits its outputs again. No threads, no queue."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from serving.runtimes.base import Arrays
from serving.values.signatures import Signature

KEPT = 10_000  # batch sizes that are remembered, of all kinds of requests together

Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of one row of each output


class Rows:
    """Which signatures of a servable answer with one row for every example, as far as its runs have shown.

    One size proves nothing: a constant of 8 rows has a row for every example of a batch of 8, and so has
    an [n, n] output. Only an output with as many rows as examples at two different sizes, all rows of one
    shape, has them because of the examples. Nor do two sizes prove a third: an output that is padded to a
    multiple of 4 rows has as many rows as examples at 4 and at 8. So every part must be of a size that was
    seen, too. A signature with an output that once was otherwise is never batched again. What shapes do not
    show is not noticed: a model may mix the values of its examples. Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Hashable], tuple[Shapes, frozenset[int]]] = {}  # sizes of whole runs
        self._kept = 0
        self._odd: set[str] = set()

    def may_batch(self, signature: Signature) -> bool:
        """Whether batching is worth a try: every input has an open first size, no output was odd."""
        return signature.name not in self._odd and all(
            spec.shape is None or spec.shape[:1] == (None,) for spec in signature.inputs.values()
        )

    def may_split(self, signature_name: str, key: Hashable, parts: Sequence[int], size: int) -> bool:
        """Whether other runs have shown that one of `size` examples can be split into these parts."""
        _, sizes = self._seen.get((signature_name, key), ((), frozenset()))
        return signature_name not in self._odd and sizes.issuperset(parts) and bool(sizes - {size})

    def saw(self, signature_name: str, inputs: Arrays, outputs: Arrays) -> None:
        """Learn from a run: its inputs, and all its outputs."""
        size = size_of(inputs)
        if not size:
            return
        kind = signature_name, batch_key(inputs)
        shapes = tuple((alias, array.shape[1:]) for alias, array in sorted(outputs.items()))
        shapes_before, sizes = self._seen.get(kind, (shapes, frozenset()))
        if shapes != shapes_before or any(array.shape[:1] != (size,) for array in outputs.values()):
            self._odd.add(signature_name)
        elif size not in sizes:
            if self._kept >= KEPT:
                self._seen, self._kept = {}, 0  # learnt anew by the next runs
            self._seen[kind] = shapes, self._seen.get(kind, ((), frozenset()))[1] | {size}
            self._kept += 1


def size_of(inputs: Arrays) -> int | None:
    """How many examples a request holds; None when its inputs have no common first dimension."""
    sizes = {array.shape[0] if array.ndim else None for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else None


def batch_key(inputs: Arrays) -> Hashable:
    """Requests to the same servable and signature with equal keys fit into one batch."""
    return tuple(sorted((alias, array.dtype.str, array.shape[1:]) for alias, array in inputs.items()))


def merged_bytes(inputs: Arrays, size: int) -> int:
    """Memory that `size` examples like these take. One value that stands for a whole tensor is expanded."""
    return size * sum(array.dtype.itemsize * math.prod(array.shape[1:]) for array in inputs.values())


def filled_size(size: int, allowed_sizes: Sequence[int]) -> int:
    """The smallest allowed size that holds `size` examples; without allowed sizes, `size` itself."""
    return next((allowed for allowed in sorted(allowed_sizes) if allowed >= size), size)


def merge(requests: Sequence[Arrays], size: int) -> dict[str, np.ndarray]:
    """The requests one after another along the first dimension, padded to `size` examples.

    Padded with copies of the last example, which is always a valid one.
    """
    missing = size - sum(size_of(inputs) or 0 for inputs in requests)
    padding = {alias: np.repeat(array[-1:], missing, 0) for alias, array in requests[-1].items()}
    return {alias: np.concatenate([inputs[alias] for inputs in (*requests, padding)]) for alias in padding}


def split(outputs: Arrays, sizes: Sequence[int]) -> list[Mapping[str, np.ndarray]]:
    """The rows of every request, without those of the padding. Only where `Rows.may_split` allows it."""
    ends = np.cumsum(sizes)
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends.tolist(), strict=True)
    ]
