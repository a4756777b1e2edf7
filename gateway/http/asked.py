"""What a request asks for in its query and form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from flask import Request

from common.checks import Expected
from httpserver.problems import Refused

Value = TypeVar("Value")


def options(request: Request, known: Collection[str]) -> dict[str, list[str]]:
    """Name -> values, in the order sent. Raises Refused for an unknown or empty one."""
    found: dict[str, list[str]] = {}
    for name, text in [*request.args.items(multi=True), *request.form.items(multi=True)]:
        if name not in known:
            offered = ", ".join(sorted(known)) or "none"
            raise Refused("bad_query", f"Unknown: {name[:100]}. Known: {offered}.", 422)
        # "id=$ID" of a script in which ID is not set would else go unnoticed.
        if not text.strip():
            raise Refused("bad_query", f"{name} is empty. Give it a value, or leave it out.", 422)
        found.setdefault(name, []).append(text)
    return found


def one(asked: dict[str, list[str]], name: str, parse: Callable[[str], Value], default: Value) -> Value:
    """The only value of an option, parsed. Raises Refused."""
    if name not in asked:
        return default
    if len(asked[name]) > 1:
        raise Refused("bad_query", f"{name} was sent more than once. Send it once.", 422)
    try:
        return parse(asked[name][0])
    except Expected as expected:
        raise Refused("bad_query", f"{name} must be {expected}, not {asked[name][0][:100]!r}.", 422) from None
