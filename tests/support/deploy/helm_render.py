"""The chart, rendered by the real Helm 4 and Helm 3, which have to agree.

Each set of values goes to every Helm that is there: `lint --strict`, `template`, `install --dry-run=client`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.deploy.api_server import api_server
from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, helms

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy" / "helm" / "pixelcost"
RELEASE = ("pixelcost", str(CHART), "--namespace=pixelcost")

Objects = list[dict[str, Any]]
Answer = str | Objects  # the text of a refusal, or objects


def render(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Answer]:
    """For each row of values the objects, or the text of Helm's refusal. Skips the test where no Helm is."""
    if not helms():
        pytest.skip(HOW_TO_GET_THEM)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        answers = dict(zip(table, threads.map(_agreed, table, table.values()), strict=True))
        objects = {name: answer for name, answer in answers.items() if not isinstance(answer, str)}
        with api_server(chain.from_iterable(objects.values())) as address:
            rows = [(name, table[name], made, address) for name, made in objects.items()]
            list(threads.map(lambda row: _install(*row), rows))
    return answers


def _agreed(name: str, values: Mapping[str, Any]) -> Answer:
    first, *others = [_answer(helm, values) for helm in helms()]
    for other in others:
        assert _comparable(first) == _comparable(other), f"{name}: Helm 4 says {first}, Helm 3 {other}"
    return first


def _answer(helm: str, values: Mapping[str, Any]) -> Answer:
    done = run(helm, "template", *RELEASE, "--values=-", values=values)
    if done.returncode:
        return done.stderr
    linted = run(helm, "lint", "--strict", str(CHART), "--namespace=pixelcost", "--values=-", values=values)
    return read_objects(done.stdout) if linted.returncode == 0 else linted.stdout


def read_objects(text: str) -> Objects:
    """The objects of a rendered text; a template that rendered nothing leaves none."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def _comparable(answer: Answer) -> object:
    """Objects in any order. Of a refusal the first line: how a schema's findings are put differs."""
    return answer.partition("\n")[0] if isinstance(answer, str) else sorted(answer, key=str)


def _install(name: str, values: Mapping[str, Any], objects: Objects, address: str) -> None:
    """What every Helm would install are these objects, and every Helm says the same about them."""
    releases = [dry_run(helm, address, values) for helm in helms()]
    for release in releases:
        hooks = [read_objects(each["manifest"]) for each in release.get("hooks", ())]
        made = [*read_objects(release["manifest"]), *chain.from_iterable(hooks)]
        assert _comparable(made) == _comparable(objects), f"{name}: install makes other objects than template"
    notes = {release["info"]["notes"] for release in releases}
    assert len(notes) == 1, f"{name}: {notes}"


def dry_run(helm: str, address: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The release that Helm would make. Helm 3 asks the API server at `address` which kinds it knows."""
    asks = (f"--kube-apiserver={address}", "--disable-openapi-validation")
    done = run(
        helm,
        "install",
        *RELEASE,
        "--dry-run=client",
        "--output=json",
        *asks,
        "--values=-",
        values=values,
    )
    assert done.returncode == 0, done.stderr
    release: dict[str, Any] = json.loads(done.stdout)
    return release


def run(
    helm: str, *arguments: str, values: Mapping[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command of Helm, with nobody's settings, plugins or cluster; `values` by standard input."""
    with tempfile.TemporaryDirectory() as folder:
        homes = {f"HELM_{kind}_HOME": folder for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [helm, *arguments],
            env={"PATH": os.defpath, "HOME": folder, **homes},
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
