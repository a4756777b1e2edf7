"""Write static/js/report.d.ts, the report's types for the page: python -m tools.report_types"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "experiment" / "export" / "schema.json"
TYPES = ROOT / "static" / "js" / "report.d.ts"
HEADER = """\
// Written by tools/report_types.py from experiment/export/schema.json: renew with it, do not edit.
// A key with ? may be missing in a report of an older minor version.
"""
NAMES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}

Schema = Mapping[str, Any]


def text() -> str:
    """What static/js/report.d.ts must hold."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    parts = [_declaration("report", schema)]
    parts += [_declaration(name, definition) for name, definition in schema["$defs"].items()]
    return "\n".join([HEADER, *parts])


def _declaration(name: str, schema: Schema) -> str:
    lines = _comment(schema, "")
    if "properties" not in schema:
        return "\n".join([*lines, f"export type {_title(name)} = {_type(schema)};", ""])
    return "\n".join([*lines, f"export interface {_title(name)} {{", *_members(schema, "  "), "}", ""])


def _members(schema: Schema, indent: str) -> Iterator[str]:
    for key, value in schema["properties"].items():
        yield from _comment(value, indent)
        mark = "" if key in schema.get("required", ()) else "?"
        yield f"{indent}{key}{mark}: {_type(value)};"
    if schema.get("required", ()) == ():  # nothing is promised, as in `environment`: others may be there
        yield f"{indent}[key: string]: unknown;"


def _comment(schema: Schema, indent: str) -> list[str]:
    return [f"{indent}/** {schema['description']} */"] if "description" in schema else []


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return _title(schema["$ref"].removeprefix("#/$defs/"))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "oneOf" in schema:
        return " | ".join(map(_type, schema["oneOf"]))
    kinds = schema.get("type", [])
    if not kinds:
        return "unknown"
    return " | ".join(_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _of_kind(kind: str, schema: Schema) -> str:
    if kind == "array":
        return f"Array<{_type(schema['items'])}>"
    if kind == "object" and "properties" in schema:
        return "{ " + " ".join(line.strip() for line in _members(schema, "") if "/**" not in line) + " }"
    if kind == "object":
        return f"Record<string, {_type(schema.get('additionalProperties') or {})}>"
    return NAMES[kind]


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


if __name__ == "__main__":
    TYPES.write_text(text(), "utf-8")
