"""Reads the tensors of a PyTorch state dict, in the format that torch.save wrote until 2020, without PyTorch.

The file is five pickles (a magic number, a version, facts of the machine, the state dict, whose tensors name
their storage, and the storages' names), then the numbers of the storages in that order, each after its count.
Source: `_legacy_load` in torch/serialization.py. A pickle may name any function of any module and have
it called; even without one, Python's reader of pickles can be made to take gigabytes, to go on for ever or
to crash. So `_Pickle` runs the few operations that such a file has, and knows the four names that it needs.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from models.problems import ModelProblem

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
COUNT = np.dtype("<i8")  # before the numbers of each storage
MAX_OPERATIONS = 1_000_000  # of one pickle, about 100 bytes of memory each; EfficientNet-Lite2's has 14,000
MAX_AXES = 32
MAX_QUOTED = 100  # characters of a file that a message repeats


class NotAStateDict(ModelProblem):
    """The bytes are not a state dict of tensors that torch.save wrote."""

    def __init__(self, found: str):
        super().__init__(f"The weights are not a PyTorch state dict of tensors that can be read: {found}.")


@dataclass(frozen=True)
class Storage:
    """A row of `count` numbers of one type that tensors are views of, known by a key."""

    dtype: np.dtype[Any]
    key: str
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: its first number's place in its storage, its shape, and the steps between its numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor as an array of its own. Raises NotAStateDict if it reaches outside of its storage."""
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * step for size, step in steps)
        if last >= len(numbers) or self.size > len(numbers):
            raise NotAStateDict(
                f"a tensor of shape {list(self.shape)} lies outside of its {len(numbers)} numbers"
            )
        strides_bytes = [step * numbers.itemsize for step in self.strides]
        return as_strided(numbers[self.offset :], self.shape, strides_bytes, writeable=False).copy()


DICT = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"
NAMES = {
    DICT: DICT,
    TENSOR: TENSOR,
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}
NUMBERS_AND_TEXTS = ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE")


class _Pickle:
    """One pickle's stack and memo. Every operation adds at most one object."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.kept: dict[int, Any] = {}
        self._below_marks: list[list[Any]] = []

    def load(self, file: BytesIO) -> Any:
        """One pickle's object, of numbers, texts, lists, tuples, dicts with text keys, storages and views."""
        for count, (operation, argument, _) in enumerate(pickletools.genops(file), 1):
            if count > MAX_OPERATIONS:
                raise NotAStateDict(f"a pickle in it has more than {MAX_OPERATIONS} operations")
            self._run(operation.name, argument)
        return self.stack[-1]

    def _run(self, name: str, argument: Any) -> None:
        match name:
            case "PROTO" | "STOP":
                pass
            case "MARK":
                self._below_marks.append(self.stack)
                self.stack = []
            case "BINPUT" | "LONG_BINPUT":
                self.kept[argument] = self.stack[-1]
            case "BUILD":  # attributes of a dict, such as `_metadata`: not needed here
                self.last(1)
            case "SETITEM" | "SETITEMS":
                items = self.last(2) if name == "SETITEM" else self.since_mark()
                if not all(type(key) is str for key in items[0::2]):  # hash() of nested tuples may never end
                    raise NotAStateDict("a key in it is not text")
                self.stack[-1].update(zip(items[0::2], items[1::2], strict=True))
            case "APPEND" | "APPENDS":
                items = self.last(1) if name == "APPEND" else self.since_mark()
                self.stack[-1].extend(items)
            case _ if name in MAKERS:
                made = MAKERS[name](self, argument)  # may replace self.stack, so it must come first
                self.stack.append(made)
            case _:
                raise NotAStateDict(f"it has the pickle operation {name}, which no dict of tensors needs")

    def last(self, count: int) -> list[Any]:
        """Take the last `count` objects from the stack."""
        start = len(self.stack) - count
        if start < 0:
            raise NotAStateDict("it is damaged or of another kind (a pickle in it takes what is not there)")
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def since_mark(self) -> list[Any]:
        """Take all objects since the last mark from the stack."""
        items, self.stack = self.stack, self._below_marks.pop()
        return items


