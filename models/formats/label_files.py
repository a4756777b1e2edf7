"""Reads lists of class names in common notations: lines, CSV, JSON, YAML, Python's lists and dictionaries."""

from __future__ import annotations

import ast
import codecs
import itertools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

LARGEST_BYTES = 20_000_000
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
LINE_BREAK = re.compile(r"\r\n|\n|\r")  # str.splitlines() would also split names at U+2028 and the like
NO_TEXT = re.compile(r"[\0-\x08\x0e-\x1f]")
NUMBER_FIRST = re.compile(r"(?P<number>\d+)\s*[:,;\s]\s*(?P<name>\S.*)")  # "281: tabby", "281  tabby"
NUMBER_LAST = re.compile(r"(?P<name>\S.*?)\s*[\t,;]\s*(?P<number>\d+)")  # "tabby<TAB>281"
HEADER = re.compile(
    r"(class|label|id|index|idx|name|number)s?([_ ]?(id|index|idx|name|label))?", re.IGNORECASE
)
YAML_KEY = re.compile(r"^(names|id2label|labels|classes)\s*:", re.MULTILINE)
KEYS = ("names", "id2label", "labels", "classes")  # under which a larger document has its list
QUOTE = '"'
ITEM = re.compile(r"\A\s*(?:#.*\s*)*item\s*\{")
ENTRY = re.compile(r"""\b(id|name|display_name)\s*:\s*("[^"]*"|'[^']*'|\w+)""")


def names_in(data: bytes) -> list[str]:
    """The names in their order, as they are written. Raises ValueError with what is wrong."""
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it has {len(data) / 1e6:.0f} MB, which is not a list of names")
    text = _text(data)
    if ITEM.match(text):
        return _of_label_map(text)
    start = text.lstrip()[:1]
    if start and start in "[{":
        return _names(_parsed(text, start))
    if YAML_KEY.search(text) and (found := _under_key(_yaml(text))) is not None:
        return _names(found)
    lines = LINE_BREAK.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and all(line.startswith("- ") for line in lines if line.strip()):
        return _names(_yaml(text))
    return _numbered([line.strip() for line in lines])


def _of_label_map(text: str) -> list[str]:
    """The names in a label map of TensorFlow's Object Detection API, by id: item { id: 1 name: 'cat' }."""
    places: dict[Any, str] = {}
    for block in re.findall(r"\bitem\s*\{([^}]*)\}", text):
        found = {key: value.strip("'" + QUOTE) for key, value in ENTRY.findall(block)}
        name = found.get("display_name") or found.get("name", "")
        if not found.get("id", "").isdecimal() or not name or int(found["id"]) in places:
            raise ValueError(f"its item {{{' '.join(block.split())[:60]}}} needs a name and an id of its own")
        places[int(found["id"])] = name
    return _of_dictionary(places)


