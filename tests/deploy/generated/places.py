"""Every place in an object, with a name that a reader can follow: spec.containers[web].env[PORT].value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Objects = list[dict[str, Any]]
Key = str | int

NAMED_BY = ("name", "mountPath", "containerPort", "port", "key", "topologyKey", "type", "kind")


class Place(NamedTuple):
    """One value: where it is, and itself."""

    path: tuple[Key, ...]
    text: str  # the same for a reader
    value: Any


def places(found: Any, path: tuple[Key, ...] = (), text: str = "") -> Iterator[Place]:
    """All values below `found`, each before what it holds."""
    rows = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in rows:
        name = (
            f"[{_item_name(key, value)}]"
            if isinstance(found, list)
            else f".{key}".removeprefix("" if text else ".")
        )
        here = Place((*path, key), text + name, value)
        yield here
        yield from places(value, here.path, here.text)


def _item_name(number: Key, value: Any) -> str:
    if isinstance(value, dict):
        return next(
            (str(value[key]) for key in NAMED_BY if isinstance(value.get(key), str | int)), str(number)
        )
    text = str(value)
    return text.partition("=")[0] if text.startswith("--") else str(number)


def at(found: Any, path: tuple[Key, ...]) -> Any:
    """The value at a path; KeyError or IndexError where there is none."""
    for key in path:
        found = found[key]
    return found


def has(found: Any, path: tuple[Key, ...], value: Any) -> bool:
    """Whether an object holds this very value at this path."""
    try:
        return bool(at(found, path) == value)
    except (KeyError, IndexError, TypeError):
        return False
