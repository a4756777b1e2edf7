"""The chart's values as tables in the form of helm-docs, which is a Go program and in no registry of Python.

A comment that begins with `# -- ` describes the value below it, over several lines if need be; a line
`# @default -- TEXT` replaces its default. Keys of list entries and of `pod` have their words in the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).resolve().parent.parent / "deploy" / "helm" / "pixelcost"
# As headings name them -> where the schema has them.
PARTS = {
    "backends": "backend",
    "externalBackends": "external",
    "serving.expose": "expose",
    "pod": "pod",
}
TYPES = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "object"}


class Described(NamedTuple):
    """A value with a comment."""

    key: str  # "web.service.type"
    text: str
    default: str  # JSON, or what @default says


def described(text: str) -> Iterator[tuple[Described, Any]]:
    """The values of a values.yaml that have a description, each with its default."""
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if note := re.match(r" *# ?(.*)", line):
            comment.append(note[1])
            continue
        if found := re.match(r"( *)(\w+):", line):
            depth = len(found[1])
            path = [(above, key) for above, key in path if above < depth] + [(depth, found[2])]
            keys = [key for _, key in path]
            if comment and comment[0].startswith("-- "):
                yield _described(keys, comment, text)
        comment = []


def _described(keys: list[str], comment: list[str], text: str) -> tuple[Described, Any]:
    value = yaml.safe_load(text)
    for key in keys:
        value = value[key]
    said = [line.removeprefix("@default -- ") for line in comment if line.startswith("@default -- ")]
    words = [line for line in comment if not line.startswith("@default -- ")]
    default = said[0] if said else f"`{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}`"
    return Described(".".join(keys), " ".join(words).removeprefix("-- "), default), value


def values() -> str:
    """Every value with its type, default and description, by name."""
    rows = described((CHART / "values.yaml").read_text("utf-8"))
    lines = sorted(
        f"| {row.key} | {TYPES[type(value)]} | {row.default} | {row.text} |\n" for row, value in rows
    )
    return "".join(
        ("| Key | Type | Default | Description |\n|-----|------|---------|-------------|\n", *lines)
    )


def keys(part: str) -> str:
    """The keys of a part of the schema, those that must be given first."""
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))["$defs"][part]
    must = schema.get("required", [])
    names = [*must, *(name for name in schema["properties"] if name not in must)]
    lines = [
        f"| {name} | {schema['properties'][name]['description']}{'; required' if name in must else ''} |\n"
        for name in names
    ]
    return "".join(("| Key | Description |\n|-----|-------------|\n", *lines))
