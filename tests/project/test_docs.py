"""README and friends tell the truth about commands, settings, routes and files."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import experiment
from bench.study import page as findings
from bench.study.tables import read
from experiment.check.budget import budget_of
from experiment.cli import check
from experiment.cli.main import _parser
from jobs import commands as of_jobs
from loadtest import commands as of_loads
from tests.support.load.command_line import known_options
from tools import tables
from webapp import create_app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/*.md")])
PROGRAMS = {"loadtest": of_loads.COMMANDS, "jobs": of_jobs.COMMANDS}
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_stays_short():
    assert README.count("\n") <= 100, "the details belong into docs/"


def test_the_figures_in_the_readme_are_those_of_the_findings():
    shown, unknown = findings.renewed(README, read(ROOT / "docs" / "findings"))
    assert not unknown
    assert shown == README, "write what docs/findings.md says between the marks"


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_table_is_that_of_the_code(name):
    page = tables.TABLES[name][0].read_text("utf-8")
    assert page == tables.renewed(page, name), "run: .venv/bin/python -m tools.tables"


def anchors(path: Path) -> set[str]:
    """The places in a page that a link may name after a #, as GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path):
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", path.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z]+)`", path.read_text("utf-8"))) <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_of_the_command_line_that_is_shown_exists(path):
    parsers = {False: _parser(), True: check._parser()}
    known = {
        is_check: {option for action in parser._actions for option in action.option_strings}
        for is_check, parser in parsers.items()
    }
    text = path.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"python -m experiment (.*)", text):
        assert set(re.findall(r"(?<![\w-])--[a-z0-9-]+", line)) <= known[line.startswith("check ")], line


def test_the_budget_and_the_jobs_for_ci_can_be_read():
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    (budget,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert {*budget_of(budget).blocks[1].goals} == {"max_p50_ms", "max_p90_ms", "max_size_bytes"}
    github, gitlab = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    steps = [step.get("run", "") for step in github["jobs"]["check"]["steps"]]
    for script in (steps, gitlab["pictures"]["script"]):
        assert sum("python -m experiment check" in line for line in script) == 1
        assert any("python -m serving" in line for line in script)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_of_a_command_that_is_shown_exists(path, program):
    options = known_options(PROGRAMS[program])
    text = path.read_text("utf-8").replace("\\\n", " ")
    for name, line in re.findall(rf"python -m {program} ([a-z_-]+)([^`|\n]*)", text):
        assert set(re.findall(r"(?<![\w-])--[a-z0-9-]+", line)) <= options[name], line


def test_the_names_for_notebooks_are_those_of_the_package():
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    rows = page.split("| name | does |")[1].split("\n\n")[0]
    names = " ".join(row.split("|")[1] for row in rows.splitlines() if row.startswith("| `"))
    assert set(re.findall(r"`(\w+)", names)) == set(experiment.NAMES)


def test_the_documented_routes_are_those_of_the_app():
    app = create_app()
    rules = {
        re.sub(r"<[^>]+>", "<>", rule.rule) for rule in app.url_map.iter_rules() if rule.endpoint != "static"
    }
    page = (ROOT / "docs" / "http-api.md").read_text("utf-8")
    table_rows = page.split("| route | does |")[1].split("\n\n")[0]
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


def test_decisions_stand_under_twelve_headings_and_take_at_most_six_lines():
    headings = re.split(r"^## .+\n", (ROOT / "DECISIONS.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(headings) == 1 + 12
    for entry in re.split(r"\n{2,}", "\n".join(headings[1:]).strip()):
        lines = entry.split("\n")
        assert lines[0].startswith("**"), entry
        assert len(lines) <= 6 and max(map(len, lines)) <= 135, entry


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_script_that_is_named_exists(path):
    theirs = {"tensorflow_model_server_test.py", "e2e_throughput.py"}  # of TensorFlow and Cluster Serving
    named = set(re.findall(r"`((?:[\w.]+/)*\w+\.(?:py|js|mjs|sh))`", path.read_text("utf-8"))) - theirs
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")
    assert not [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in tracked)]
