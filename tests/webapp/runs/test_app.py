"""The app as a user starts it: embedded backends, a run by curl, a crash, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import jsonschema
import pytest
import requests

from experiment.export.report_json import SCHEMA
from tests.support.processes.app_process import CAT, ROOT, App, children_of, free_port, is_alive, running_app

SMALL = {"sizes_px": [64, 32], "repeats": 8, "warmups": 1}


def test_it_lists_the_embedded_backends_and_says_that_there_is_no_gpu(app):
    backends = app.backends()
    assert {"1 CPU", "8 CPU"} <= set(backends)
    assert backends["1 CPU"]["embedded"]
    assert len(backends["1 CPU"]["cores"]) == 1
    if backends["GPU"]["state"] == "absent":
        assert backends["GPU"]["detail"] == "No GPU on this machine."


def test_a_photo_sent_as_a_form_gives_a_report_that_fits_the_schema(app):
    answer = app.post_run(CAT.read_bytes(), json.dumps(SMALL))
    assert answer.status_code == 202
    run_id = answer.json()["id"]
    assert answer.headers["Location"] == f"/api/runs/{run_id}"
    report = app.finished(run_id)
    jsonschema.validate(report, SCHEMA)
    assert report["state"] == "done"
    assert report["requests"] == {"planned": 90, "done": 90, "failed": 0, "not_sent": 0}
    present = {row["name"] for row in report["backends"] if row["state"] != "absent"}
    assert {cell["count"] for cell in report["cells"] if cell["backend_name"] in present} == {8}
    assert report["recommendation"]["sentence"].startswith(("For this photo: ", "Provisional: "))


def test_the_cat_is_called_a_cat_and_decoding_is_told_from_inference(app):
    report = app.finished(app.post_run(CAT.read_bytes(), json.dumps(SMALL)).json()["id"])
    reference = next(cell for cell in report["cells"] if cell["variant_id"] == "original" and cell["count"])
    assert "cat" in reference["top"][0]["label"].lower()
    assert {"queue", "decode", "inference"} <= set(reference["server_ms"])


def test_every_export_of_a_run_can_be_fetched(app):
    run_id = app.post_run(CAT.read_bytes(), json.dumps(SMALL)).json()["id"]
    app.finished(run_id)
    for suffix, media_type in ((".json", "json"), (".csv", "csv"), (".html", "html"), (".zip", "zip")):
        response = requests.get(f"{app.url}/api/runs/{run_id}{suffix}", timeout=30)
        assert response.status_code == 200, suffix
        assert media_type in response.headers["Content-Type"]


def test_the_2018_interface_answers_with_its_own_keys(app):
    with CAT.open("rb") as photo:
        answer = requests.post(f"{app.url}/upload", files={"file": ("cat.png", photo)}, timeout=120).json()
    [file] = answer["files"]
    assert {"filename", "content_type", "filesize", "server_names", "sizes", "derivatives"} <= set(file)
    reference = next(each for each in file["derivatives"].values() if each["resized"] == "Reference")
    prediction = reference["predictions"]["1 CPU"]
    assert {"results", "predict_duration", "total_duration", "precision"} == set(prediction)


def test_killing_one_backend_in_mid_run_costs_only_its_own_cells(app):
    plan = {"sizes_px": [256, 128, 64, 32], "repeats": 60, "warmups": 1}
    run_id = app.post_run(CAT.read_bytes(), json.dumps(plan)).json()["id"]
    while app.report(run_id)["requests"]["done"] < 100:
        time.sleep(0.05)
    os.kill(app.backends()["1 CPU"]["pid"], signal.SIGKILL)
    report = app.finished(run_id)
    assert report["state"] == "done"
    by_backend = {
        name: [cell for cell in report["cells"] if cell["backend_name"] == name]
        for name in ("1 CPU", "8 CPU")
    }
    assert {(cell["count"], cell["failures"]) for cell in by_backend["8 CPU"]} == {(60, 0)}
    assert sum(cell["failures"] for cell in by_backend["1 CPU"]) > 0
    reasons = [reason for cell in by_backend["1 CPU"] for reason in cell["failure_reasons"]]
    assert {reason["code"] for reason in reasons} <= {"unreachable", "not_sent"}
    deadline = time.monotonic() + 60
    while app.backends()["1 CPU"]["state"] != "ready":
        assert time.monotonic() < deadline, app.backends()["1 CPU"]
        time.sleep(0.2)


def test_sigterm_ends_every_process_and_runs_survive_a_restart(tmp_path, default_model):
    with running_app(tmp_path, MODEL_BASE_PATH=str(default_model)) as app:
        run_id = app.post_run(CAT.read_bytes(), json.dumps(SMALL)).json()["id"]
        before = app.finished(run_id)
        children = children_of(app.process.pid)
        assert len(children) >= 4
        assert app.stop() == 0
    assert not [pid for pid in children if is_alive(pid)]
    with running_app(tmp_path, MODEL_BASE_PATH=str(default_model)) as app:
        assert app.report(run_id) == before


def test_no_process_outlives_a_killed_app(tmp_path, default_model):
    with running_app(tmp_path, MODEL_BASE_PATH=str(default_model)) as app:
        children = children_of(app.process.pid)
        app.process.kill()
        app.process.wait()
        deadline = time.monotonic() + 20
        while alive := [pid for pid in children if is_alive(pid)]:
            assert time.monotonic() < deadline, alive
            time.sleep(0.1)


SUPERVISED = ("-m", "webapp")
ALONE = ("-m", "gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()")  # as in the containers


def failed_start(command: Sequence[str] = SUPERVISED, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        check=False,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    return done.stderr


def test_three_mistakes_in_the_settings_are_named_at_once_before_anything_starts(tmp_path):
    said = failed_start(
        PIXELCOST_DATA_DIR=str(tmp_path),
        TF_SERVERS="GPU:tf-gpu;a:h:1;a:h:2",
        TF_REQUEST_TIMEOUT="soon",
        PORT="none",
    )
    assert "Pixelcost can't start. The configuration has 4 problems" in said
    for words in ("has no port", "repeats the name `a`", "TF_REQUEST_TIMEOUT", "PORT"):
        assert words in said


def test_a_model_folder_without_a_model_is_named(tmp_path):
    said = failed_start(
        PIXELCOST_DATA_DIR=str(tmp_path), MODEL_BASE_PATH=str(tmp_path), PORT=str(free_port())
    )
    assert f"MODEL_BASE_PATH={tmp_path} holds no model" in said


def test_a_port_in_use_is_said_at_once(app, tmp_path):
    assert f"Port {app.port} on 127.0.0.1 can't be used" in failed_start(PORT=str(app.port))


def test_a_second_app_in_the_same_data_folder_is_refused(app):
    said = failed_start(PIXELCOST_DATA_DIR=str(app.data_dir), PORT=str(free_port()))
    assert f"The data folder {app.data_dir} is in use by process {app.process.pid}" in said
    assert app.backends()["1 CPU"]["state"] == "ready"


def test_a_data_folder_that_can_not_be_made_is_said():
    said = failed_start(PIXELCOST_DATA_DIR="/dev/null/x", PORT=str(free_port()))
    assert "The data folder /dev/null/x can't be used" in said


@pytest.mark.parametrize("command", [SUPERVISED, ALONE], ids=["supervised", "alone"])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:9/runs", "check that its server runs, and host, port, user"),
        ("sqlite:///:memory:?cache=shared", "names no file to keep runs in"),
        ("sqlite:////proc/nowhere/runs.db", "check its folder's rights"),
    ],
)
def test_a_database_that_can_not_be_used_is_one_sentence(tmp_path, command, url, words):
    port = str(free_port())
    said = failed_start(command, DATABASE_URL=url, PIXELCOST_DATA_DIR=str(tmp_path), PORT=port)
    assert said.startswith("Pixelcost can't start. The database has 1 problem: ")
    assert words in said
    assert len(said.splitlines()) == 1
    assert "secret" not in said


def test_a_damaged_model_is_refused_at_once_with_its_reason(tmp_path):
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"junk")
    model = str(tmp_path / "model")
    said = failed_start(PIXELCOST_DATA_DIR=str(tmp_path), MODEL_BASE_PATH=model, PORT=str(free_port()))
    assert "CPU did not start. The embedded server ended (exit code 2)" in said
    assert "saved_model.pb" in said


@pytest.mark.parametrize("name", ["cat – 1.jpg", "日.jpg", "é.jpg", 'a"b;c.jpg'])
def test_a_photo_with_an_unusual_name_can_be_exported(app, name):
    run_id = app.post_run(CAT.read_bytes(), json.dumps({"sizes_px": [32], "repeats": 1}), name).json()["id"]
    app.finished(run_id)
    for suffix in (".json", ".csv", ".html", ".zip"):
        response = requests.get(f"{app.url}/api/runs/{run_id}{suffix}", timeout=30)
        assert response.status_code == 200
        assert response.headers["Content-Disposition"].startswith("attachment; filename=")


def test_asking_only_for_a_gpu_that_is_not_there_is_the_callers_mistake(app):
    if app.backends()["GPU"]["state"] != "absent":
        pytest.skip("this machine has a GPU")
    answer = app.post_run(CAT.read_bytes(), json.dumps({"backend_names": ["GPU"]}))
    assert answer.status_code == 422
    assert "No GPU on this machine" in answer.json()["detail"]


def test_with_servers_that_are_down_the_app_starts_and_says_so(tmp_path):
    port = free_port()
    with running_app(tmp_path, TF_SERVERS=f"GPU:127.0.0.1:{port}") as app:
        assert app.backends()["GPU"]["state"] == "down"
        assert requests.get(f"{app.url}/readyz", timeout=5).status_code == 503
        report = app.finished(app.post_run(CAT.read_bytes(), json.dumps(SMALL)).json()["id"])
    assert report["recommendation"]["variant_id"] is None
    assert all(cell["failures"] + cell["not_sent"] == 8 for cell in report["cells"])


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/api/config", "/api/schema", "/api/runs"]
)
def test_every_page_and_interface_answers(app: App, path):
    assert requests.get(app.url + path, timeout=10).status_code == 200
