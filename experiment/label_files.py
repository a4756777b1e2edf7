"""Files that tell what photos show: labels.csv, and maps from ids to labels.

A map is what people have at hand: a CSV, lines like "n02123045 tabby, tabby cat"
(ImageNet's own LOC_synset_mapping.txt) or Keras' imagenet_class_index.json.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from experiment.errors import PixelcostError

FILE_COLUMNS = ("file", "filename", "path", "name", "image")  # the first one found is taken
LABEL_COLUMNS = ("label", "class", "true_label", "wnid")


class LabelsRefused(PixelcostError):
    """A file of labels can't be used."""

    code = "labels_refused"
    http_status = 422


def read_text(path: Path) -> str:
    """The text of a file of labels. Raises LabelsRefused."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise LabelsRefused(f"{path} can't be read: {error}.") from None


def labels_in(text: str, name: str) -> dict[str, str]:
    """File name -> label, from a CSV with a header; further columns are ignored.

    Raises LabelsRefused with what is wrong and where. `name` is the file's, for the message.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), skipinitialspace=True)
    columns = {(column or "").strip().casefold(): column for column in rows.fieldnames or ()}
    file_column = next((columns[each] for each in FILE_COLUMNS if each in columns), None)
    label_column = next((columns[each] for each in LABEL_COLUMNS if each in columns), None)
    if file_column is None or label_column is None:
        found = ", ".join(each or "" for each in rows.fieldnames or ()) or "nothing"
        raise LabelsRefused(
            f"{name} must begin with a line that names the columns file and label; it has: {found[:200]}."
        )
    found_labels: dict[str, str] = {}
    for row in rows:
        file, label = (row[file_column] or "").strip(), (row[label_column] or "").strip()
        if not file and not label:
            continue
        if not file or not label:
            raise LabelsRefused(f"{name}, line {rows.line_num}: a file and its label must both be there.")
        if found_labels.setdefault(file, label) != label:
            raise LabelsRefused(f"{name}, line {rows.line_num}: {file} has another label further up.")
    return found_labels


def names_in(text: str, name: str) -> dict[str, str]:
    """Id -> label, from any of the kinds of map named above. Raises LabelsRefused."""
    text = text.removeprefix("\ufeff").strip()
    try:
        found = _from_json(text) if text.startswith("{") else _from_lines(text)
    except ValueError as error:
        raise LabelsRefused(
            f"{name} is no map from ids to labels ({error}). Write one pair in each line: id,label."
        ) from None
    if not found:
        raise LabelsRefused(f"{name} is empty. Write one pair in each line: id,label.")
    return found


def _from_json(text: str) -> dict[str, str]:
    """{"n02123045": "tabby"}, or Keras' {"281": ["n02123045", "tabby"]}."""
    pairs = [value if isinstance(value, list) else [key, value] for key, value in json.loads(text).items()]
    if not all(len(pair) == 2 and all(isinstance(each, str) for each in pair) for pair in pairs):
        raise ValueError("its entries are no pairs of texts")
    return dict(pairs)


def _from_lines(text: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        has_comma = "," in line.split()[0]
        pair = next(csv.reader([line], skipinitialspace=True))[:2] if has_comma else line.split(maxsplit=1)
        if len(pair) != 2 or not pair[0].strip() or not pair[1].strip():
            raise ValueError(f"line {number} holds no pair")
        found[pair[0].strip()] = pair[1].strip()
    return found
