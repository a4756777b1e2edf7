"""Puts several requests into one run of the model, and takes its answer apart again. No threads, no queue."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from serving.runtimes.base import Arrays
from serving.values.signatures import Signature

KEPT = 10_000  # sizes of kinds of requests that are remembered

Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of one row of each output


class Rows:
    """Which signatures of a servable answer with one row for each example, as far as its runs have shown.

    One size proves nothing: a constant of 8 rows has a row for each example of a batch of 8, and so has
    every square. Only outputs that had as many rows as examples at two different sizes, all rows of one
    shape, have them because of the examples. Nor do two sizes prove a third: an output that is filled up to
    4 rows has as many as examples at 4 and at 8. So each part must be of a size that was seen, too. A
    signature with an output that once was otherwise is never batched again. What the shapes do not show is
    not seen: a model may mix its examples' values. Any thread may ask.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Hashable], tuple[Shapes, frozenset[int]]] = {}  # sizes of whole runs
        self._kept = 0
        self._odd: set[str] = set()

    def may_batch(self, signature: Signature) -> bool:
        """Whether there is any use in trying: every input has an open first size, no output was odd."""
        return signature.name not in self._odd and all(
            spec.shape is None or spec.shape[:1] == (None,) for spec in signature.inputs.values()
        )

    def may_split(self, signature_name: str, like: Hashable, parts: Sequence[int], size: int) -> bool:
        """Whether a run of so many alike has been shown to be divisible into these, by others."""
        _, sizes = self._seen.get((signature_name, like), ((), frozenset()))
        return signature_name not in self._odd and sizes.issuperset(parts) and bool(sizes - {size})

    def saw(self, signature_name: str, inputs: Arrays, outputs: Arrays) -> None:
        """A run, of whatever size, and all it answered."""
        size = size_of(inputs)
        if not size:
            return
        kind = signature_name, likeness(inputs)
        shapes = tuple((alias, array.shape[1:]) for alias, array in sorted(outputs.items()))
        shapes_before, sizes = self._seen.get(kind, (shapes, frozenset()))
        if shapes != shapes_before or any(array.shape[:1] != (size,) for array in outputs.values()):
            self._odd.add(signature_name)
        elif size not in sizes:
            if self._kept >= KEPT:
                self._seen, self._kept = {}, 0  # learnt anew, by the next run of each
            self._seen[kind] = shapes, self._seen.get(kind, ((), frozenset()))[1] | {size}
            self._kept += 1


def size_of(inputs: Arrays) -> int | None:
    """How many examples a request holds; None when its inputs have no common first dimension."""
    sizes = {array.shape[0] if array.ndim else None for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else None


def likeness(inputs: Arrays) -> Hashable:
    """Requests of the same servable and signature with equal likeness fit into one batch."""
    return tuple(sorted((alias, array.dtype.str, array.shape[1:]) for alias, array in inputs.items()))


def merged_bytes(inputs: Arrays, size: int) -> int:
    """What a run of so many like these takes. One value that stands for all takes its memory there."""
    return size * sum(array.dtype.itemsize * math.prod(array.shape[1:]) for array in inputs.values())


def filled_size(size: int, allowed_sizes: Sequence[int]) -> int:
    """The allowed size that so many examples are filled up to; empty: every size is allowed."""
    return next((allowed for allowed in sorted(allowed_sizes) if allowed >= size), size)


def merge(requests: Sequence[Arrays], size: int) -> dict[str, np.ndarray]:
    """One after another along the first dimension, filled up to `size`.

    Filled with repetitions of the last example, which is always a valid one.
    """
    missing = size - sum(size_of(each) or 0 for each in requests)
    filling = {alias: np.repeat(array[-1:], missing, 0) for alias, array in requests[-1].items()}
    return {alias: np.concatenate([each[alias] for each in (*requests, filling)]) for alias in filling}


def split(outputs: Arrays, sizes: Sequence[int]) -> list[Mapping[str, np.ndarray]]:
    """Each request's own rows, without the filling's. Only for what `Rows` says is divisible."""
    ends = np.cumsum(sizes)
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends.tolist(), strict=True)
    ]
