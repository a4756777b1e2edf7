"""What is measured after a run has ended: the web process, the real timing process, a real model server."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from flask.testing import FlaskClient

from experiment.export.import_report import read_report
from experiment.export.report_html import report_html
from experiment.export.report_json import SCHEMA
from experiment.records import BackendInfo, Plan
from experiment.report.additions import CODES, Session, addition_of, differing
from httpserver.problems import Refused
from tests.support.photo_sets import blind_when_small, colour_server, photo
from tests.support.processes.webapp_parts import eventually, services_of, serving
from tests.support.records import answered, original
from tests.support.reports import closed
from webapp.routes.follow_ups import MOST_FOLLOW_UPS
from webapp.runs.follow_up import still_the_same
from webapp.store.store import Follows, NoSuchRun
from webapp.worker.process import WORKER_COMMAND

PLAN = {"sizes_px": [64, 24], "formats": ["png"], "warmups": 1, "repeats": 6, "seed": 3}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app beside a model server that calls everything blue below 32 px."""
    folder = tmp_path_factory.mktemp("later")
    with (
        colour_server(blind_when_small) as address,
        serving(folder, WORKER_COMMAND, tf_servers=f"eye:{address}") as app,
    ):
        yield app


@pytest.fixture(scope="module")
def client(app):
    return app.test_client()


def finished(client: FlaskClient, **fields: Any) -> str:
    data = {"file": (io.BytesIO(photo("red", 1, 200)), "red.jpg"), "plan": json.dumps(PLAN), **fields}
    answer = client.post("/api/runs", data=data)
    assert answer.status_code == 202, answer.data
    run_id: str = answer.json["id"]
    wait(client, run_id)
    return run_id


def wait(client: FlaskClient, run_id: str) -> dict[str, Any]:
    live = {"queued", "running"}
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] not in live, 60)
    rows = f"/api/runs/{run_id}/follow-ups"
    eventually(lambda: all(each["state"] not in live for each in client.get(rows).json["follow_ups"]), 60)
    report: dict[str, Any] = client.get(f"/api/runs/{run_id}").json
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(report)
    assert (
        read_report(json.dumps(report).encode(), "run.json") == report
    )  # all that is exported can be imported
    return report


def test_added_repeats_become_samples_of_the_same_cells(client):
    run_id = finished(client)
    before = wait(client, run_id)
    answer = client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 58})
    assert answer.status_code == 202, answer.data
    assert answer.json["run_id"] == run_id
    report = wait(client, run_id)
    assert report["plan"]["repeats"] == 64
    assert report["requests"]["planned"] == report["requests"]["done"] == 3 * (7 + 59)
    (addition,) = report["additions"]
    assert (addition["repeats"], addition["state"]) == (58, "done")
    assert addition["seed"] != before["plan"]["seed"]
    for was, now in zip(before["cells"], report["cells"], strict=True):
        # A busy machine may disturb samples: those are kept apart, and p90 is over all.
        assert now["samples_ms"][: len(was["samples_ms"])] == was["samples_ms"]
        assert (now["count"], now["cold_ms"]) == (64, was["cold_ms"])
        answered_ms = now["samples_ms"] + now.get("disturbed_samples_ms", [])
        assert now["p90_ms"] == pytest.approx(np.percentile(answered_ms, 90), abs=1e-6)
    assert "W2" not in {each["code"] for each in report["warnings"]}
    assert [each["sha256"] for each in report["variants"]] == [each["sha256"] for each in before["variants"]]


def test_the_breaking_point_is_stored_with_the_run_and_exported(client):
    run_id = finished(client)
    answer = client.post(f"/api/runs/{run_id}/breaking-point")
    assert answer.status_code == 202, answer.data
    events = client.get(answer.json["events_url"]).text
    assert "event: step" in events
    assert "event: finding" in events
    assert events.rstrip().splitlines()[-1].startswith("data: ")
    report = wait(client, run_id)
    (point,) = report["breaking_points"]
    assert (point["outcome"], point["backend_name"], point["label"]) == ("found", "eye", "red")
    assert 32 <= point["size_px"] < 36
    assert point["sentence"].startswith(f"Still a red down to {point['size_px']} px")
    assert len(point["steps"]) + 1 == point["requests"]
    assert report["requests"]["done"] == 3 * 7  # a search is no measuring
    assert f"<li>eye: {point['sentence']}</li>" in report_html(report)
    again = client.post(f"/api/runs/{run_id}/breaking-point", json={"backend_names": ["eye"]})
    assert again.status_code == 202
    assert len(wait(client, run_id)["breaking_points"]) == 1