def _text(data: bytes) -> str:
    encoding = next((name for bom, name in BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise ValueError(
            f"line {line} is not {encoding.removesuffix('-sig').upper()} (byte 0x{data[problem.start]:02x}). "
            "If it was saved on Windows: iconv -f WINDOWS-1252 -t UTF-8 FILE > labels-utf8.txt"
        ) from problem
    if found := NO_TEXT.search(text):
        line = text[: found.start()].count("\n") + 1
        raise ValueError(f"line {line} has the control character {found[0]!r}. Save it as text in UTF-8")
    return text


def _parsed(text: str, start: str) -> Any:
    """A list or dictionary in JSON or in Python's notation."""
    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    for read in readers:
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise ValueError(f"it starts with {start}, but is neither JSON nor a list or dictionary of Python's")


def texts_of_yaml(text: str) -> Any:
    """YAML with all values as texts, as a class may be called "no". Raises YAMLError and RecursionError."""
    return yaml.load(text, yaml.BaseLoader)  # noqa: S506  makes texts only


def _yaml(text: str) -> Any:
    try:
        return texts_of_yaml(text)
    except (yaml.YAMLError, RecursionError) as problem:
        raise ValueError(f"it looks like YAML, but is not: {' '.join(str(problem).split())}") from problem


def _names(written: Any) -> list[str]:
    """The names in a list, or in a dictionary from numbers to names or from names to numbers."""
    if isinstance(written, dict):
        inner = _under_key(written)
        return _of_dictionary(written) if inner is None else _names(inner)
    if not isinstance(written, list | tuple):
        raise ValueError("it holds neither a list nor a dictionary of names")
    return [_name(entry) for entry in written]


def _under_key(written: Any) -> Any:
    """The list or dictionary of names in a larger document; None if it has none."""
    document = written if isinstance(written, dict) else {}
    return next((document[key] for key in KEYS if isinstance(document.get(key), dict | list)), None)


def _of_dictionary(written: dict[Any, Any]) -> list[str]:
    by_number = {_number(key): value for key, value in written.items()}
    if None in by_number:
        by_number = {_number(value): key for key, value in written.items()}
    first = min((number for number in by_number if number is not None), default=0)
    if first not in (0, 1) or by_number.keys() != set(range(first, first + len(written))):
        raise ValueError("its numbers are not 0, 1, 2 and so on with one name each")
    return [_name(by_number[number]) for number in range(first, first + len(written))]


def _number(written: Any) -> int | None:
    is_number = isinstance(written, int | str) and not isinstance(written, bool)
    return int(written) if is_number and re.fullmatch(r"\d{1,9}", str(written).strip()) else None


def _name(written: Any) -> str:
    """A name; of a list such as [WordNet id, name] the last entry."""
    if isinstance(written, list | tuple) and written:
        written = written[-1]
    if not isinstance(written, str | int | float) or isinstance(written, bool):
        raise ValueError(f"{str(written)[:60]!r} in it is not a name")
    return str(written).strip()


def _numbered(lines: Sequence[str]) -> list[str]:
    """The names of the lines, sorted by the numbers before or behind the names if every line has one."""
    columns = [column.strip().strip(QUOTE) for column in re.split(r"[,;\t]", lines[0])] if lines else []
    has_header = len(columns) > 1 and all(HEADER.fullmatch(column) for column in columns)
    tables = [lines, lines[1:]] if has_header else [lines]
    for rows, pattern in itertools.product(tables, (NUMBER_FIRST, NUMBER_LAST)):
        if names := _by_number(rows, pattern):
            return names
    if all(len(line) > 1 and line[0] == line[-1] == "'" for line in lines):  # one alone is part of a name
        lines = [line[1:-1] for line in lines]
    return [_unquoted(line, index + 1) for index, line in enumerate(lines)]


def _by_number(rows: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    """The names by number; empty if the numbers are not 0, 1, 2, ... or 1, 2, 3, ..., or belong to the names.

    They do in "1 cent", "2 cent": without them most names would be the same.
    """
    found = [match for row in rows if (match := pattern.fullmatch(row))]
    places = {int(match["number"]): _unquoted(match["name"], index + 1) for index, match in enumerate(found)}
    first = min(places, default=0)
    wanted = range(first, first + len(rows))
    is_numbering = (
        first in (0, 1) and places.keys() == set(wanted) and 2 * len({*places.values()}) > len(rows)
    )
    return [places[number] for number in wanted] if is_numbering else []


def _unquoted(line: str, number: int) -> str:
    line = line.removesuffix(",") if line.startswith(QUOTE) else line
    if not line.startswith(QUOTE):
        return line
    inner = line[1:-1].replace(2 * QUOTE, "")
    if len(line) < 2 or not line.endswith(QUOTE) or QUOTE in inner:
        raise ValueError(f"line {number} starts with a quotation mark, but is not a quoted name")
    return line[1:-1].replace(2 * QUOTE, QUOTE)
