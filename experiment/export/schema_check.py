"""What is wrong with a JSON value, by the published schema: the keywords that schema.json uses, no others.

A report that comes back to us is checked with this. The whole of JSON Schema is a library's business, which
the tests hold this against.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int, float),
    "null": (type(None),),
}
_WORDS: Final = {"boolean": "true or false", "integer": "whole number", "string": "text", "array": "list"}
_NO_RULE: Final = {"$schema", "$defs", "title", "description"}


def problems(value: Any, schema: Mapping[str, Any], *, whole: bool = False) -> Iterator[str]:
    """Each thing that is wrong, with its place: "cells[3].p50_ms must be a number or null".

    `whole`: a whole number must be written as one. To JSON Schema 1.0 is one too; to Python it is not.
    """
    yield from _Checker(schema["$defs"], whole=whole).check(value, schema, "")


class _Checker:
    """Knows where references lead."""

    def __init__(self, definitions: Mapping[str, Any], *, whole: bool):
        self._definitions = definitions
        self.whole = whole

    def check(self, value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
        for keyword, rule in schema.items():
            if keyword in _NO_RULE:
                continue
            yield from RULES[keyword](self, value, rule, place)
        known = schema.get("properties", {})
        if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
            for key in value.keys() - known.keys():
                yield from self.check(value[key], schema["additionalProperties"], _within(place, key))

    def reference(self, value: Any, rule: str, place: str) -> Iterator[str]:
        yield from self.check(value, self._definitions[rule.removeprefix("#/$defs/")], place)

    def properties(self, value: Any, rule: Mapping[str, Any], place: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key in rule.keys() & value.keys():
                yield from self.check(value[key], rule[key], _within(place, key))

    def items(self, value: Any, rule: Mapping[str, Any], place: str) -> Iterator[str]:
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from self.check(each, rule, f"{place}[{index}]")

    def one_of(self, value: Any, rule: list[Mapping[str, Any]], place: str) -> Iterator[str]:
        """The branches of our schema exclude each other: null, or the other one, whose problems count."""
        found = [list(self.check(value, each, place)) for each in rule]
        if all(found):
            yield from max(found, key=lambda each: (not each[0].startswith(f"{place} must be"), len(each)))


def _kind(checker: _Checker, value: Any, rule: str | list[str], place: str) -> Iterator[str]:
    kinds = [rule] if isinstance(rule, str) else rule
    if not any(_is(value, each, whole=checker.whole) for each in kinds):
        yield f"{place or 'it'} must be {_listed(kinds)}"


def _is(value: Any, kind: str, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer() and not whole
    return isinstance(value, _KINDS[kind])


def _required(_: _Checker, value: Any, rule: list[str], place: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{_within(place, key)} is missing" for key in rule if key not in value)


def _enum(_: _Checker, value: Any, rule: list[Any], place: str) -> Iterator[str]:
    if not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in rule):
        yield f"{place} must be one of {', '.join(map(str, rule))}"


def _const(checker: _Checker, value: Any, rule: Any, place: str) -> Iterator[str]:
    yield from _enum(checker, value, [rule], place)


def _pattern(_: _Checker, value: Any, rule: str, place: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(rule, value):
        yield f"{place} does not have the expected form"


def _bound(is_wrong: Callable[[Any, Any], bool], words: str, kinds: tuple[type, ...]) -> Callable[..., Any]:
    def check(_: _Checker, value: Any, rule: Any, place: str) -> Iterator[str]:
        if isinstance(value, kinds) and not isinstance(value, bool) and is_wrong(value, rule):
            yield f"{place} must be {words.format(rule)}"

    return check


_NUMBER = (int, float)
RULES: Final[Mapping[str, Callable[[_Checker, Any, Any, str], Iterator[str]]]] = {
    "$ref": _Checker.reference,
    "type": _kind,
    "required": _required,
    "properties": _Checker.properties,
    "additionalProperties": lambda checker, value, rule, place: iter(()),  # with the properties, in check()
    "items": _Checker.items,
    "oneOf": _Checker.one_of,
    "anyOf": _Checker.one_of,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _bound(lambda value, rule: value < rule, "at least {}", _NUMBER),
    "maximum": _bound(lambda value, rule: value > rule, "at most {}", _NUMBER),
    "exclusiveMinimum": _bound(lambda value, rule: value <= rule, "above {}", _NUMBER),
    "minLength": _bound(lambda value, rule: len(value) < rule, "at least {} characters", (str,)),
    "maxLength": _bound(lambda value, rule: len(value) > rule, "at most {} characters", (str,)),
    "minItems": _bound(lambda value, rule: len(value) < rule, "a list of at least {}", (list,)),
    "maxItems": _bound(lambda value, rule: len(value) > rule, "a list of at most {}", (list,)),
}


def _within(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _listed(kinds: list[str]) -> str:
    named = [_WORDS.get(each, each) for each in kinds]
    words = [each if each in {"null", "true or false", "text"} else f"a {each}" for each in named]
    return " or ".join(word.replace("a object", "an object") for word in words)
