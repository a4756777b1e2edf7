"""Files with labels: labels.csv, which says what each photo shows, and maps from ids to labels.

A map is what people have at hand: a CSV, lines like "n02123045 tabby, tabby cat"
(ImageNet's own LOC_synset_mapping.txt), Keras' imagenet_class_index.json, or a JSON list.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from common import words
from experiment.errors import PixelcostError
from experiment.file_names import clean_path, printable

FILE_COLUMNS = ("file", "filename", "path", "name", "image")  # the first one found is taken
LABEL_COLUMNS = ("label", "class", "true_label", "wnid")
END = "\0"  # a row behind the last one, which no text holds: an open quotation mark swallows it


class LabelsRefused(PixelcostError):
    """A file of labels can't be used."""

    code = "labels_refused"
    http_status = 422


def read_text(path: Path) -> str:
    """The text of a file of labels. Raises LabelsRefused."""
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise LabelsRefused(f"{path} can't be read: {error.strerror}.") from None


def decoded(data: bytes, name: str) -> str:
    """UTF-8, or UTF-16 with its mark as Windows writes it. Raises LabelsRefused."""
    try:
        text = words.decoded(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _no_utf8(name, f" in line {line}" if error.encoding == "utf-8" else "") from None
    if END in text:
        raise _no_utf8(name)
    return text


def _no_utf8(name: str, where: str = "") -> LabelsRefused:
    return LabelsRefused(f'{name} is not text in UTF-8{where}. A spreadsheet saves it as "CSV UTF-8".')


def refuse_above(size_bytes: int, limit_bytes: int, name: str) -> None:
    """Raises LabelsRefused for a file of labels that is too large."""
    if size_bytes > limit_bytes:
        raise LabelsRefused(
            f"{name} is larger than {limit_bytes / 1e6:g} MB, the limit for labels. "
            "Leave out the rows of photos that are not in the set."
        )


def labels_in(text: str, name: str) -> dict[str, str]:
    """File -> label, from a CSV with a header; further columns are ignored.

    Files are named as clean_path() names them. Raises LabelsRefused with what is wrong and where;
    `name` is the CSV's, for the message.
    """
    if text.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        raise LabelsRefused(f"{name} is JSON. Write a CSV: a line file,label, then a line for each photo.")
    rows = _rows(text.removeprefix("\ufeff"), name)
    _, header = next(rows, (1, []))
    columns = {column.strip().casefold(): at for at, column in reversed(list(enumerate(header)))}
    file_at = next((columns[title] for title in FILE_COLUMNS if title in columns), None)
    label_at = next((columns[title] for title in LABEL_COLUMNS if title in columns), None)
    if file_at is None or label_at is None:
        found = printable(", ".join(header)) or "nothing"
        raise LabelsRefused(
            f"{name} must begin with a line that names the columns file and label; it has: {found[:200]}."
        )
    labels: dict[str, str] = {}
    for line, row in rows:
        file = row[file_at].strip() if file_at < len(row) else ""
        label = row[label_at].strip() if label_at < len(row) else ""
        if not file and not label:
            continue
        if not file or not label:
            raise LabelsRefused(f"{name}, line {line}: both a file and a label are needed.")
        if not {"\n", "\r"}.isdisjoint(file + label):
            raise LabelsRefused(
                f"{name}, line {line}: a name or label continues on the next line. Is a quotation mark "
                "missing?"
            )
        path, label = clean_path(file), printable(label)
        if labels.setdefault(path, label) != label:
            raise LabelsRefused(f"{name}, line {line}: {path} has a different label in an earlier line.")
    return labels


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, each with the line that it begins in. Raises LabelsRefused."""
    reader = csv.reader(chain(io.StringIO(text, newline=""), ("\n", END)), skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if row == [END]:
                return
            if row and row[-1].endswith(END):
                raise LabelsRefused(
                    f"{name}, line {line}: a quotation mark is opened there and never closed."
                )
            if any(row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error:
        raise LabelsRefused(
            f"{name}, line {line}: a field is longer than {csv.field_size_limit():,} characters. "
            "Is a quotation mark missing?"
        ) from None


def names_in(text: str, name: str) -> dict[str, str]:
    """Id -> label, from any of the kinds of map named above. Raises LabelsRefused."""
    text = text.removeprefix("\ufeff").strip()
    try:
        found = _from_json(text) if text.startswith(("{", "[")) else _without_doubt(_pairs(text))
    except (ValueError, csv.Error, RecursionError) as error:
        raise LabelsRefused(
            f"{name} is not a map from ids to labels ({error}). Write one pair in each line: id,label."
        ) from None
    if not found:
        raise LabelsRefused(f"{name} is empty. Write one pair in each line: id,label.")
    return found


def _from_json(text: str) -> dict[str, str]:
    """{"n02123045": "tabby"}, Keras' {"281": ["n02123045", "tabby"]}, or ["tench", "goldfish"], from 0 on."""
    read = json.loads(text)
    rows = [(str(at), value) for at, value in enumerate(read)] if isinstance(read, list) else read.items()
    pairs = [value if isinstance(value, list) else [key, value] for key, value in rows]
    if not all(len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in pairs):
        raise ValueError("its entries are not pairs of texts")
    return _without_doubt((key, label) for key, label in pairs)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        has_comma = "," in line.split()[0]
        pair = next(csv.reader([line], skipinitialspace=True))[:2] if has_comma else line.split(maxsplit=1)
        if len(pair) != 2 or not pair[0].strip() or not pair[1].strip():
            raise ValueError(f"line {number} holds no pair")
        yield pair[0].strip(), pair[1].strip()


def _without_doubt(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, label in pairs:
        if found.setdefault(key, label) != label:
            raise ValueError(f"{key} has two labels")
    return found