# The object that an operation puts onto the stack, after taking its arguments from there.
MAKERS: dict[str, Callable[[_Pickle, Any], Any]] = {
    "NEWTRUE": lambda _, __: True,
    "NEWFALSE": lambda _, __: False,
    "NONE": lambda _, __: None,
    **dict.fromkeys(NUMBERS_AND_TEXTS, lambda _, argument: argument),
    "BINGET": lambda pickle, number: pickle.kept[number],
    "LONG_BINGET": lambda pickle, number: pickle.kept[number],
    "EMPTY_DICT": lambda _, __: {},
    "EMPTY_LIST": lambda _, __: [],
    "EMPTY_TUPLE": lambda _, __: (),
    "TUPLE1": lambda pickle, _: tuple(pickle.last(1)),
    "TUPLE2": lambda pickle, _: tuple(pickle.last(2)),
    "TUPLE3": lambda pickle, _: tuple(pickle.last(3)),
    "TUPLE": lambda pickle, _: tuple(pickle.since_mark()),
    "GLOBAL": lambda _, name: _known(name),
    "REDUCE": lambda pickle, _: _called(*pickle.last(2)),
    "BINPERSID": lambda pickle, _: _storage(*pickle.last(1)[0]),
}


def _known(name: str) -> Any:
    if name not in NAMES:
        quoted = ascii(name.replace(" ", ".", 1))[1:-1][:MAX_QUOTED]
        raise NotAStateDict(f"it names {quoted}, which no dict of tensors needs")
    return NAMES[name]


def _called(function: Any, arguments: Any) -> Any:
    if function is DICT and arguments == ():
        return {}
    if function is TENSOR:
        return _view(*arguments)
    raise NotAStateDict("it calls something in a way that no dict of tensors needs")


def _storage(_: object, dtype: Any, key: Any, _place: object, count: Any, _whole: object) -> Storage:
    if not isinstance(dtype, np.dtype) or type(key) is not str or type(count) is not int:
        raise NotAStateDict("a storage in it has no type, no name or no count")
    return Storage(dtype, key, count)


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_about_gradients: object) -> View:
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or not all(type(size) is int for size in sizes):
        raise NotAStateDict("a tensor in it has no storage, or a size that is not a whole number")
    if min(sizes) < 0 or len(shape) > MAX_AXES:
        raise NotAStateDict("a tensor in it has a negative size, or too many axes")
    return View(storage, offset, tuple(shape), tuple(strides))


def read_state(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a state dict by name. Raises NotAStateDict for anything else; runs no code from it."""
    try:
        return _read(BytesIO(data))
    except NotAStateDict:
        raise
    except Exception as problem:  # a damaged pickle may raise anything
        said = f"{type(problem).__name__}: {problem}"[:MAX_QUOTED]
        raise NotAStateDict(f"it is damaged or of another kind ({said})") from problem


def _read(file: BytesIO) -> dict[str, np.ndarray]:
    magic, version, _, state, keys = (_Pickle().load(file) for _ in range(5))
    if (magic, version) != (MAGIC, VERSION):
        raise NotAStateDict("it does not begin as torch.save wrote until 2020")
    views: dict[str, View] = {name: view for name, view in state.items() if isinstance(view, View)}
    if len(views) != len(state):
        raise NotAStateDict("not all of its values are tensors")
    storages = {view.storage.key: view.storage for view in views.values()}
    numbers = {key: _numbers(file, storages[key]) for key in keys}
    wanted, stored = sum(view.size for view in views.values()), sum(map(len, numbers.values()))
    if wanted > stored:  # many tensors in one storage would take far more memory than the file
        raise NotAStateDict(f"its tensors have {wanted} numbers, but it holds only {stored}")
    return {name: view.of(numbers[view.storage.key]) for name, view in views.items()}


def _numbers(file: BytesIO, storage: Storage) -> np.ndarray:
    count = int(np.frombuffer(file.read(COUNT.itemsize), COUNT)[0])
    data = file.read(max(count, 0) * storage.dtype.itemsize)
    if count != storage.count or len(data) != count * storage.dtype.itemsize:
        raise NotAStateDict(
            f"storage {ascii(storage.key)[:MAX_QUOTED]} lacks some of its {storage.count} numbers"
        )
    return np.frombuffer(data, storage.dtype)