def test_a_follow_up_is_no_run_of_its_own_to_readers(client, app):
    run_id = finished(client)
    answer = client.post(f"/api/runs/{run_id}/breaking-point")
    wait(client, run_id)
    later = answer.json["id"]
    assert later not in {each["id"] for each in client.get("/api/runs?limit=100").json["runs"]}
    assert client.get(f"/api/runs/{later}").json["run_id"] == run_id
    # 202 while it leaves the queue
    eventually(lambda: client.delete(f"/api/runs/{run_id}").status_code == 204)
    with pytest.raises(NoSuchRun):
        services_of(app).store.run(later)


def test_one_run_is_measured_further_only_so_often(client, app):
    run_id = finished(client)
    store = services_of(app).store
    for number in range(MOST_FOLLOW_UPS):
        store.create(f"{run_id}-{number}", "red.jpg", {}, [], {}, 1, Follows(run_id, "breaking_point"))
        store.change(f"{run_id}-{number}", state="cancelled")
    answer = client.post(f"/api/runs/{run_id}/breaking-point")
    assert (answer.status_code, answer.json["code"]) == (409, "too_many_follow_ups")


def test_a_true_label_decides_what_is_kept(client):
    run_id = finished(client, true_label="green")
    client.post(f"/api/runs/{run_id}/breaking-point")
    (point,) = wait(client, run_id)["breaking_points"]
    assert point["outcome"] == "not_right"
    assert "is red, not green" in point["sentence"]


def test_a_body_that_is_nested_too_deeply_is_refused_like_any_other_that_is_no_object(client):
    answer = client.post(f"/api/runs/{finished(client)}/repeats", data="[" * 5000)
    assert answer.status_code == 422
    assert "Send a JSON object" in answer.json["detail"]


@pytest.mark.parametrize(
    "body", [{"repeats": 0}, {"repeats": 995}, {"repeats": "many"}, {}, {"repeats": True}]
)
def test_wrong_numbers_of_repeats_are_refused_with_what_is_right(client, body):
    run_id = finished(client) if not client.get("/api/runs").json["runs"] else None
    run_id = run_id or client.get("/api/runs").json["runs"][0]["id"]
    answer = client.post(f"/api/runs/{run_id}/repeats", json=body)
    assert answer.status_code == 422
    assert "repeats must be a whole number from 1 to" in answer.json["detail"]


def test_a_run_that_is_measured_further_waits_its_turn_can_be_stopped_and_is_not_removed(client, app):
    run_id = finished(client)
    answer = client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 900})
    later = answer.json["id"]
    assert client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 1}).status_code == 409
    assert client.delete(f"/api/runs/{run_id}").status_code == 409
    eventually(lambda: services_of(app).store.run(later).requests_done > 30)
    assert client.delete(f"/api/runs/{later}").status_code == 202
    report = wait(client, run_id)
    assert report["state"] == "done"
    (addition,) = report["additions"]
    assert addition["state"] == "cancelled"
    assert report["plan"]["repeats"] == 6 + addition["repeats"]
    assert report["requests"]["planned"] == report["requests"]["done"]


def test_a_crash_of_a_follow_up_leaves_the_run_as_it_was(client, app):
    run_id = finished(client)
    answer = client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 900})
    live = services_of(app).runs.live(answer.json["id"])
    eventually(lambda: live.state == "running")
    live.kill({"code": "internal", "message": "Ended by the test."})
    report = wait(client, run_id)
    assert (report["state"], report["failure"]) == ("done", None)


def test_stored_bytes_that_are_not_those_sent_are_refused(client, app):
    run_id = finished(client)
    parts = services_of(app)
    stored = b"".join(parts.store.blob(run_id, "24-png"))
    from sqlalchemy import update

    from webapp.store.tables import blobs

    damaged = bytes([stored[0] ^ 1]) + stored[1:]
    with parts.store._engine.begin() as connection:
        connection.execute(update(blobs).where(blobs.c.name == "24-png").values(data=damaged))
    answer = client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 1})
    assert answer.status_code == 422
    assert "24-png are damaged" in answer.json["detail"]


