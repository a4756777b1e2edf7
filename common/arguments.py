"""argument(): a check of common/checks.py as the `type` of a command line's option."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from common.checks import Expected

Value = TypeVar("Value")


def argument(check: Callable[[str], Value]) -> Callable[[str], Value]:
    """The check as the `type` of an option: "'two' is not a whole number from 1 to 64"."""

    def convert(text: str) -> Value:
        try:
            return check(text)
        except Expected as expected:
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}") from None

    return convert
