"""python -m loadtest cross-check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "loadtest", "cross-check")


def called(*arguments, **changes):
    environment = {**os.environ, **changes}
    command = [*COMMAND, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tools", "ab,siege"), "siege: the tools are loadgen, ab, wrk, hey, locust, ghz"),
        (("--pairs", "0"), "--pairs"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(arguments, says):
    done = called(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tool_that_is_missing_is_named_in_the_output_and_in_the_result(tmp_path):
    done = called("--tools", "wrk", "--out", str(tmp_path / "out"), PATH="")
    sentence = "wrk is not installed here and was left out. To get it: apt-get install wrk"
    assert done.returncode == 0
    assert sentence in done.stdout
    assert json.loads((tmp_path / "out" / "cross_check.json").read_text())["left_out"] == [sentence]
