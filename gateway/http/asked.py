"""What a request asks for in its query and form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeVar

from flask import Request

from common.checks import Expected, number, number_text
from httpserver.problems import Refused

FORM: Final = "multipart/form-data"

Value = TypeVar("Value")

seconds_to_wait: Final = number_text(number(0, 1e9, "a number of seconds"))


def options(request: Request, known: Collection[str]) -> dict[str, list[str]]:
    """Name -> values, in the order sent. Raises Refused for an unknown or empty one."""
    sent = list(request.args.items(multi=True))
    if request.mimetype == FORM:  # what curl -d and --data-binary call a form is our body
        sent += request.form.items(multi=True)
    found: dict[str, list[str]] = {}
    for name, text in sent:
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
