"""A model that changes in the middle of a run: the report names both versions, and from which request on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

import experiment
from experiment.backends.grpc import GrpcBackend
from tests.support.processes.app_process import CAT
from tests.support.processes.serving_process import ROOT, default_model_dir, start_server
from tests.support.records import answered, backend, report

STEADY_MS = [20.0] * 20


def told(made: Any) -> list[str]:
    return [each.message for each in made.warnings if each.code == "W24"]


def of_version(version: int | None, number: int, name: str = "8 CPU") -> list[Any]:
    """Answers of one version."""
    return [
        replace(each, backend_name=name, prediction=replace(each.prediction, model_version=version))
        for each in answered([20.0] * number)
    ]


def test_a_run_of_one_version_and_one_whose_server_names_none_are_not_warned_of():
    assert told(report(backends=(backend(version=3),), measurements=of_version(3, 20))) == []
    assert told(report(backends=(backend(version=3),), measurements=of_version(None, 20))) == []


def test_both_versions_are_named_and_from_which_request_on():
    made = report(backends=(backend(),), measurements=[*of_version(1, 12), *of_version(2, 8)])
    assert told(made) == [
        "The model of 8 CPU changed in the middle: version 1 answered up to request 12 of 20, version 2 from "
        "request 13 on. Figures and answers mix both. Measure again, now that it serves one."
    ]


def test_replicas_with_different_versions_are_told_from_one_change():
    made = report(
        backends=(backend(),), measurements=[*of_version(1, 2), *of_version(2, 1), *of_version(1, 17)]
    )
    assert told(made)[0].startswith(
        "8 CPU answered 20 requests with versions 1 (first at request 1) and 2 (first at request 3) of its "
        "model, in turns: its replicas serve different ones"
    )


def test_a_model_that_changed_before_the_first_request_is_told_since_the_report_names_the_old_one():
    made = report(backends=(backend(version=1),), measurements=of_version(2, 20))
    assert told(made) == [
        "8 CPU served version 1 of its model when the run was prepared, and all answers are of version 2: "
        "its model changed in between."
    ]


def test_the_same_server_over_rest_is_named_too_since_it_can_not_tell():
    infos = (
        backend(address="tf:8500"),
        backend("8 CPU over REST", protocol="rest", address="tf:8501"),
        backend("1 CPU over REST", protocol="rest", address="other:8501"),
    )
    made = report(backends=infos, measurements=[*of_version(1, 12), *of_version(2, 8)])
    assert told(made)[0].endswith("So may 8 CPU over REST, as answers over REST name no version.")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder of versions that holds the default model as 1."""
    shutil.copytree(default_model_dir() / "1", tmp_path / "models" / "1")
    return tmp_path / "models"


def test_a_real_server_that_switches_in_the_middle_of_a_run_is_warned_of(base, tmp_path, monkeypatch):
    """The next export is installed as a pipeline would do it, and the server finds it by itself."""
    export = tmp_path / "export"
    shutil.copytree(base, export)
    (export / "1" / "assets.extra" / "of_the_next_training").write_text("2")
    predict, asked = GrpcBackend.predict, 0
    with start_server("--file_system_poll_wait_seconds=1", model_dir=base) as server:

        def counted(self: GrpcBackend, *arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == 6:
                command = [sys.executable, "-m", "models.install", str(export), str(base)]
                subprocess.run(command, cwd=ROOT, check=True, timeout=60)
                until_only(server.rest_url, "2")
            return predict(self, *arguments)

        monkeypatch.setattr(GrpcBackend, "predict", counted)
        plan = {"sizes_px": [64], "formats": ["jpeg"], "repeats": 5, "warmups": 1}
        made = experiment.measure_photo(CAT, plan, servers=f"A:{server.grpc_address}")
    assert [each["message"] for each in made["warnings"] if each["code"] == "W24"] == [
        f"The model of A changed in the middle: version 1 answered up to request 5 of {asked}, version 2 "
        "from request 6 on. Figures and answers mix both. Measure again, now that it serves one."
    ]
    assert "W10" not in {each["code"] for each in made["warnings"]}, "and no request was lost"


def until_only(model_url: str, version: str) -> None:
    """Wait until a server answers with that version."""
    deadline = time.monotonic() + 60
    while True:
        rows = requests.get(model_url, timeout=10).json()["model_version_status"]
        if [row["version"] for row in rows if row["state"] == "AVAILABLE"] == [version]:
            return
        assert time.monotonic() < deadline, rows
        time.sleep(0.05)
