"""Servers that are added on the page: tested, measured by one browser's runs, and hidden from all others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from experiment.errors import ConfigRefused
from experiment.records import BackendInfo
from tests.support.added.names import Names
from tests.support.processes.app_process import CAT
from tests.support.processes.serving_process import MODEL
from tests.support.processes.webapp_parts import SMALL, finished, post, refused, services_of, serving
from webapp.added_servers import CHECKS, AddedServers
from webapp.config import read_settings

MINE = {"name": "Mine", "address": "tf.example.org:8500", "price_per_hour": 0.5}


class Asked(list[BackendInfo]):
    """In place of probe(): remembers whom it was to ask, and finds everybody ready."""

    def __call__(self, info: BackendInfo, timeout_s: float) -> BackendInfo:
        self.append(info)
        return replace(info, state="ready", version=1, detail="Ready.")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    with serving(tmp_path) as app:
        yield app


@pytest.fixture
def asked() -> Asked:
    return Asked()


def use(web: Flask, asked: Asked, names: Names, **changes: Any) -> FlaskClient:
    """A client of an app whose names and servers are scripted."""
    app = services_of(web)
    app.settings = replace(app.settings, **changes)
    app.added = AddedServers(app.settings, lambda: app.runs.is_measuring, names, asked)
    return web.test_client()


def test_server(client: FlaskClient, **changes: Any) -> Any:
    return client.post("/api/backends/test", json={**MINE, **changes})


test_server.__test__ = False  # type: ignore[attr-defined]  # the address's own word


def test_an_added_server_is_asked_at_the_addresses_that_were_checked(web: Flask, asked: Asked) -> None:
    names = Names(["10.1.2.4", "10.1.2.3"])
    answer = test_server(use(web, asked, names, add_servers_allowed="10.0.0.0/8"))
    assert answer.status_code == 200
    assert answer.json["state"] == "ready"
    assert answer.json["added_as"] == "tf.example.org:8500"
    assert answer.json["price_per_hour"] == 0.5
    assert [info.address for info in asked] == ["10.1.2.3:8500,10.1.2.4:8500"]
    assert names.asked == ["tf.example.org"]  # once: what was checked is what is used


def test_a_name_that_changes_its_address_after_the_test_is_checked_again(web: Flask, asked: Asked) -> None:
    client = use(web, asked, Names(["10.1.2.3"], ["127.0.0.1"]), add_servers_allowed="10.0.0.0/8")
    assert test_server(client).status_code == 200
    refusal = post(client, plan=SMALL, servers=json.dumps([MINE]))
    assert refused(refusal) == (422, "server_refused")
    assert [info.address for info in asked] == ["10.1.2.3:8500"]  # this machine was not


def test_a_run_gets_the_checked_address_whatever_the_name_means_later(web: Flask, asked: Asked) -> None:
    names = Names(["10.1.2.3"], ["10.1.2.4"], ["127.0.0.1"])
    client = use(web, asked, names, add_servers_allowed="10.0.0.0/8")
    test_server(client)
    run_id = post(client, plan=SMALL, servers=json.dumps([MINE])).json["id"]
    mine = next(row for row in client.get(f"/api/runs/{run_id}").json["backends"] if row["name"] == "Mine")
    assert (mine["address"], mine["added_as"]) == ("10.1.2.4:8500", "tf.example.org:8500")
    assert [info.address for info in asked] == [
        "10.1.2.3:8500",
        "10.1.2.4:8500",
    ]  # another one is tested anew
    assert "Mine" not in client.get("/api/backends").text


def test_what_is_not_allowed_and_what_does_not_exist_are_refused_in_the_same_words(
    web: Flask, asked: Asked
) -> None:
    client = use(web, asked, Names([]), add_servers_allowed="10.0.0.0/8:8500")
    answers = [
        test_server(client, address=address)
        for address in ("no.such.host:8500", "192.168.0.1:8500", "10.0.0.1:22", "169.254.169.254:8500")
    ]
    words = {
        json.loads(answer.data)["fields"]["address"].replace(address, "ADDRESS")
        for answer, address in zip(
            answers,
            ("no.such.host:8500", "192.168.0.1:8500", "10.0.0.1:22", "169.254.169.254:8500"),
            strict=True,
        )
    }
    assert {refused(answer) for answer in answers} == {(422, "server_refused")}
    assert len(words) == 1
    assert asked == []


def test_so_many_servers_a_minute_can_be_tested_and_no_more(web: Flask, asked: Asked) -> None:
    client = use(web, asked, Names([]), add_servers_allowed="10.0.0.0/8")
    for number in range(CHECKS):
        assert test_server(client, address=f"host-{number}:8500").status_code == 422
    answer = test_server(client, address="host:8500")
    assert refused(answer) == (429, "too_many_tests")
    assert answer.headers["Retry-After"] == "60"
    run = post(client, plan=SMALL, servers=json.dumps([MINE]))  # a run is no way around it
    assert refused(run) == (429, "too_many_tests")


def test_a_server_that_was_allowed_is_tested_and_used_as_often_as_one_likes(web: Flask, asked: Asked) -> None:
    client = use(web, asked, Names(["10.1.2.3"]), add_servers_allowed="10.0.0.0/8")
    assert {test_server(client).status_code for _ in range(2 * CHECKS)} == {200}


@pytest.mark.parametrize(
    "changes", [{"add_servers": "off"}, {"host": "0.0.0.0"}, {"host": "::"}, {"trust_proxy": 1}]
)
def test_beyond_this_machine_nobody_adds_servers_unless_the_administrator_says_so(
    web: Flask, asked: Asked, changes: dict[str, Any]
) -> None:
    names = Names(["10.1.2.3"])
    client = use(web, asked, names, **changes)
    assert "PIXELCOST_ADD_SERVERS=on" in client.get("/api/config").json["add_servers"]["why_not"]
    assert refused(test_server(client)) == (403, "servers_not_allowed")
    assert refused(post(client, plan=SMALL, servers=json.dumps([MINE]))) == (403, "servers_not_allowed")
    assert names.asked == asked == []


def test_on_beyond_this_machine_needs_a_list_of_addresses() -> None:
    on = {"PIXELCOST_ADD_SERVERS": "on", "PIXELCOST_HOST": "0.0.0.0"}
    with pytest.raises(ConfigRefused, match="PIXELCOST_ADD_SERVERS_ALLOWED"):
        read_settings(on, dotenv=None)
    with pytest.raises(
        ConfigRefused, match=r"PIXELCOST_ADD_SERVERS_ALLOWED='10.0.0.0/99' is not a list like"
    ):
        read_settings({"PIXELCOST_ADD_SERVERS_ALLOWED": "10.0.0.0/99"}, dotenv=None)
    assert read_settings(on | {"PIXELCOST_ADD_SERVERS_ALLOWED": "10.0.0.0/8"}, dotenv=None).can_add_servers
    assert read_settings({}, dotenv=None).can_add_servers


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": ""}, "address"),
        ({"address": "http://tf:8500"}, "address"),
        ({"address": 8500}, "address"),
        ({"name": "1 CPU"}, "name"),  # the app's own has it
        ({"name": "a" * 101}, "name"),
        ({"name": "Mine over REST"}, "name"),
        ({"protocol": "queue"}, "protocol"),
        ({"protocol": ["grpc"]}, "protocol"),
        ({"model": 5}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"price_per_hour": -1}, "price_per_hour"),
        ({"price_per_hour": "1"}, "price_per_hour"),
        ({"url": "queue://x"}, "url"),
        ({"embedded": True}, "embedded"),
    ],
)
def test_a_mistake_is_named_at_its_field(
    web: Flask, asked: Asked, changes: dict[str, Any], field: str
) -> None:
    answer = test_server(use(web, asked, Names(["10.1.2.3"])), **changes)
    assert refused(answer) == (422, "server_refused")
    assert list(json.loads(answer.data)["fields"]) == [field]
    assert asked == []


@pytest.mark.parametrize("body", ["", "[]", "null", "5", '"x"', "{", "[[[[" * 2000])
def test_a_body_that_is_no_server_is_refused(web: Flask, asked: Asked, body: str) -> None:
    client = use(web, asked, Names(["10.1.2.3"]))
    assert refused(client.post("/api/backends/test", data=body)) == (422, "server_refused")


@pytest.mark.parametrize(
    "servers", ["{", "{}", "5", "[5]", "[[]]", json.dumps([MINE] * 9), json.dumps([MINE] * 2), "[" * 5000]
)
def test_a_run_with_a_list_that_is_none_or_names_one_twice_is_refused(
    web: Flask, asked: Asked, servers: str
) -> None:
    client = use(web, asked, Names(["10.1.2.3"]))
    assert refused(post(client, plan=SMALL, servers=servers)) == (422, "server_refused")


def test_a_plan_can_choose_among_the_apps_backends_and_the_added_ones(web: Flask, asked: Asked) -> None:
    client = use(web, asked, Names(["10.1.2.3"]))
    answer = post(client, plan={**SMALL, "backend_names": ["Mine"]}, servers=json.dumps([MINE]))
    report = client.get(f"/api/runs/{answer.json['id']}").json
    assert [row["name"] for row in report["backends"]] == ["Mine"]
    without = post(client, plan={**SMALL, "backend_names": ["Mine"]})
    assert refused(without) == (422, "plan_refused")


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_real_server_is_added_measured_and_asked_again_by_a_follow_up(
    app: Any, default_server: Any, protocol: str
) -> None:
    address = default_server.grpc_address if protocol == "grpc" else default_server.rest_url.split("/")[2]
    mine = {"name": f"Mine {protocol}", "address": address.replace("127.0.0.1", "localhost"), "model": MODEL}
    mine |= {"protocol": protocol, "price_per_hour": 0.25}
    tested = requests.post(f"{app.url}/api/backends/test", json=mine, timeout=30).json()
    assert (tested["state"], tested["version"], tested["address"]) == ("ready", 1, address)

    plan = {"sizes_px": [64], "formats": ["jpeg"], "warmups": 1, "repeats": 3}
    plan |= {"backend_names": ["1 CPU", mine["name"]]}
    form = {"plan": json.dumps(plan), "servers": json.dumps([mine])}
    started = requests.post(
        f"{app.url}/api/runs", files={"file": CAT.read_bytes()}, data=form, timeout=30
    ).json()
    report = app.finished(started["id"])
    backend = {row["name"]: row for row in report["backends"]}[mine["name"]]
    assert (backend["added_as"], backend["price_per_hour"]) == (mine["address"], 0.25)
    assert [cell["count"] for cell in report["cells"] if cell["backend_name"] == mine["name"]] == [3, 3]
    assert mine["name"] not in app.backends()

    of_run = f"{app.url}/api/runs/{report['run_id']}/variants/original"
    seen = requests.get(f"{of_run}/seen.png", {"backend": mine["name"]}, timeout=30)
    assert seen.status_code == (200 if protocol == "grpc" else 404), seen.text
    question = {"run": report["run_id"], "backend": mine["name"]}
    answer = requests.post(f"{app.url}/api/classify", CAT.read_bytes(), params=question, timeout=30).json()
    assert answer["backend"] == mine["name"], answer

    again = requests.post(f"{app.url}/api/runs/{report['run_id']}/repeats", json={"repeats": 2}, timeout=30)
    assert again.status_code == 202, again.text
    app.finished(report["run_id"])
    requests.get(f"{app.url}{again.json()['events_url']}", timeout=60)  # to its end
    cells = app.report(report["run_id"])["cells"]
    assert [cell["count"] for cell in cells if cell["backend_name"] == mine["name"]] == [5, 5]


def test_a_follow_up_asks_an_added_server_only_where_that_is_still_allowed(web: Flask, asked: Asked) -> None:
    client = use(web, asked, Names(["10.1.2.3"]))
    run_id = finished(client, servers=json.dumps([MINE]))
    repeats = {"repeats": 1}
    use(web, asked, Names(["10.1.2.3"]), add_servers="off")
    assert refused(client.post(f"/api/runs/{run_id}/repeats", json=repeats)) == (403, "servers_not_allowed")
    use(web, asked, Names(["10.1.2.3"]), add_servers="on", add_servers_allowed="192.168.0.0/16")
    assert refused(client.post(f"/api/runs/{run_id}/repeats", json=repeats)) == (422, "server_refused")
    assert [info.name for info in asked] == ["Mine"]  # when the run began


def test_a_wrong_model_or_port_is_said_as_of_any_backend(app: Any, default_server: Any) -> None:
    def state(**mine: str) -> tuple[str, str]:
        found = requests.post(f"{app.url}/api/backends/test", json=mine, timeout=30).json()
        return found["state"], found["detail"]

    address = default_server.grpc_address
    assert state(address=address, model="other") == (
        "wrong_model",
        "This server has no model named other. Change the model's name.",
    )
    nobody = state(address="127.0.0.1:9", model=MODEL)
    assert nobody == ("down", "No answer at 127.0.0.1:9 (connection refused). Is the server running?")
