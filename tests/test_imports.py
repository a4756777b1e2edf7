"""Imports point one way: webapp -> experiment, and nothing else crosses a folder."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"experiment", "serving", "models", "webapp", "loadtest", "tests", "tools", "bench", "fuzz"}
MAY_IMPORT = {
    "experiment": {"experiment"},
    "webapp": {"webapp", "experiment"},
    "loadtest": {"loadtest", "experiment"},
    "serving": {"serving"},
    "models": {"models"},
}
FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_folder_may(path):
    package = path.relative_to(ROOT).parts[0]
    if path == ROOT / "serving" / "__init__.py":
        return  # takes the stand-in for TensorFlow's Python from experiment/protocol.py, and nothing else
    crossed = {name.split(".")[0] for name in imported(path)} & PACKAGES
    assert crossed <= MAY_IMPORT[package]


WITHOUT_TENSORFLOW = [
    path
    for path in FILES
    if path.relative_to(ROOT).parts[0] not in {"serving", "models"}
    and path.name != "protocol.py"  # the one place that imports the messages, without the runtime
]


@pytest.mark.parametrize("path", WITHOUT_TENSORFLOW, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_serving_and_models_import_tensorflow(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"tensorflow", "tensorflow_serving", "keras"}


@pytest.mark.parametrize("name", ["report", "figures", "export"])
def test_old_measurements_can_be_reported_without_anything_that_measures(name):
    code = f"import sys, experiment.{name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert not {"experiment.run", "experiment.backends", "grpc", "tensorflow", "PIL"} & set(modules)


SHOWS = re.compile(
    r"experiment\.(figures|deciding|html_\w+|export|csv_export|report|report_file)\b"
    "|flask|jinja2|sqlalchemy|gunicorn"
)


@pytest.mark.parametrize(
    "name",
    ["webapp.worker", "webapp.set_worker", "webapp.more_worker", "webapp.browser_job", "experiment.embedded"],
)
def test_what_measures_and_what_supervises_servers_load_nothing_that_shows_results(name):
    code = f"import sys, {name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert name in modules
    assert not [each for each in modules if SHOWS.match(each)]


def test_the_protocol_messages_load_without_tensorflows_runtime():
    code = "import sys, experiment.protocol; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "tensorflow_serving.apis.predict_pb2" in modules
    assert not [name for name in modules if name.startswith("tensorflow.python")]


def test_importing_the_experiment_needs_no_web_framework():
    for path in (ROOT / "experiment").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"flask", "sqlalchemy", "gunicorn"}
