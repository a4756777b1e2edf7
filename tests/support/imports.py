"""Which files import which, of Python and of the page's scripts, and whether they do so in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "static" / "js"


@cache  # several tests ask for all files
def imported(path: Path) -> frozenset[str]:
    """Dotted names of everything a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def circle_in(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of which each is imported by the next and the last is the first again; none: []."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def python_imports(root: Path, packages: Iterable[str]) -> dict[str, set[str]]:
    """Dotted name of each file -> the files it imports, in functions and for type checkers too."""
    paths = [path for package in packages for path in (root / package).rglob("*.py")]
    files = {".".join(path.relative_to(root).with_suffix("").parts): path for path in paths}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    return {
        importer: {file for name in imported(path) for file in run_by(name, importer, files)} - {importer}
        for importer, path in files.items()
    }


def run_by(name: str, importer: str, files: Container[str]) -> set[str]:
    """The files that importing a dotted name runs: its own, and the folders above that do not run yet."""
    own = name if name in files else name.rpartition(".")[0]
    above = {own.rsplit(".", depth)[0] for depth in range(1, own.count(".") + 1)}
    outside = {folder for folder in above if not importer.startswith(f"{folder}.")}
    return {file for file in {own} | outside if file in files}


def script_imports(root: Path) -> dict[str, set[str]]:
    """Each script below a folder -> those it names outside its comments: imports of both kinds, and workers.

    The types in comments load nothing, and JavaScript has no other place to name them.
    """
    imports = {}
    for path in sorted(root.rglob("*.js")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        named = [(path.parent / name).resolve() for name in re.findall(r'"(\.\.?/[\w./]+\.js)"', code)]
        own = {name.relative_to(root).as_posix() for name in named if name.is_relative_to(root)}
        imports[path.relative_to(root).as_posix()] = own
    return imports
