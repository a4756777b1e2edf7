"""The page's pure modules, tested with Node's own runner, and what lies under static/."""

from __future__ import annotations

import json
import re
import subprocess

from experiment.codec import to_dict
from experiment.decide.other_goals import with_goals
from experiment.export.report_json import report_dict
from experiment.photo_sets.goals import set_goals
from experiment.report.goals import candidates_among, goals_of, results_of
from experiment.wording import sized_name
from tests.support.processes.app_process import ROOT
from tests.support.processes.browser import node
from tests.support.processes.webapp_parts import serving
from tests.support.records import variant
from tests.support.set_records import photos, summary
from tools import report_types, vendor


def test_the_pure_modules_of_the_page_pass_their_own_tests():
    files = sorted(map(str, (ROOT / "tests" / "js").glob("*.test.mjs")))
    done = subprocess.run(
        [node(), "--test", *files], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_config_of_these_tests_is_the_servers(tmp_path):
    shown = 'import { CONFIG } from "./tests/js/config.mjs"; console.log(JSON.stringify(CONFIG))'
    command = [node(), "--input-type=module", "--eval", shown]
    config = json.loads(subprocess.check_output(command, text=True, cwd=ROOT, timeout=60))
    with serving(tmp_path) as app:
        served = app.test_client().get("/api/config").json
    assert config.items() <= served.items()


def test_variants_have_the_same_names_on_the_page_and_in_the_report():
    made = [
        variant(64, format_key, quality=quality, subsampling=subsampling, engine=engine, resampler=resampler)
        for format_key, qualities in {"png": [None], "jpeg": [85, 50], "webp": [80], "avif": [65]}.items()
        for quality in qualities
        for subsampling in (None, "4:2:0", "4:4:4")
        for engine, resampler in ((None, "lanczos"), (None, "box"), ("pica", "lanczos"), ("canvas", None))
    ]
    shown = """
      import { variantName } from "./static/js/format.js";
      const variants = JSON.parse(process.argv[1]);
      console.log(JSON.stringify(variants.map(variantName)));
    """
    command = [node(), "--input-type=module", "--eval", shown, json.dumps([to_dict(each) for each in made])]
    names = json.loads(subprocess.check_output(command, text=True, cwd=ROOT, timeout=60))
    assert names == [sized_name(each) for each in made]


JUDGE = """
  import { readFileSync } from "node:fs";
  import { judge } from "./static/js/matrix/judge.js";
  const margins = { photo: 5, labelled: 1, unlabelled: 5 };
  const reports = JSON.parse(readFileSync(0, "utf8"));
  const key = ({ cell }) => `${cell.variant_id} on ${cell.backend_name}`;
  const met = (report) => judge(report, report.plan, margins).filter(({ meets }) => meets).map(key);
  console.log(JSON.stringify(reports.map((report) => met(report).sort())));
"""


def test_the_matrix_judges_cells_as_the_server_does():
    """The same cells meet the goals, whatever they are and wherever copies are made."""
    sample = json.loads((ROOT / "static" / "samples" / "sample-run.json").read_text("utf-8"))
    right = with_true_label(sample, sample["cells"][0]["top"][0]["label"])
    a_set = report_dict(summary(photos(both=40, lost=3)))
    reports = [
        with_goals(report, {"copies": copies, **goals})
        for report in (sample, right, a_set)
        for copies in ("in_advance", "per_request", "client")
        for goals in (
            {},
            {"keep_top1": False},
            {"margin_points": 0.5},
            {"margin_points": 20},
            {"max_p50_ms": 12},
            {"max_size_bytes": 20_000, "keep_top1": False},
        )
    ]
    command = [node(), "--input-type=module", "--eval", JUDGE]
    done = subprocess.run(
        command, input=json.dumps(reports), capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    told = [met_by(report) for report in reports]
    assert json.loads(done.stdout) == told
    assert len({tuple(each) for each in told}) > 5  # the goals do choose


def with_true_label(report: dict, label: str) -> dict:
    """As if this label had been given: right where it is the top answer."""
    cells = [
        {**cell, "correct_top1": cell["top"][0]["label"] == label if cell["top"] else None}
        for cell in report["cells"]
    ]
    return {**report, "source": {**report["source"], "true_label": label}, "cells": cells}


def met_by(report: dict) -> list[str]:
    """The cells that meet all goals of the report's plan."""
    results, photo_set = results_of(report), report.get("photo_set")
    goals = (
        set_goals(results.plan, photo_set["labelled"] > 0)
        if photo_set
        else goals_of(results.plan, results.true_label, False)
    )
    return sorted(
        f"{each.variant.id} on {each.backend.name}"
        for each in candidates_among(results)
        if all(goal.is_met(each) for goal in goals)
    )


def test_vendored_files_are_those_that_versions_names():
    assert vendor.VERSIONS.read_text("utf-8") == vendor.versions_text()


def test_the_style_rules_of_plotly_are_those_of_its_script():
    script = (vendor.STATIC / "vendor" / "plotly-basic.min.js").read_text("utf-8")
    assert (vendor.STATIC / "vendor" / "plotly.css").read_text("utf-8") == vendor.plotly_css(script)


def test_the_types_of_the_report_are_those_of_its_schema():
    assert report_types.TYPES.read_text("utf-8") == report_types.text(), (
        "run: .venv/bin/python -m tools.report_types"
    )


def test_every_selector_of_the_page_is_in_its_template():
    template = (ROOT / "templates" / "index.html").read_text("utf-8")
    script = (ROOT / "static" / "js" / "dom.js").read_text("utf-8")
    selectors = script[script.index("SELECTORS = {") : script.index("};")]
    for name in re.findall(r'"#([a-z0-9-]+)"', selectors):
        assert f'id="{name}"' in template, name


def test_no_script_or_template_writes_markup_or_inline_style():
    for path in [*ROOT.glob("static/js/**/*.js"), *ROOT.glob("templates/*.html")]:
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path
        assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+)=", text), path
