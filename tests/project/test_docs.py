"""README and friends tell the truth about commands, settings, routes and files."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from experiment.cli.main import _parser
from tools import catalogue_table, definitions_table, flags_table
from tools.settings_table import END, START, table
from webapp import create_app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/*.md")])
README = (ROOT / "README.md").read_text("utf-8")


def test_the_settings_table_is_that_of_the_code():
    shown = README.split(START)[1].split(END)[0]
    assert shown == table(), "run: .venv/bin/python -m tools.settings_table"


def test_the_tables_of_flags_are_those_of_the_model_server():
    shown = flags_table.DOCUMENT.read_text("utf-8").split(flags_table.START)[1].split(flags_table.END)[0]
    assert shown == flags_table.tables(), "run: .venv/bin/python -m tools.flags_table"


def test_the_catalogue_is_that_of_the_code():
    shown = catalogue_table.DOCUMENT.read_text("utf-8").split(catalogue_table.START)[1]
    assert shown.split(catalogue_table.END)[0] == catalogue_table.table(), (
        "run: .venv/bin/python -m tools.catalogue_table"
    )


def test_the_definitions_are_those_that_the_page_and_the_html_report_print():
    shown = definitions_table.DOCUMENT.read_text("utf-8").split(definitions_table.START)[1]
    assert shown.split(definitions_table.END)[0] == definitions_table.table(), (
        "run: .venv/bin/python -m tools.definitions_table"
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z]+)`", path.read_text("utf-8"))) <= targets


def test_every_option_of_the_command_line_in_the_readme_exists():
    known = {option for action in _parser()._actions for option in action.option_strings}
    for line in re.findall(r"python -m experiment (.*)", README):
        assert set(re.findall(r"--[a-z-]+", line)) <= known


def test_the_routes_in_the_readme_are_those_of_the_app(tmp_path):
    app = create_app()
    rules = {
        re.sub(r"<[^>]+>", "<>", rule.rule) for rule in app.url_map.iter_rules() if rule.endpoint != "static"
    }
    table_rows = README.split("| route | does |")[1].split("\n\n")[0]
    documented = {
        re.sub(r"<[^>]+>", "<>", path.split("?")[0]) for path in re.findall(r"(/[^`\s]*|/)`", table_rows)
    }
    suffixes = {f"/api/runs/<>{suffix}" for suffix in (".json", ".csv", ".html", ".zip")}
    assert documented <= rules
    assert rules - suffixes <= documented | {"/api/runs/<>.<>"}


def test_no_path_of_a_developers_machine_is_in_the_project():
    files = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
    ).split("\n")
    for name in filter(None, files):
        path = ROOT / name
        if path.suffix in {".png", ".npz", ".js"} or not path.is_file():
            continue
        assert not re.search(r"(?<![\w.])/(home|root|work|Users)/\w", path.read_text("utf-8", "replace")), (
            name
        )


def test_locks_carry_hashes_and_no_addresses():
    for path in ROOT.glob("requirements/*.txt"):
        text = path.read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index-url" not in text and "--find-links" not in text


def test_the_lock_of_the_tools_for_scripts_carries_hashes_and_no_addresses():
    text = (ROOT / "package-lock.json").read_text("utf-8")
    assert "://" not in text and '"resolved"' not in text
    for name, package in json.loads(text)["packages"].items():
        assert not name or package["integrity"].startswith("sha512-"), name
