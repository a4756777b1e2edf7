"""Every error is answered in one shape, and other sites are kept out."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from httpserver.logs import JsonFormatter
from httpserver.security import HEADERS
from tests.support.processes.databases import another_writer
from tests.support.processes.webapp_parts import eventually, photo_bytes, services_of, serving
from webapp.problems import TITLES, Refused

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    with serving(tmp_path) as app:
        app.add_url_rule("/crash", view_func=crash)
        app.add_url_rule("/api/crash", endpoint="api_crash", view_func=crash)
        yield app


def crash() -> str:
    raise ZeroDivisionError("a bug")


def form(**more: Any) -> dict[str, Any]:
    return {"file": (io.BytesIO(photo_bytes()), "cat.png"), **more}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/runs/0000", 404, "no_such_run"),
        ("GET", "/api/runs/0000.zip", 404, "no_such_run"),
        ("GET", "/api/runs/0000/events", 404, "no_such_run"),
        ("DELETE", "/api/runs/0000", 404, "no_such_run"),
        ("PUT", "/api/runs", 405, "method_not_allowed"),
        ("GET", "/upload", 405, "method_not_allowed"),
        ("POST", "/api/runs", 415, "not_a_form"),
        ("GET", "/api/runs?limit=0", 400, "bad_query"),
        ("GET", "/api/runs?before=x", 400, "bad_query"),
        ("GET", "/readyz", 503, "not_ready"),
        ("GET", "/static/nothing.js", 404, "not_found"),
    ],
)
def test_an_error_is_a_problem_with_type_title_and_detail(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(path, method=method, headers=BROWSER)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = json.loads(answer.data)
    assert problem["type"] == f"urn:pixelcost:problem:{code}"
    assert problem["status"] == status
    assert problem["title"].endswith(".")
    assert problem["detail"]


def test_head_answers_as_get_does_without_the_body(client: FlaskClient) -> None:
    answer = client.head("/api/nothing")
    assert (answer.status_code, answer.data) == (404, b"")
    assert answer.content_type == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    assert "POST" in client.put("/api/runs").headers["Allow"]


def test_a_browser_gets_a_page_for_a_wrong_address(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert b"This address does not exist." in answer.data


def test_a_program_gets_json_for_a_wrong_address(client: FlaskClient) -> None:
    assert client.get("/nowhere", headers={"Accept": "*/*"}).mimetype == "application/problem+json"


def test_a_crash_is_answered_with_a_reference_that_the_log_has_too(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/api/crash")
    problem = json.loads(answer.data)
    assert answer.status_code == 500
    assert problem["title"] == "Something went wrong on our side."
    assert problem["detail"] == f"Your settings are kept. Reference {problem['reference']}."
    assert answer.headers["X-Request-ID"] == problem["reference"]
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text


def test_a_database_that_another_program_holds_is_busy_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.store.database.PATIENCE_S", 0.1)
    with serving(tmp_path) as app:
        client = app.test_client()
        run_id = client.post("/api/runs", data=form()).json["id"]
        eventually(lambda: services_of(app).runs.live(run_id) is None)
        with another_writer(tmp_path / "pixelcost.db"):
            assert client.get("/api/runs").status_code == 200
            for refused in (client.delete(f"/api/runs/{run_id}"), client.post("/api/runs", data=form())):
                assert (refused.status_code, refused.json["code"]) == (503, "database_busy")
                assert refused.headers["Retry-After"] == "5"
                assert "Another program has locked it" in refused.json["detail"]
        assert client.delete(f"/api/runs/{run_id}").status_code == 204


def test_a_crash_shows_a_browser_the_same_reference(client: FlaskClient) -> None:
    answer = client.get("/crash", headers=BROWSER)
    assert answer.status_code == 500
    assert f"Reference {answer.headers['X-Request-ID']}." in answer.text


def test_every_title_belongs_to_a_code_that_is_raised() -> None:
    root = Path(__file__).parents[3]
    sources = "".join(
        path.read_text()
        for name in ("webapp", "httpserver", "experiment")
        for path in (root / name).rglob("*.py")
    )
    raised = {code for code in TITLES if re.search(rf'"{code}"(?!: ")', sources)}  # not as TITLES' own key
    assert raised == set(TITLES)
    assert Refused("no_file", "…").code in TITLES


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/", "/api/config", "/api/nothing", "/static/favicon.svg"):
        headers = client.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS, path


def test_the_content_security_policy_allows_nothing_unsafe_or_foreign(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'")


def test_the_page_holds_no_inline_script_or_style(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_change_from_another_site_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/api/runs"), ("POST", "/upload"), ("DELETE", "/api/runs/0000")):
        answer = client.open(path, method=method, headers=headers)
        assert (answer.status_code, answer.json and answer.json["code"]) == (403, "cross_site")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}],
)
def test_our_own_page_and_programs_may_change_things(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.delete("/api/runs/0000", headers=headers).status_code == 404


def test_log_lines_are_json_with_the_id_of_their_request(web: Flask) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("webapp.access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        answer = web.test_client().get("/api/nothing")
    finally:
        logger.removeHandler(handler)
    line = json.loads(out.getvalue())
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["path"], line["status"], line["problem"]) == ("/api/nothing", 404, "not_found")


def test_ids_of_requests_are_taken_from_proxies_only_when_these_are_trusted(tmp_path: Path) -> None:
    given = {"X-Request-ID": "abc-123"}
    with serving(tmp_path / "a") as app:
        assert app.test_client().get("/healthz", headers=given).headers["X-Request-ID"] != "abc-123"
    with serving(tmp_path / "b", trust_proxy=1) as app:
        assert app.test_client().get("/healthz", headers=given).headers["X-Request-ID"] == "abc-123"
