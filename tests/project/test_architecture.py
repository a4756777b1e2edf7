"""docs/architecture.md, held against the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\|.*\|$", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.MULTILINE)
FILES = {name for row in ROWS for name in re.findall(r"`([\w./]+/[\w.]*)`", row)}
NAMED = [
    (name, file)
    for row in ROWS
    for name, file in re.findall(r"`(_?[A-Z][A-Za-z_]+)` in `([\w./]+\.\w+)`", row)
]


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_of_the_map_exists(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_every_table_of_the_map_is_in_its_file(name, file):
    assert re.search(rf"^(class )?{name}\b", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_the_map_is_read_at_all():
    assert len(FILES) > 40
    assert ("RUNTIMES", "serving/runtimes/__init__.py") in NAMED
