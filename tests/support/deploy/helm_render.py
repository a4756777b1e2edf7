"""The chart, rendered by Helm's own Go code.

That code comes as a library in the package helm-python-sdk. It starts Go's runtime with threads and signal
handlers, so it has a process of its own: `render` starts this file, once for a whole table of values.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy" / "helm" / "pixelcost"


def render(table: Mapping[str, Mapping[str, Any]]) -> dict[str, str | list[dict[str, Any]]]:
    """For each row of values the objects, or the text of Helm's refusal."""
    command = [sys.executable, "-m", "tests.support.deploy.helm_render"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(table), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return {name: answer if isinstance(answer, str) else _objects(answer) for name, answer in answers.items()}


def _objects(files: Mapping[str, str]) -> list[dict[str, Any]]:
    texts = [text for name, text in files.items() if not name.endswith("NOTES.txt")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def _main() -> None:
    from helm_python import Chart, HelmError, chart

    report = chart.lint(CHART, strict=True)
    assert not report["errors"], report
    answers: dict[str, Any] = {}
    with Chart.load(CHART) as loaded:
        for name, values in json.load(sys.stdin).items():
            try:
                loaded.validate_schema(values)
                answers[name] = loaded.render(values=values, name="pixelcost", namespace="pixelcost")
            except HelmError as error:
                answers[name] = str(error)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    _main()
