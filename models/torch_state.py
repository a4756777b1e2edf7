"""Reads the tensors of a PyTorch state dict, in the format that torch.save wrote until 2020, without PyTorch.

The file is five pickles, then the numbers: a magic number, a version, facts of the machine, the state dict,
whose tensors name their storage, and the names of the storages in the order of their numbers, each behind its
count. Source: `_legacy_load` in torch/serialization.py. A pickle may name any function of any module and have
it called. So only the four names that a dict of tensors needs are known here, and they stand for numbers.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from models.problems import ModelProblem

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
COUNT = np.dtype("<i8")  # before the numbers of each storage


class NotAStateDict(ModelProblem):
    """The bytes are no state dict of tensors that torch.save wrote."""

    def __init__(self, found: str):
        super().__init__(f"The weights are not a PyTorch state dict of tensors that can be read: {found}.")


@dataclass(frozen=True)
class Storage:
    """What a tensor looks into: so many numbers of one type, known by a key."""

    dtype: np.dtype[Any]
    key: str
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: where it begins in its storage, and how far apart its numbers are there."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """A copy, in row order. Raises NotAStateDict where it would reach outside of its storage."""
        last = self.offset + sum(
            (size - 1) * step for size, step in zip(self.shape, self.strides, strict=True)
        )
        is_inside = min(self.offset, *self.shape, *self.strides, 0) >= 0 and last < len(numbers)
        if not is_inside or math.prod(self.shape) > len(numbers):
            raise NotAStateDict(
                f"a tensor of shape {list(self.shape)} lies outside of its {len(numbers)} numbers"
            )
        steps = [step * numbers.itemsize for step in self.strides]
        return as_strided(numbers[self.offset :], self.shape, steps, writeable=False).copy()


def _tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> View:
    """Stands for `torch._utils._rebuild_tensor_v2`; the rest is about gradients."""
    return View(storage, offset, shape, strides)


KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in KNOWN:
            raise NotAStateDict(f"it names {module_name}.{global_name}, which no dict of tensors needs")
        return KNOWN[module_name, global_name]

    def persistent_load(self, pid: Any) -> Storage:
        _, dtype, key, _, count, _ = pid
        return Storage(dtype, key, count)


def read_state(data: bytes) -> dict[str, np.ndarray]:
    """The arrays by name. Raises NotAStateDict for anything else, and runs nothing that the bytes name."""
    try:
        return _read(BytesIO(data))
    except NotAStateDict:
        raise
    except Exception as problem:  # a damaged pickle may raise anything
        raise NotAStateDict(
            f"it is damaged or of another kind ({type(problem).__name__}: {problem})"
        ) from problem


def _read(file: BytesIO) -> dict[str, np.ndarray]:
    magic, version, _, state, keys = (_Reader(file).load() for _ in range(5))
    if (magic, version) != (MAGIC, VERSION):
        raise NotAStateDict("it does not begin as torch.save wrote until 2020")
    views: dict[str, View] = {name: view for name, view in state.items() if isinstance(view, View)}
    if len(views) != len(state):
        raise NotAStateDict("it holds other things than tensors")
    storages = {view.storage.key: view.storage for view in views.values()}
    numbers = {key: _numbers(file, storages[key]) for key in keys}
    return {name: view.of(numbers[view.storage.key]) for name, view in views.items()}


def _numbers(file: BytesIO, storage: Storage) -> np.ndarray:
    count = int(np.frombuffer(file.read(COUNT.itemsize), COUNT)[0])
    data = file.read(max(count, 0) * storage.dtype.itemsize)
    if count != storage.count or len(data) != count * storage.dtype.itemsize:
        raise NotAStateDict(f"storage {storage.key} lacks some of its {storage.count} numbers")
    return np.frombuffer(data, storage.dtype)
