"""Records to JSON values and back, without loss, for the store and between processes; values for CSV.

    >>> from experiment.records import Label
    >>> to_dict(Label("tabby", 0.7))
    {'label': 'tabby', 'score': 0.7}
    >>> from_dict(Label, {"label": "tabby", "score": 0.7})
    Label(label='tabby', score=0.7)

The exported report has keys and rounding of its own: experiment/export/report_json.py.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

Record = TypeVar("Record")
Make = Callable[[Any], Any]

# Fields that are never written -> their value without it: image data, which goes beside the records, and the
# address of a queue with its password.
LEFT_OUT = {"data": b"", "pixels": None, "url": ""}
# A spreadsheet takes text that starts with one of these for a formula (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_dict(record: Any) -> dict[str, Any]:
    """The record as JSON values. Tuples become lists; LEFT_OUT is left out."""
    names = (field.name for field in fields(record))
    return {name: _plain(getattr(record, name)) for name in names if name not in LEFT_OUT}


def from_dict(cls: type[Record], data: Mapping[str, Any]) -> Record:
    """The record that to_dict() wrote. Unknown keys are ignored, as are those of LEFT_OUT; missing ones take
    their default.

    Raises TypeError when a key without default is missing.
    """
    upgraded = getattr(cls, "upgraded", None)  # classes whose keys have changed have it, as Plan
    data = upgraded(data) if upgraded else data
    makers = _makers(typing.cast(Any, cls))
    values = {name: makers[name](value) for name, value in data.items() if name in makers}
    left_out = {name: empty for name, empty in LEFT_OUT.items() if name in makers}
    return cls(**values | left_out)


def csv_field(value: Any) -> Any:
    """The value as a CSV has it: "" for None, "true", and text that a spreadsheet can't run as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, float):  # most values are: samples
        return value
    if is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@cache
def _makers(cls: type) -> dict[str, Make]:
    """Field name -> the function that makes its value from JSON; worked out once per class, for speed."""
    kinds = typing.get_type_hints(cls, localns={"Image": Any})  # Pillow's, known to type checkers only
    return {name: _maker(kind) for name, kind in kinds.items()}


def _maker(kind: Any) -> Make:
    """The function that makes a value of the type `kind` from JSON."""
    if isinstance(kind, types.UnionType):
        kind = next(option for option in typing.get_args(kind) if option is not types.NoneType)
    if typing.get_origin(kind) in {tuple, Sequence}:
        item = _maker(typing.get_args(kind)[0])
        if item is _as_it_is:
            return lambda value: None if value is None else tuple(value)
        return lambda value: None if value is None else tuple(map(item, value))
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda value: None if value is None else from_dict(kind, value)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return lambda value: None if value is None else kind(*value)  # a named tuple
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
