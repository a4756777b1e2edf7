"""Records to plain JSON values and back, without loss: for the store and between processes. Values for CSV.

The report that users download is another matter: export.py chooses its keys and rounding.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

Record = TypeVar("Record")
Make = Callable[[Any], Any]

# Bytes and pixels travel and are stored apart from the records.
LEFT_OUT = {"data": b"", "pixels": None}


# A spreadsheet takes a text that starts so for a formula (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_dict(record: Any) -> dict[str, Any]:
    """The record as JSON values. Tuples become lists; image data is left out."""
    return {
        each.name: _plain(getattr(record, each.name)) for each in fields(record) if each.name not in LEFT_OUT
    }


def from_dict(cls: type[Record], data: Mapping[str, Any]) -> Record:
    """The record that to_dict() wrote. Unknown keys are ignored, missing ones take their default.

    Raises TypeError when a key without default is missing.
    """
    upgraded = getattr(cls, "upgraded", None)  # of records whose keys have changed
    data = upgraded(data) if upgraded else data
    makers = _makers(typing.cast(Any, cls))
    values = {name: makers[name](value) for name, value in data.items() if name in makers}
    left_out = {name: empty for name, empty in LEFT_OUT.items() if name in makers}
    return cls(**left_out | values)


def csv_field(value: Any) -> Any:
    """The value as CSV has it; none of them is a formula to a spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


@cache
def _makers(cls: type) -> dict[str, Make]:
    """Field name -> what makes its value from JSON. Pillow's Image, known to type checkers only, is Any."""
    kinds = typing.get_type_hints(cls, localns={"Image": Any})
    return {name: _maker(kind) for name, kind in kinds.items()}


def _maker(kind: Any) -> Make:
    """Worked out once for each field: reports have thousands of cells."""
    if isinstance(kind, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    if typing.get_origin(kind) is tuple:
        item = _maker(typing.get_args(kind)[0])
        if item is _as_it_is:
            return lambda value: None if value is None else tuple(value)
        return lambda value: None if value is None else tuple(map(item, value))
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda value: None if value is None else from_dict(kind, value)
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
