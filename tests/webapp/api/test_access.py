"""The shared token: what it closes, what stays open, how a program and a browser get in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from experiment.errors import ConfigRefused
from tests.support.processes.browser import SMALL, visiting
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import photo_bytes, serving
from webapp.config import read_settings
from webapp.http.access import COOKIE, OPEN, _where_to

TOKEN = "an example token".replace(" ", "-")
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HTML = {"Accept": "text/html"}
WRONG = [
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
    "Bearer",
    "Bearer ",
    f"Basic {TOKEN}",
    TOKEN,
    "Bearer \xff",
]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    with serving(tmp_path, token=TOKEN) as app:
        yield app


def log_in(client: FlaskClient, token: str = TOKEN, **fields: str) -> Any:
    return client.post("/login", data={"token": token, **fields}, headers=HTML)


def test_without_the_setting_everything_is_open_and_nobody_is_asked(tmp_path: Path) -> None:
    with serving(tmp_path) as app:
        assert app.test_client().get("/api/runs").status_code == 200
        assert app.test_client().get("/", headers=HTML).status_code == 200


def test_with_it_every_route_is_closed_but_those_that_probes_and_the_form_need(web: Flask) -> None:
    client = web.test_client()
    for rule in web.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        method = "POST" if "POST" in rule.methods and "GET" not in rule.methods else "GET"
        closed = client.open(path, method=method).status_code == 401
        assert closed == (rule.endpoint not in OPEN or rule.endpoint == "access.login"), rule.rule
    assert client.get("/there/is/nothing").status_code == 401  # not even what exists can be learned


@pytest.mark.parametrize("path", ["/api/runs", "/metrics", "/upload"])
def test_the_refusal_says_what_to_do(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    problem = json.loads(answer.data)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert problem["type"] == "urn:pixelcost:problem:no_token"
    assert "Authorization: Bearer TOKEN" in problem["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", WRONG)
def test_a_wrong_token_is_refused(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/runs", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "wrong_token")


def test_a_program_gets_in_with_the_header(client: FlaskClient) -> None:
    assert client.get("/api/runs", headers=BEARER).status_code == 200
    assert client.get("/metrics", headers=BEARER).status_code == 200


def test_a_browser_gets_the_form_then_a_cookie_then_the_page_it_wanted(client: FlaskClient) -> None:
    asked = client.get("/runs/abc", headers=HTML)
    assert asked.status_code == 401
    assert 'name="next" value="/runs/abc"' in asked.text
    answer = log_in(client, next="/runs/abc")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs/abc")
    assert client.get("/", headers=HTML).status_code == 200


def test_a_wrong_token_in_the_form_shows_the_form_again_and_gives_no_cookie(client: FlaskClient) -> None:
    answer = log_in(client, "something else", next="/runs/abc")
    assert answer.status_code == 401
    assert 'name="next" value="/runs/abc"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_does_not_hold_the_token(
    client: FlaskClient,
) -> None:
    cookie = log_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert TOKEN not in cookie
    over_tls = client.post("/login", data={"token": TOKEN}, base_url="https://localhost")
    assert "Secure" in over_tls.headers["Set-Cookie"]


def test_a_cookie_ends_with_its_token(client: FlaskClient, tmp_path: Path) -> None:
    log_in(client)
    found = client.get_cookie(COOKIE)
    assert found
    with serving(tmp_path / "renewed", token=TOKEN + "2") as renewed:
        other = renewed.test_client()
        other.set_cookie(COOKIE, found.value)
        assert other.get("/api/runs").status_code == 401


def test_another_site_can_not_log_its_visitor_in(client: FlaskClient) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/login", data={"token": TOKEN}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\r\nX: y", "/\t/evil"],
)
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert _where_to(path) == "/"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    folder = tmp_path_factory.mktemp("token")
    (folder / "token").write_text(TOKEN + "\n")
    with web_process(folder, PIXELCOST_TOKEN_FILE=str(folder / "token")) as web:
        yield web


def test_a_program_sends_a_photo_and_follows_its_events_with_the_header(live: WebProcess) -> None:
    form = {"files": {"file": ("cat.png", photo_bytes())}, "data": {"plan": '{"sizes_px":[32],"repeats":2}'}}
    assert requests.post(f"{live.url}/api/runs", **form, timeout=60).status_code == 401
    run_id = requests.post(f"{live.url}/api/runs", **form, headers=BEARER, timeout=60).json()["id"]
    assert live.get(f"/api/runs/{run_id}/events").status_code == 401
    assert "event: end" in live.get(f"/api/runs/{run_id}/events", headers=BEARER).text
    assert live.get("/healthz").status_code == 200


@pytest.mark.browser
def test_a_person_enters_the_token_once_and_the_page_follows_a_run(live: WebProcess, browser: Any) -> None:
    with visiting(browser, live.url) as visit:
        page = visit.page
        page.goto(live.url + SMALL)
        for token in ("wrong", TOKEN):
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Open").click()
            if token == "wrong":
                page.get_by_text("The token is wrong.").wait_for()
        visit.wait_ready()
        assert page.url == live.url + SMALL
        page.locator("#run").click()
        page.wait_for_selector("progress.done", state="attached")
        assert page.evaluate("document.cookie") == ""


def test_a_blank_token_does_not_open_the_app() -> None:
    with pytest.raises(ConfigRefused, match="PIXELCOST_TOKEN"):
        read_settings({"PIXELCOST_TOKEN": " \n"}, dotenv=None)


def test_two_different_tokens_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 20)
    files = {"PIXELCOST_TOKEN_FILE": str(tmp_path / "token")}
    assert read_settings({"PIXELCOST_TOKEN": "x" * 20, **files}, dotenv=None).shared_token == "x" * 20
    with pytest.raises(ConfigRefused, match="differ"):
        read_settings({"PIXELCOST_TOKEN": "y" * 20, **files}, dotenv=None)


def test_who_may_not_use_the_app_learns_no_addresses_of_servers(tmp_path: Path) -> None:
    for token, is_told in (("", True), (TOKEN, False)):
        with serving(tmp_path / (token or "open"), token=token, tf_servers="A:127.0.0.1:9") as app:
            answer = app.test_client().get("/readyz")
            assert answer.status_code == 503
            assert ("127.0.0.1" in answer.get_data(as_text=True)) is is_told


@pytest.mark.parametrize("prefix", ["//other.example", "/a b", "/a/../b?", "https://other.example"])
def test_a_prefix_that_leads_elsewhere_is_refused(tmp_path: Path, prefix: str) -> None:
    with serving(tmp_path, trust_proxy=1) as app:
        client = app.test_client()
        assert client.get("/", headers={"X-Forwarded-Prefix": prefix}).status_code == 400
        page = client.get("/", headers={"X-Forwarded-Prefix": "/pixel/cost-1"})
        assert page.status_code == 200 and 'data-base="/pixel/cost-1"' in page.get_data(as_text=True)
