"""The page's pure modules, tested with Node's own runner, and what lies under static/."""

from __future__ import annotations

import json
import re
import subprocess

from experiment.codec import to_dict
from experiment.wording import sized_name
from tests.support.processes.app_process import ROOT
from tests.support.processes.browser import node
from tests.support.processes.webapp_parts import serving
from tests.support.records import variant
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
