"""How the values of flags are written: numbers, paths, lists, true and false."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from common.arguments import argument
from common.checks import number, number_text, whole_text

NO_PATH = Path()
SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


count = argument(whole_text(0, 1024))
positive = argument(whole_text(1, 1024))
port = argument(whole_text(0, 65535))
milliseconds = argument(whole_text(1, 2**31 - 1))
seconds = argument(number_text(number(0, 10**9, "a number of seconds")))
fraction = argument(number_text(number(0, 1)))


def path(text: str) -> Path:
    try:
        return local_path(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def local_path(text: str) -> Path:
    """A path as TensorFlow Serving takes it, also as file:///models/x. Paths on other storage are refused.

    Raises ValueError with a sentence without its full stop.
    """
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no path may have")
    match = SCHEME.fullmatch(text)
    if not match:
        return Path(text)
    if match["scheme"].lower() != "file":
        raise ValueError(
            f"{text} is on {match['scheme'].lower()}://, and this server reads local files only. Mount that "
            "storage, or copy the files, and give the local path"
        )
    host, slash, rest = match["rest"].partition("/")
    if host.lower() not in {"", "localhost"}:
        raise ValueError(
            f"{text} names the host {host!r}. A local path has three slashes: file:///{match['rest']}"
        )
    return Path(slash + rest)


def cores(text: str) -> tuple[int, ...]:
    """ "0,2-3" is (0, 2, 3)."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of cores like 0,1 or 0-3")
        found.update(range(int(first), int(last or first) + 1))
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} does not name a core")
    return tuple(sorted(found))


def names(text: str) -> tuple[str, ...]:
    """Text between commas, without spaces around it."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def channel_arguments(text: str) -> tuple[tuple[str, Any], ...]:
    """ "grpc.max_connection_age_ms=2000,grpc.x=y": whole numbers as numbers, the rest as text."""
    pairs = []
    for part in names(text):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is not key=value")
        pairs.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return tuple(pairs)


def boolean(text: str) -> bool:
    """TensorFlow Serving's spellings: --flag, --flag=true, --flag=1 and their opposites."""
    if text.lower() not in {"true", "1", "false", "0"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false")
    return text.lower() in {"true", "1"}
