"""Imports point one way: webapp -> loadtest -> experiment, all -> common; and no files form a circle."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.imports import SCRIPTS, circle_in, imported, python_imports, script_imports

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "common",
    "experiment",
    "loadtest",
    "serving",
    "models",
    "webapp",
    "tests",
    "tools",
    "bench",
    "fuzz",
}
MAY_IMPORT = {
    "common": {"common"},
    "loadtest": {"loadtest", "experiment", "common"},
    "experiment": {"experiment", "common"},
    "webapp": {"webapp", "experiment", "loadtest", "common"},  # its worker alone, says test_layers.py
    "serving": {"serving", "common"},
    "models": {"models", "common"},
}
FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


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


@pytest.mark.parametrize(
    "name",
    [
        "report.summarise",
        "report.method",
        "figures",
        "decide",
        "decide.other_goals",
        "export.report_json",
        "export.import_report",
    ],
)
def test_old_measurements_can_be_reported_without_anything_that_measures(name):
    code = f"import sys, experiment.{name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert not {"experiment.measure.run", "experiment.backends.base", "grpc", "tensorflow", "PIL"} & set(
        modules
    )


SHOWS = re.compile(
    r"experiment\.(figures|decide|export|report\.(method|summarise))\b"
    "|flask|werkzeug|jinja2|sqlalchemy|gunicorn|plotly|argparse|html"
)


@pytest.mark.parametrize(
    "name",
    [
        "webapp.worker.__main__",
        "webapp.worker.photo_set",
        "webapp.worker.follow_up",
        "webapp.worker.browser",
        "experiment.embedded.supervisor",
    ],
)
def test_what_measures_and_what_supervises_servers_load_nothing_that_shows_results(name):
    code = f"import sys, {name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert name in modules
    assert not [each for each in modules if SHOWS.match(each)]


@pytest.mark.parametrize(
    "name",
    ["experiment.export.import_report", "experiment.export.report_json", "webapp.worker.import_report"],
)
def test_what_reads_an_exported_report_loads_nothing_that_writes_html(name):
    code = f"import sys, {name}; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert name in modules
    assert not {"jinja2", "experiment.export.report_html", "experiment.export.report_csv"} & set(modules)


def test_the_protocol_messages_load_without_tensorflows_runtime():
    code = "import sys, experiment.protocol; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "tensorflow_serving.apis.predict_pb2" in modules
    assert not [name for name in modules if name.startswith("tensorflow.python")]


@pytest.mark.parametrize("path", sorted((ROOT / "common").glob("*.py")), ids=lambda path: path.name)
def test_what_all_folders_share_depends_on_nothing_but_python(path):
    if path.name != "otlp.py":  # loaded only if traces are on: the next test
        assert {name.split(".")[0] for name in imported(path)} <= {*sys.stdlib_module_names, "common"}


def test_only_one_file_imports_opentelemetry_and_no_file_imports_that_one():
    folders = (*MAY_IMPORT, "httpserver", "gateway", "jobs")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = {path.relative_to(ROOT).as_posix(): " ".join(imported(path)) for path in paths}
    assert [path for path, names in named.items() if "opentelemetry" in names] == ["common/otlp.py"]
    assert [path for path, names in named.items() if "common.otlp" in names] == []


def test_importing_the_experiment_needs_no_web_framework():
    for path in (ROOT / "experiment").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"flask", "sqlalchemy", "gunicorn"}


def test_no_python_files_import_each_other_in_a_circle():
    imports = python_imports(ROOT, PACKAGES)
    assert "webapp.worker.large_photos" in imports["webapp.worker.__main__"]
    assert not circle_in(imports)


def test_no_test_imports_from_another_test():
    imports = python_imports(ROOT, ["tests"])
    tests = {name for name in imports if name.rpartition(".")[2].startswith("test_")}
    assert "tests.support.imports" in imports["tests.project.test_imports"]
    assert [(name, other) for name in sorted(tests) for other in sorted(imports[name] & tests)] == []


def test_no_two_folders_of_a_package_import_each_other():
    files = python_imports(ROOT, PACKAGES)
    packages = {name.rpartition(".")[0] for name in files}
    folder = {name: name if name in packages else name.rpartition(".")[0] for name in files}
    folders: dict[str, set[str]] = {}
    for name, names in files.items():
        folders.setdefault(folder[name], set()).update({folder[other] for other in names} - {folder[name]})
    below = {
        name: {other for other in others if "." in other} for name, others in folders.items() if "." in name
    }
    assert "experiment.figures" in below["experiment.decide"]
    assert not circle_in(below)


def test_no_scripts_of_the_page_import_each_other_in_a_circle():
    imports = script_imports(SCRIPTS)
    assert {"results/result.js", "browser_resize/browser_resize.js"} <= imports["run/run.js"]
    assert not circle_in(imports)


@pytest.mark.parametrize("way", ["from p import b", "import p.b", "def f():\n    from p.b import f"])
def test_a_circle_of_python_files_is_found(tmp_path, way):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").touch()
    (tmp_path / "p" / "a.py").write_text(way)
    (tmp_path / "p" / "b.py").write_text("import q")
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "__init__.py").write_text("from p.a import f")
    assert set(circle_in(python_imports(tmp_path, ["p", "q"]))) == {"p.a", "p.b", "q"}


def test_a_circle_of_scripts_is_found(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a.js").write_text('import { b } from "./x/b.js";')
    (tmp_path / "x" / "b.js").write_text('/** @param {import("../d.js").D} d */ await import("../y/c.js");')
    (tmp_path / "y" / "c.js").write_text('new Worker(new URL("../a.js", import.meta.url));')
    (tmp_path / "d.js").write_text('export * from "./a.js";')
    assert set(circle_in(script_imports(tmp_path))) == {"a.js", "x/b.js", "y/c.js"}
