"""Options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from common.arguments import argument
from common.checks import whole_text


def add_result_arguments(parser: argparse.ArgumentParser) -> None:
    """The options about the result, and when to give up."""
    add = parser.add_argument_group("result").add_argument
    where = "folder for the results; if it has something in it, a new one inside (loads/DATE-KIND-TARGET)"
    add("--out", type=Path, metavar="DIR", help=where)
    failures = argument(whole_text(1, 1_000_000))
    add("--abort-after", type=failures, metavar="N", help="stop after so many failed requests")
    add("--seed", type=argument(whole_text(0, 2**53)), default=0, metavar="N", help="of all chance (0)")


def whole_numbers(low: int, high: int) -> Callable[[str], list[int]]:
    """The type of an option that takes a list: "20,40"."""

    def convert(text: str) -> list[int]:
        return [argument(whole_text(low, high))(part.strip()) for part in text.split(",")]

    return convert


def any_number(text: str) -> float:
    """The type of an option that takes a number; the command says which ones it can use."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number like 100 or 0.5") from None
