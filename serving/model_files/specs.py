"""Tensors of a model file as the signatures of this server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from serving.errors import LoadFailed
from serving.values.signatures import TensorSpec
from serving.values.tensors import DTYPE_OF


def tensor_spec(
    file: Path, alias: str, dtype: np.dtype | type | None, shape: Iterable[int | None] | None
) -> TensorSpec:
    """Raises LoadFailed for a type that the protocol does not carry, or this runtime can't take.

    A size below zero means any, as None does. `dtype` is None where the file's type has no
    counterpart in NumPy.
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