def test_cells_that_failed_are_measured_again_and_what_is_left_out_is_told(tmp_path):
    slow = [True]

    def guess(colour: str, side_px: int, number: int) -> str:
        if slow[0] and side_px == 64:
            time.sleep(3)
        return colour

    plan = {**PLAN, "repeats": 2, "warmups": 0, "timeout_s": 1.5}
    with (
        colour_server(guess) as address,
        serving(tmp_path, WORKER_COMMAND, tf_servers=f"eye:{address}") as app,
    ):
        client = app.test_client()
        run_id = finished(client, plan=json.dumps(plan))
        before = wait(client, run_id)
        assert {cell["variant_id"] for cell in before["cells"] if cell["failures"]} == {"64-png"}
        answer = client.post(f"/api/runs/{run_id}/retry", json={"backend_name": "A"})
        assert answer.status_code == 422
        assert "must be one of this run's backends: eye" in answer.json["detail"]
        slow[0] = False
        body = {"backend_name": "eye", "timeout_s": 30}
        answer = client.post(f"/api/runs/{run_id}/retry", json=body)
        assert answer.status_code == 202, answer.data
        report = wait(client, run_id)
        assert [(cell["count"], cell["failures"]) for cell in report["cells"]] == [(2, 0)] * 3
        (addition,) = report["additions"]
        assert (addition["retried"], addition["timeout_s"]) == (["64-png"], 30.0)
        assert report["requests"] == {"planned": 6, "done": 6, "failed": 0, "not_sent": 0}
        assert report["plan"]["repeats"] == 2
        told = {each["code"]: each["message"] for each in report["warnings"]}
        assert "W10" not in told
        assert told["W21"] == (
            "1 cell of eye was measured again with a time limit of 30 s. "
            "Left out: 2 earlier requests, 2 of which failed."
        )
        answer = client.post(f"/api/runs/{run_id}/retry", json=body)
        assert "No request to eye failed in this run." in answer.json["detail"]


def test_a_run_without_an_answer_has_nothing_to_measure_further(tmp_path):
    with serving(tmp_path, WORKER_COMMAND, tf_servers="gone:127.0.0.1:9") as app:
        client = app.test_client()
        run_id = finished(client, plan=json.dumps({**PLAN, "repeats": 1, "warmups": 0}))
        answer = client.post(f"/api/runs/{run_id}/repeats", json={"repeats": 1})
        assert (answer.status_code, answer.json["code"]) == (422, "nothing_measured")
        assert answer.json["title"] == "Nothing was measured in this run."


READY = BackendInfo("A", address="tf:8500", version=1, state="ready")


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ([], "no longer one of the backends"),
        ([replace(READY, state="down", detail="No answer at tf:8500.")], "not ready: No answer at tf:8500."),
        ([replace(READY, version=2)], "version: 1, now 2"),
        ([replace(READY, address="other:8500")], "address: tf:8500, now other:8500"),
    ],
)
def test_another_server_is_not_measured_into_the_same_samples(now, words):
    before = [{"name": "A", "protocol": "grpc", "address": "tf:8500", "model": "inception", "version": 1}]
    assert still_the_same(before, [READY]) == [READY]
    was_down = [{**before[0], "version": None}]
    assert still_the_same(was_down, [READY]) == [READY]
    with pytest.raises(Refused, match=words):
        still_the_same(before, now)


def test_repeats_that_took_another_time_give_a_warning():
    first, slower = answered([30.0] * 20), answered([40.0] * 44)
    for added, count in ((slower, 1), (answered([30.0] * 44), 0)):
        session = Session(addition_of("x", 0.0, "done", Plan(repeats=44), {}, added), added)
        warnings = differing(first, [session], [original()])
        assert len(warnings) == count
    session = Session(addition_of("x", 0.0, "done", Plan(repeats=44), {}, slower), slower)
    (warning,) = differing(first, [session], [original()])
    assert warning.code in CODES
    assert "4000 px JPEG on 8 CPU was 30 ms and then 40 ms" in warning.message
