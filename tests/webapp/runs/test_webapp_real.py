"""The web process with the real timing process and a real model server."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from PIL import Image

from experiment.export.report_json import SCHEMA
from tests.support.processes.app_process import CAT
from tests.support.processes.serving_process import start_server
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import NOWHERE
from webapp.worker.process import WORKER_COMMAND

PLAN = json.dumps({"sizes_px": [128, 64], "repeats": 8, "warmups": 1})
REQUESTS = 5 * 9  # original and two sizes in two formats; warm-up and repeats; to each backend


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, default_model: Path) -> Iterator[WebProcess]:
    """One server that is there, and one that is not."""
    folder = tmp_path_factory.mktemp("web")
    with start_server("--cores", "0", model_dir=default_model) as server:
        servers = {"TF_SERVERS": f"Real:{server.grpc_address};Down:{NOWHERE}"}
        with web_process(folder, worker_command=WORKER_COMMAND, **servers) as web:
            yield web


@pytest.fixture(scope="module")
def run_id(web: WebProcess) -> str:
    """A finished run of the sample cat."""
    found: str = web.post("cat.png", PLAN, CAT.read_bytes()).json()["id"]
    web.finished(found)
    return found


def streamed(web: WebProcess, run_id: str) -> list[tuple[str, dict[str, Any]]]:
    found, kind = [], ""
    for line in web.get(f"/api/runs/{run_id}/events").text.splitlines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((kind, json.loads(line.removeprefix("data: "))))
    return found


def test_a_run_with_one_backend_down_is_complete_for_the_other(web: WebProcess, run_id: str) -> None:
    report = web.finished(run_id)
    jsonschema.validate(report, SCHEMA)
    assert report["state"] == "done"
    requests = report["requests"]
    assert requests == {"planned": REQUESTS, "done": REQUESTS, "failed": 0, "not_sent": 0}
    cells = [cell for cell in report["cells"] if cell["backend_name"] == "Down"]
    assert all(cell["count"] == cell["failures"] == cell["not_sent"] == 0 for cell in cells)
    notes = [each["message"] for each in report["warnings"] if each["code"] == "W8"]
    assert len(notes) == 1 and notes[0].startswith("Down was left out: ")
    assert {(cell["count"], cell["failures"]) for cell in report["cells"] if cell not in cells} == {(8, 0)}
    assert report["recommendation"]["backend_name"] == "Real"


def test_a_backend_that_refuses_and_is_named_is_tried_once(web: WebProcess) -> None:
    plan = json.dumps({**json.loads(PLAN), "backend_names": ["Down", "Real"]})
    report = web.finished(web.post("cat.png", plan, CAT.read_bytes()).json()["id"])
    sent = {"planned": 2 * REQUESTS, "done": 2 * REQUESTS, "failed": 1, "not_sent": REQUESTS - 1}
    assert report["requests"] == sent
    cells = [cell for cell in report["cells"] if cell["backend_name"] == "Down"]
    assert all(cell["count"] == 0 and cell["failures"] + cell["not_sent"] == 8 for cell in cells)
    assert {each["code"] for cell in cells for each in cell["failure_reasons"]} == {"not_sent", "unreachable"}
    assert [each["code"] for each in report["warnings"] if "Down" in each["message"]] == ["W8"]


def test_every_sample_that_was_streamed_is_in_the_report(web: WebProcess, run_id: str) -> None:
    report = web.finished(run_id)
    in_stream = [
        round(data["latency_ms"], 3)
        for kind, data in streamed(web, run_id)
        if kind == "measurement" and not data["is_warmup"] and data["prediction"]
    ]
    in_report = [
        sample for cell in report["cells"] for sample in (*cell["samples_ms"], *cell["disturbed_samples_ms"])
    ]
    assert sorted(in_stream) == sorted(in_report)


def test_all_scores_are_compared_though_streams_do_not_carry_them(web: WebProcess, run_id: str) -> None:
    cells = [cell for cell in web.finished(run_id)["cells"] if cell["backend_name"] == "Real"]
    assert all(cell["js_distance"] is not None for cell in cells)
    assert cells[0]["js_distance"] == 0.0  # the original against itself


def test_the_bytes_kept_are_those_that_were_sent(web: WebProcess, run_id: str) -> None:
    report = web.finished(run_id)
    with zipfile.ZipFile(io.BytesIO(web.get(f"/api/runs/{run_id}.zip").content)) as archive:
        zipped = {name.split(".")[0]: archive.read(name) for name in archive.namelist()}
    for variant in report["variants"]:
        served = web.get(f"/api/runs/{run_id}/variants/{variant['id']}").content
        assert hashlib.sha256(served).hexdigest() == variant["sha256"]
        assert zipped[variant["id"]] == served
    original = zipped["original"]
    assert report["variants"][0]["encoder"] == "as uploaded, without metadata"
    assert len(original) < report["source"]["size_bytes"] == CAT.stat().st_size
    assert Image.open(io.BytesIO(original)).tobytes() == Image.open(CAT).tobytes()


def test_the_html_report_is_a_page_of_its_own(web: WebProcess, run_id: str) -> None:
    page = web.get(f"/api/runs/{run_id}.html")
    assert "attachment" in page.headers["Content-Disposition"]
    assert len(page.content) < 1_600_000
    assert 'src="http' not in page.text


def test_readiness_needs_one_backend_that_answers(web: WebProcess) -> None:
    answer = web.get("/readyz").json()
    assert answer == {"status": "ready", "backends": {"Real": "ready", "Down": "down"}}


def test_the_2018_interface_leaves_out_the_server_that_is_down(web: WebProcess) -> None:
    with CAT.open("rb") as photo:
        answer = requests.post(f"{web.url}/upload", files={"file": ("cat.png", photo)}, timeout=120)
    (file,) = answer.json()["files"]
    assert file["server_names"] == ["Real"]
    assert file["sizes"] == ["Orig. 451x300", "256x256", "128x128"]
    precisions = [each["average_precision"] for each in file["derivatives"].values()]
    assert precisions[0] == 100.0
    assert all(0 <= each <= 100 for each in precisions)


def test_a_truncated_photo_is_refused_and_no_run_is_left(web: WebProcess) -> None:
    before = web.get("/api/runs").json()
    answer = web.post("half.png", PLAN, CAT.read_bytes()[:100_000])
    assert (answer.status_code, answer.json()["code"]) == (422, "truncated")
    assert web.get("/api/runs").json() == before


def test_a_cancelled_run_keeps_what_was_measured(web: WebProcess) -> None:
    plan = json.dumps({"sizes_px": [128], "repeats": 300, "backend_names": ["Real"]})
    run_id = web.post("cat.png", plan, CAT.read_bytes()).json()["id"]
    while web.get(f"/api/runs/{run_id}").json()["requests"]["done"] < 20:
        pass
    requests.delete(f"{web.url}/api/runs/{run_id}", timeout=30)
    report = web.finished(run_id)
    assert report["state"] == "cancelled"
    assert 20 <= report["requests"]["done"] < report["requests"]["planned"]
    assert report["environment"]["heartbeat_max_ms"] is not None
