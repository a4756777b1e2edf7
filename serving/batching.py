"""Puts several requests into one run of the model, and takes its answer apart again. No threads, no queue."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from serving.errors import ServingError
from serving.runtimes import Arrays


def size_of(inputs: Arrays) -> int | None:
    """How many examples a request holds; None when its inputs have no common first dimension."""
    sizes = {array.shape[0] if array.ndim else None for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else None


def likeness(inputs: Arrays) -> Hashable:
    """Requests of the same servable and signature with equal likeness fit into one batch."""
    return tuple(sorted((alias, array.dtype.str, array.shape[1:]) for alias, array in inputs.items()))


def merge(requests: Sequence[Arrays], allowed_sizes: Sequence[int] = ()) -> dict[str, np.ndarray]:
    """One after another along the first dimension, filled up to the next allowed size.

    Filled with repetitions of the last example, which is always a valid one.
    """
    merged = {alias: np.concatenate([each[alias] for each in requests]) for alias in requests[0]}
    size = size_of(merged) or 0
    missing = next((allowed - size for allowed in sorted(allowed_sizes) if allowed >= size), 0)
    if not missing:
        return merged
    return {
        alias: np.concatenate([array, np.repeat(array[-1:], missing, 0)]) for alias, array in merged.items()
    }


def split(outputs: Arrays, sizes: Sequence[int]) -> list[Mapping[str, np.ndarray]]:
    """Each request's own rows. Raises ServingError for an output without one row per example."""
    total = sum(sizes)
    for alias, array in outputs.items():
        if array.ndim == 0 or array.shape[0] < total:
            raise ServingError(
                f"Output {alias!r} has no row for each example (shape {list(array.shape)} for {total} "
                "examples), so requests to this signature can't be batched."
            )
    ends = np.cumsum(sizes)
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends.tolist(), strict=True)
    ]
