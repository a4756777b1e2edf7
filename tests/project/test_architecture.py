"""docs/architecture.md, held against the files that it names."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from experiment import errors

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\|.*\|$", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.MULTILINE)
FILES = {name for row in ROWS for name in re.findall(r"`([\w./]+/[\w.]*)`", row)}
NAMED = [
    (name, file)
    for row in ROWS
    for name, file in re.findall(r"`(_?[A-Z][A-Za-z_]+)` in `([\w./]+\.\w+)`", row)
]
FOLDERS = ("experiment", "httpserver", "jobs", "webapp")  # whose errors experiment/errors.py draws


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_of_the_map_exists(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_every_table_of_the_map_is_in_its_file(name, file):
    assert re.search(rf"^(class )?{name}\b", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_the_map_is_read_at_all():
    assert len(FILES) > 40
    assert ("RUNTIMES", "serving/runtimes/__init__.py") in NAMED


def errors_drawn() -> dict[str, tuple[str, int, str]]:
    """What the docstring of experiment/errors.py draws: class -> its parent, HTTP status and code."""
    drawn: dict[str, tuple[str, int, str]] = {}
    above: list[str] = []
    for indent, name, status, code in re.findall(
        r"^( {4,})(\w+) +(\d{3}) +(\w+) ", errors.__doc__, re.MULTILINE
    ):
        depth = len(indent) // 4 - 1
        drawn[name] = (above[depth - 1] if depth else "Exception", int(status), code)
        above[depth:] = [name]
    return drawn


def errors_defined() -> dict[str, tuple[str, int, str]]:
    """The same for every class below PixelcostError; a private class counts as part of its parent."""
    found = {}
    for path in [each for folder in FOLDERS for each in (ROOT / folder).rglob("*.py")]:
        text = path.read_text("utf-8")
        if "(PixelcostError)" not in text and "(EmbeddedFailed)" not in text and path.name != "errors.py":
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]:
            kind = getattr(module, name)
            if issubclass(kind, errors.PixelcostError) and not name.startswith("_"):
                parent = next(base for base in kind.__mro__[1:] if not base.__name__.startswith("_"))
                found[name] = (parent.__name__, kind.http_status, kind.code)
    return found


def test_the_tree_of_errors_is_the_one_that_errors_py_draws():
    assert errors_drawn() == errors_defined()


@pytest.mark.parametrize("name", sorted(errors_drawn()))
def test_the_tree_names_the_file_of_every_error_that_is_defined_elsewhere(name):
    (row,) = re.findall(rf"^ +{name} .*$", errors.__doc__, re.MULTILINE)
    named = re.search(rf"(?:{'|'.join(FOLDERS)})/\S+\.py", row)
    file = named[0] if named else "experiment/errors.py"
    assert f"class {name}(" in (ROOT / file).read_text("utf-8")
