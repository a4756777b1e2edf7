"""Checks of values: a check returns the value to use, or raises Expected, whose text says what is allowed.

    >>> whole(1, 100)(85)
    85
    >>> whole_text(1, 65535)("web")
    Traceback (most recent call last):
    common.checks.Expected: a whole number from 1 to 65535

The first ones take values of JSON; those that end in _text take text of a setting, an option or a query.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeGuard, TypeVar

Value = TypeVar("Value")

_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")

PRICE_LIMIT = 1e6  # per hour; prices are below it


class Expected(ValueError):
    """A value that can't be used. The text says what is expected: "a whole number from 1 to 100"."""


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value of JSON is a number; True and False, which Python counts as 1 and 0, are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_line(value: Any, longest: int) -> TypeGuard[str]:
    """Whether `value` is a text of 1 to `longest` printable characters, on one line."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A whole number from `low` to `high`; 512.0 counts as one."""

    def check(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Expected(f"a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float, what: str = "a number") -> Callable[[Any], float]:
    """A number from `low` to `high`."""

    def check(value: Any) -> float:
        if not is_number(value) or not low <= value <= high:  # false for NaN
            raise Expected(f"{what} from {low:,.15g} to {high:,.15g}")
        return value

    return check


def number_above(low: float, high: float, what: str = "a number") -> Callable[[Any], float]:
    """A number above `low`, at most `high`."""

    def check(value: Any) -> float:
        if not is_number(value) or not low < value <= high:  # false for NaN
            raise Expected(f"{what} above {low:,.15g} and at most {high:,.15g}")
        return value

    return check


def one_of(choices: Iterable[str]) -> Callable[[Any], str]:
    """One of the words in `choices`."""
    known = tuple(choices)

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise Expected("one of " + ", ".join(known))
        return value

    return check


def yes_or_no(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Expected("true or false")
    return value


def list_of(check: Callable[[Any], Value], what: str, most: int) -> Callable[[Any], tuple[Value, ...]]:
    """A list of 1 to `most` entries that pass `check`; repeated entries count once."""

    def check_all(value: Any) -> tuple[Value, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
            raise Expected(f"a list of 1 to {most} {what}")
        try:
            return tuple(dict.fromkeys(check(entry) for entry in value))
        except Expected as expected:
            raise Expected(f"a list of {what}, each {expected}") from None

    return check_all


def whole_text(low: int, high: int) -> Callable[[str], int]:
    """A whole number in plain digits."""
    check = whole(low, high)
    return lambda text: check(int(text) if _DIGITS.fullmatch(text.strip()) else None)


def number_text(check: Callable[[Any], float]) -> Callable[[str], float]:
    """A number that passes `check`, written as in Python: "0.5", "1e3"."""

    def parse(text: str) -> float:
        try:
            return check(float(text))
        except Expected:
            raise
        except ValueError:
            return check(math.nan)

    return parse


def one_of_texts(*choices: str) -> Callable[[str], str]:
    """One of the words in `choices`, in upper or lower case."""
    check = one_of(choices)
    return lambda text: check(text.strip().lower())


def price(text: str) -> float:
    """A price per hour, without a currency: "0.35"."""
    try:
        return number_text(number(0, math.nextafter(PRICE_LIMIT, 0)))(text)
    except Expected:
        raise Expected("a price, like 0.35") from None
