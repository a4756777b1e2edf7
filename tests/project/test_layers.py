"""Which folder may import which: the table in CONTRIBUTING.md, held against every import of every file."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.imports import SCRIPTS, circle_in, python_imports, script_imports

ROOT = Path(__file__).resolve().parents[2]
CHECKED = (
    *("common", "experiment", "gateway", "httpserver", "jobs", "loadtest", "models", "pixelcost"),
    *("serving", "webapp"),
)
TOOLS = ("bench", "fuzz", "tools")  # may import everything
EXCEPTIONS = {
    ("serving", "experiment"): "the package of the next line, which is empty",
    ("serving", "experiment.protocol"): "the stand-in for TensorFlow's Python; the image holds this one file",
    ("webapp", "webapp.app"): "create_app() is where gunicorn looks for it, and imports the app when called",
}
MOST_FILES = 15  # of one folder, beside its __init__.py

FOLDERS = {
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in CHECKED
    for path in (ROOT / package).rglob("__init__.py")
}


@cache  # by the first test, so that only the process that runs these tests reads every file
def imports() -> dict[str, set[str]]:
    """Each file of the project -> the files it imports."""
    return python_imports(ROOT, (*CHECKED, *TOOLS, "tests"))


def table() -> dict[str, set[str]]:
    """Each row of the table: a folder or a file, and the folders and files that it may import."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("<!-- layers -->")[1]
    rows = re.findall(r"^\| `([\w.]+)` \|([^|]*)\|", text, re.MULTILINE)
    layers = {name: set(re.findall(r"`([\w.*]+)`", allowed)) for name, allowed in rows}
    all_of = {
        f"{package}.*": {name for name in layers if name.startswith(f"{package}.") and name in FOLDERS}
        - {f"{package}.cli", f"{package}.commands"}
        for package in ("experiment", "jobs", "loadtest")
    }
    return {
        name: set().union(*(all_of.get(other, {other}) for other in allowed)) - {name}
        for name, allowed in layers.items()
    }


LAYERS = table()


def layer(file: str) -> str:
    """The row that counts for a file: its own where it has one, else its folder's."""
    return file if file in LAYERS or file in FOLDERS else file.rpartition(".")[0]


def crossings() -> dict[tuple[str, str], tuple[str, str]]:
    """(file, imported file) -> their layers, where these differ."""
    pairs = {
        (file, other) for file in imports() for other in imports()[file] if file.split(".")[0] in CHECKED
    }
    layers = {pair: (layer(pair[0]), layer(pair[1])) for pair in pairs - set(EXCEPTIONS)}
    return {pair: (own, other) for pair, (own, other) in sorted(layers.items()) if own != other}


def is_base(own: str, other: str) -> bool:
    """The files of a package's own folder are for all of it, and `common` is for everybody."""
    return other in {"common", own.partition(".")[0]}


def test_every_folder_has_a_row_and_every_row_a_folder_or_a_file():
    assert not FOLDERS - set(LAYERS)
    assert not set(LAYERS) - FOLDERS - set(imports())


def test_a_file_imports_only_what_its_row_allows():
    assert [
        f"{file} imports {other}"
        for (file, other), (own, theirs) in crossings().items()
        if theirs not in LAYERS[own] and not is_base(own, theirs)
    ] == []


def test_a_row_allows_nothing_that_is_not_used():
    used = set(crossings().values())
    everything = {"experiment.cli", "jobs.commands", "loadtest.cli", "loadtest.commands", "webapp.routes"}
    assert [
        (own, other)
        for own, allowed in LAYERS.items()
        for other in allowed
        if own not in everything and (own, other) not in used
    ] == []


def test_no_rows_of_the_table_form_a_circle():
    assert not circle_in(LAYERS)


def test_an_exception_is_still_needed():
    assert not [pair for pair in EXCEPTIONS if pair[1] not in imports()[pair[0]]]


def test_nothing_imports_the_tests_and_the_tools():
    assert [
        (file, other)
        for file in imports()
        for other in imports()[file]
        if file.split(".")[0] in CHECKED and other.split(".")[0] in {*TOOLS, "tests"}
    ] == []


@pytest.mark.parametrize("root", [*CHECKED, *TOOLS, "tests", "static/js"])
def test_no_folder_holds_more_files_than_a_glance_takes_in(root):
    files = [*(ROOT / root).rglob("*.py"), *(ROOT / root).rglob("*.js")]
    files = [file for file in files if file.name != "__init__.py" and "vendor" not in file.parts]
    counts = {
        folder: sum(file.parent == folder for file in files) for folder in {file.parent for file in files}
    }
    assert {
        str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > MOST_FILES
    } == {}


# Folders of static/js from the bottom up; "" holds what all others use, and main.js starts the page.
SCRIPT_LAYERS = (
    {""},
    {"browser_resize"},
    {"setup"},
    {"matrix"},
    {"results"},
    {"pictures"},
    {"sets"},
    {"inspector", "decide"},
    {"run"},
    {"main.js"},
)


def script_layer(name: str) -> str:
    return name if name == "main.js" else name.rpartition("/")[0]


@pytest.mark.parametrize("name", sorted(script_imports(SCRIPTS)))
def test_a_script_imports_only_from_its_own_folder_and_from_those_below(name):
    own = script_layer(name)
    level = next(at for at, layer in enumerate(SCRIPT_LAYERS) if own in layer)
    below = set().union(*SCRIPT_LAYERS[:level])
    assert {script_layer(each) for each in script_imports(SCRIPTS)[name]} <= {own} | below


def test_every_folder_of_scripts_has_a_layer():
    assert {script_layer(name) for name in script_imports(SCRIPTS)} == set().union(*SCRIPT_LAYERS)
