"""What is wrong with a JSON value by the published schema, each problem in words and with its place.

It knows the keywords that schema.json uses, no others; tests compare it with the library jsonschema, which
takes six times as long and brings four packages. The faster fastjsonschema says of anything wrong within an
object that may be null only that "0 matches" were found, and accepts 64.0 as a whole number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Problems: TypeAlias = Iterator[str]
Schema: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Any, Any, str], Problems]  # (value, what the schema asks of it, its place)

# A whole number must be written as one: 1.0 is one to JSON Schema, but not to Python.
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "null": (type(None),),
}
_TYPE_WORDS: Final = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
}
ANNOTATIONS: Final = frozenset({"$schema", "$defs", "title", "description"})  # keywords that forbid nothing


def problems(value: Any, schema: Schema) -> Problems:
    """What is wrong with `value`, such as "cells[3].p50_ms must be a number or null", found one by one.

    `schema` holds the definitions that it refers to.
    """
    return _check(value, schema, "", schema["$defs"])


def _check(value: Any, schema: Schema, place: str, definitions: Mapping[str, Schema]) -> Problems:
    """Check one value. `place` is its path from the top, which is ""."""
    for keyword, rule in schema.items():
        if keyword in RULES:
            yield from RULES[keyword](value, rule, place)
        elif keyword == "$ref":
            yield from _check(value, definitions[rule.removeprefix("#/$defs/")], place, definitions)
        elif keyword == "oneOf":  # an object, or null: what is wrong with the object is worth saying
            found = [list(_check(value, option, place, definitions)) for option in rule]
            yield from found[0] if all(found) else ()
        elif keyword == "items" and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _check(item, rule, f"{place}[{index}]", definitions)
        elif keyword == "properties" and isinstance(value, dict):
            for key in rule.keys() & value.keys():
                yield from _check(value[key], rule[key], _within(place, key), definitions)
        elif keyword == "additionalProperties" and isinstance(value, dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                yield from _check(value[key], rule, _within(place, key), definitions)


def _type(value: Any, rule: str | list[str], place: str) -> Problems:
    names = [rule] if isinstance(rule, str) else rule
    if not any(_has_type(value, name) for name in names):
        yield f"{place or 'it'} must be {' or '.join(_TYPE_WORDS.get(name, name) for name in names)}"


def _has_type(value: Any, name: str) -> bool:
    return name == "boolean" if isinstance(value, bool) else isinstance(value, _TYPES[name])


def _required(value: Any, rule: list[str], place: str) -> Problems:
    if isinstance(value, dict):
        yield from (f"{_within(place, key)} is missing" for key in rule if key not in value)


def _enum(value: Any, rule: list[str | None], place: str) -> Problems:
    if value not in rule:
        yield f"{place} must be one of {', '.join(map(str, rule))}"


def _pattern(value: Any, rule: str, place: str) -> Problems:
    if isinstance(value, str) and not re.search(rule, value):
        yield f"{place} does not have the expected form"


def _limit(types: tuple[type, ...], is_wrong: Callable[[Any, Any], bool], words: str) -> Rule:
    def check(value: Any, rule: Any, place: str) -> Problems:
        if isinstance(value, types) and not isinstance(value, bool) and is_wrong(value, rule):
            yield f"{place} must be {words.format(rule)}"

    return check


_NUMBER = (int, float)
RULES: Final[Mapping[str, Rule]] = {
    "type": _type,
    "required": _required,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _limit(_NUMBER, lambda value, rule: value < rule, "at least {}"),
    "maximum": _limit(_NUMBER, lambda value, rule: value > rule, "at most {}"),
    "exclusiveMinimum": _limit(_NUMBER, lambda value, rule: value <= rule, "above {}"),
    "minLength": _limit((str,), lambda value, rule: len(value) < rule, "at least {} characters"),
    "minItems": _limit((list,), lambda value, rule: len(value) < rule, "a list of at least {}"),
    "maxItems": _limit((list,), lambda value, rule: len(value) > rule, "a list of at most {}"),
}
APPLICATORS: Final = frozenset({"$ref", "oneOf", "items", "properties", "additionalProperties"})


def _within(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
