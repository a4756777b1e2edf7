"""The route table, the OpenAPI document that comes from it, its viewer, and random requests made from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import requests
import schemathesis
from flask import Flask
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from gateway.app import ROUTES, create_app, front_end_app
from gateway.cluster_serving.routes import ROUTES as FRONT_END
from gateway.config import Settings
from gateway.problems import TITLES
from gateway.services import Services
from gateway.table import Route
from tests.support.processes.gateway_process import GatewayProcess
from tests.support.queue.parts import Measure, running_worker

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
WITH_BODY, WITHOUT = 25, 5  # requests for each route
MUST_COME = {  # of each set one at least: accepted or answered by a worker, and refused
    "POST /jobs": ({202}, {415, 422}),
    "POST /predict": ({200, 422}, {400}),
}
FUZZ = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


def apps() -> Iterator[tuple[Flask, tuple[Route, ...]]]:
    settings = Settings()
    yield create_app(settings), ROUTES
    yield front_end_app(settings, Services(settings)), FRONT_END


@pytest.mark.parametrize(("app", "table"), list(apps()), ids=["gateway", "front end"])
def test_every_route_of_an_app_is_a_row_of_its_table_and_in_its_document(app, table):
    rules = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    assert rules == {(route.method, route.path) for route in table}
    document = app.test_client().get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    operations = {(method.upper(), path) for path, rows in document["paths"].items() for method in rows}
    assert len(operations) == len(rules)
    names = [row["operationId"] for rows in document["paths"].values() for row in rows.values()]
    assert len(set(names)) == len(names)
    assert all(row["summary"] for rows in document["paths"].values() for row in rows.values())


@pytest.mark.parametrize("place", ["url", "frontend_url"])
def test_requests_made_from_the_document_get_documented_answers_and_never_a_crash(
    gateway: GatewayProcess, gateway_queue: QueueSettings, place: str
) -> None:
    schema = schemathesis.openapi.from_url(f"{getattr(gateway, place)}/openapi.json")
    schema = schema.exclude(path="/openapi.json")  # what was just read
    with running_worker(connection(gateway_queue.url), gateway_queue, Measure()):
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 8
        for operation in operations:
            came = answers(operation)
            assert all(came & some for some in MUST_COME.get(operation.label, ())), "it was not tried enough"


def answers(operation: schemathesis.schemas.APIOperation) -> set[int]:
    """The statuses of random requests to one route, whose answers are as documented."""
    statuses = set()
    is_offered = any(status.startswith("2") for status in operation.definition.raw["responses"])
    checks = [check for check in CHECKS if is_offered or check is not not_a_server_error]  # 501 by design

    @hypothesis.settings(FUZZ, max_examples=WITH_BODY if operation.method == "post" else WITHOUT)
    @hypothesis.given(operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        statuses.add(case.call_and_validate(checks=checks, timeout=60).status_code)

    ask()
    return statuses


def test_every_title_of_a_problem_belongs_to_a_code_that_is_used():
    root = Path(__file__).parents[2]
    folders = ("gateway", "httpserver", "experiment/queue", "experiment/measure")
    sources = "".join(
        path.read_text()
        for folder in folders
        for path in (root / folder).rglob("*.py")
        if path.name != "problems.py" or folder != "gateway"
    )
    own = (root / "gateway" / "problems.py").read_text().split("IMAGE_TITLE: Final")[1]
    assert [code for code in TITLES if f'"{code}"' not in sources + own] == []


@pytest.mark.browser
def test_the_viewer_shows_the_routes_offline_and_within_our_content_security_policy(
    gateway: GatewayProcess, browser
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{gateway.url}/docs")
    page.wait_for_selector(".opblock")
    page.click(".opblock-post .opblock-summary-control >> nth=0")
    page.wait_for_selector(".opblock.is-open table.parameters")
    assert page.locator(".opblock").count() == len(ROUTES)
    for width_px in (1280, 390):
        page.set_viewport_size({"width": width_px, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    for scheme, root, is_dark in (("dark", "html.dark-mode", True), ("light", "html:not(.dark-mode)", False)):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(root)
        text = page.evaluate("getComputedStyle(document.querySelector('.info .title')).color")
        assert (int(text[4:].split(",")[0]) > 128) == is_dark, text
    assert said == []
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {
        f"127.0.0.1:{gateway.port}"
    }
    page.close()


def test_the_documents_page_sends_a_browser_from_the_root(gateway: GatewayProcess) -> None:
    answer = requests.get(gateway.url, timeout=60)
    assert answer.url == f"{gateway.url}/docs" and "swagger-ui-bundle.js" in answer.text
