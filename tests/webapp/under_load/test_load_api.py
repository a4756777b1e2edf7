"""A finished run put under load: web process, real timing process, a server of known service times."""

from __future__ import annotations

import io
import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from flask.testing import FlaskClient

from experiment.export.import_report import read_report
from experiment.export.report_html import report_html
from experiment.export.report_json import SCHEMA
from httpserver.problems import Refused
from loadtest.cross_check.stub import running_stub
from tests.support.photo_sets import photo
from tests.support.processes.webapp_parts import eventually, services_of, serving
from tests.support.reports import closed
from webapp.routes.follow_ups import _check_length, _expected
from webapp.worker.process import WORKER_COMMAND

PLAN = {"sizes_px": [64], "formats": ["png"], "warmups": 1, "repeats": 6, "seed": 3}
BUDGET_S = 5  # the shortest
LIVE = {"queued", "running"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app beside a server that answers one request after another, 20 ms each: 50 requests/s at most."""
    with running_stub(service_ms=20, one_at_a_time=True) as stub:
        servers = f"stub:{stub.grpc.address}"
        with serving(tmp_path_factory.mktemp("load"), WORKER_COMMAND, tf_servers=servers) as app:
            yield app


@pytest.fixture(scope="module")
def client(app):
    return app.test_client()


def run_of(client: FlaskClient, **fields: Any) -> str:
    data = {"file": (io.BytesIO(photo("red", 1, 200)), "red.jpg"), "plan": json.dumps(PLAN), **fields}
    run_id: str = client.post("/api/runs", data=data).json["id"]
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] not in LIVE, 60)
    return run_id


@pytest.fixture(scope="module")
def run_id(client):
    return run_of(client)


def report_after(client: FlaskClient, run_id: str) -> dict[str, Any]:
    rows = f"/api/runs/{run_id}/follow-ups"
    eventually(lambda: all(each["state"] not in LIVE for each in client.get(rows).json["follow_ups"]), 90)
    report: dict[str, Any] = client.get(f"/api/runs/{run_id}").json
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(report)
    assert read_report(json.dumps(report).encode(), "run.json") == report
    return report


def test_a_capacity_is_measured_shown_while_it_grows_and_kept_with_every_latency(client, app, run_id):
    before = client.get(f"/api/runs/{run_id}").json
    answer = client.post(
        f"/api/runs/{run_id}/load",
        json={"variant_ids": ["64-png"], "p99_ms": 400, "budget_s": BUDGET_S, "seed": 11},
    )
    assert answer.status_code == 202, answer.data
    assert (answer.json["kind"], answer.json["run_id"]) == ("load", run_id)
    again = client.post(f"/api/runs/{run_id}/load", json={})
    assert (again.status_code, again.json["code"]) == (409, "run_is_live")
    section = f"/api/runs/{run_id}/deciding"
    eventually(lambda: client.get(section).json["sections"]["load"]["figures"], 60)
    assert client.get(f"/api/runs/{run_id}").json["load"] == []  # the report waits for the end
    events = client.get(answer.json["events_url"]).text
    assert "event: trial" in events
    assert "latency_ms" not in events  # streams get counts, reports get every request
    report = report_after(client, run_id)
    (curve,) = report["load"]
    assert (curve["variant_id"], curve["backend_name"], curve["limit_ms"]) == ("64-png", "stub", 400)
    assert (curve["seed"], curve["budget_s"], curve["shares_machine"]) == (11, BUDGET_S, True)
    assert curve["outcome"] in {"found", "too_few", "not_met", "at_least"}, curve["sentence"]
    assert curve["unloaded_ms"] >= 20
    alone, *more = curve["closed_loops"]
    assert alone["in_flight"] == 1
    assert more[0]["in_flight"] == 2
    assert curve["unloaded_ms"] == pytest.approx(np.percentile(alone["samples_ms"], 50), abs=0.002)
    follow_up = services_of(app).store.run(answer.json["id"])
    sent = sum(each["count"] for each in (*curve["closed_loops"], *curve["points"]))
    sent += sum(
        len(point["uncounted_ms"]) + sum(point["uncounted_causes"].values()) for point in curve["points"]
    )
    assert sent == follow_up.requests_done  # nothing that was measured is lost
    assert len(curve["points"]) >= 2
    assert all(point["count"] == len(point["samples_ms"]) + point["failures"] for point in curve["points"])
    assert all(min(point["samples_ms"]) >= 20 for point in curve["points"] if point["samples_ms"])
    assert all(point["achieved_per_s"] <= 51 for point in curve["points"])  # it can't answer more
    assert report["requests"] == before["requests"]  # no samples of the run
    assert report["cells"] == before["cells"]
    assert "Latency under load" in report_html(report)


def test_the_rates_are_a_csv_of_their_own(client, run_id):
    text = client.get(f"/api/runs/{run_id}/load.csv")
    assert text.headers["Content-Disposition"].endswith("load.csv")
    (curve,) = client.get(f"/api/runs/{run_id}").json["load"]
    assert len(text.text.splitlines()) == 1 + len(curve["points"])


def test_stopped_it_keeps_what_was_measured(client, app):
    run_id = run_of(client)
    url = f"/api/runs/{run_id}/load"
    answer = client.post(url, json={"variant_ids": ["64-png"], "p99_ms": 400, "budget_s": 10})
    section = f"/api/runs/{run_id}/deciding"
    eventually(lambda: client.get(section).json["sections"]["load"]["figures"], 60)
    assert client.delete(f"/api/runs/{answer.json['id']}").status_code in {202, 204}
    (curve,) = report_after(client, run_id)["load"]
    assert sum(point["count"] + len(point["uncounted_ms"]) for point in curve["points"]) > 0
    assert services_of(app).store.run(answer.json["id"]).state == "cancelled"


def test_right_answers_are_those_of_the_true_label_or_of_the_original():
    cell = {"top": [{"label": "tabby, tabby cat"}, {"label": "lynx"}]}
    reference = {"top": [{"label": "fox"}]}
    assert _expected(reference, cell, None) == "fox"
    assert _expected(reference, cell, "Tabby") == "tabby, tabby cat"  # as the model writes it
    assert _expected(reference, cell, "dog") == "dog"  # which no answer is
    assert _expected({"top": []}, {"top": []}, None) is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"p99_ms": 0}, "p99_ms must be a number from 0.1 to 60,000"),
        ({"p99_ms": "fast"}, "p99_ms must be a number from 0.1 to 60,000"),
        ({"budget_s": 1}, "budget_s must be a number from 5 to 600"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"variant_ids": []}, "variant_ids must be a list of 1 to 8 variants"),
        ({"variant_ids": ["999-png"]}, "each one of original, 64-png"),
        ({"backend_names": ["other"]}, "each one of stub"),
        ({"backend_names": "stub"}, "a list of 1 to 8 backends"),
        ({"p99": 100}, "Unknown: p99. Known: variant_ids, backend_names, p99_ms, budget_s, seed."),
        ([], "Send a JSON object"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_sentence(client, run_id, body, says):
    answer = client.post(f"/api/runs/{run_id}/load", json=body)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_query")
    assert says in answer.json["detail"]


def test_a_load_that_could_not_end_within_the_longest_run_is_refused(app):
    with (
        pytest.raises(Refused, match=r"4 × 500 s is too long: .*1800 s \(PIXELCOST_MAX_RUN\)"),
        app.app_context(),
    ):
        _check_length(4, 500)
