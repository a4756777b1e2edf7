"""Models of the catalogue as further embedded backends: started, measured beside the first, and stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from experiment.embedded.cores import cores_for_one_more
from experiment.embedded.more_models import MoreModels, Wanted, read_wanted, write_wanted
from experiment.embedded.supervisor import EmbeddedServers
from models.catalogue.table import DEFAULT
from tests.support.processes.app_process import CAT, is_alive
from tests.support.processes.serving_process import default_model_dir
from tests.support.processes.webapp_parts import NOWHERE, eventually, refused, services_of, serving
from webapp.added_models import LEAST_MEMORY_BYTES, AddedModels

NAME = f"{DEFAULT} on 1 CPU"


def row(name: str, **changes: Any) -> dict[str, Any]:
    """A model of the catalogue as the supervisor lists it."""
    stopped = {
        "to_download_mb": None,
        "can_be_had": True,
        "backend_name": None,
        "state": "stopped",
        "detail": "",
    }
    return {"name": name, "title": name.title(), "side_px": 224, "parameters": 1, **stopped, **changes}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    """An app whose supervisor is a file."""
    with serving(tmp_path) as app:
        services = services_of(app)
        services.settings = replace(services.settings, embedded_state=str(tmp_path / "embedded.json"))
        rows = [
            row("here"),
            row("away", to_download_mb=96),
            row("never", can_be_had=False),
            *map(row, "abcd"),
        ]
        services.models = AddedModels(services.settings, lambda: rows, lambda: 10 * LEAST_MEMORY_BYTES)
        yield app


def start(web: Flask, name: str, **body: Any) -> Any:
    return web.test_client().post(f"/api/models/{name}/start", json=body)


def test_what_is_wanted_is_written_for_the_supervisor(web: Flask, tmp_path: Path) -> None:
    assert start(web, "here", cpus=2).status_code == 202
    assert read_wanted(tmp_path) == {"here": Wanted("here", 2)}
    assert refused(start(web, "here")) == (409, "model_refused")
    client = web.test_client()
    assert client.post("/api/models/here/stop").status_code == 202
    assert read_wanted(tmp_path) == {}
    assert refused(client.post("/api/models/here/stop")) == (409, "model_refused")


def test_nothing_is_downloaded_before_somebody_was_told_how_much(web: Flask, tmp_path: Path) -> None:
    answer = start(web, "away")
    assert refused(answer) == (409, "needs_download")
    assert "about 96 MB" in json.loads(answer.data)["detail"]
    assert read_wanted(tmp_path) == {}
    assert start(web, "away", download=True).status_code == 202


@pytest.mark.parametrize(
    ("name", "body", "problem"),
    [
        ("other", {}, (404, "no_such_model")),
        ("..%2Fx", {}, (404, "not_found")),
        ("never", {}, (409, "model_refused")),
        ("here", {"cpus": 0}, (422, "bad_query")),
        ("here", {"cpus": "1"}, (422, "bad_query")),
        ("here", {"download": 1}, (422, "bad_query")),
        ("here", {"base_path": "/etc"}, (422, "bad_query")),
    ],
)
def test_what_can_not_be_started_is_refused(
    web: Flask, tmp_path: Path, name: str, body: Mapping[str, Any], problem: tuple[int, str]
) -> None:
    assert refused(start(web, name, **body)) == problem
    assert read_wanted(tmp_path) == {}


def test_three_models_are_the_most_and_a_full_machine_gets_none(web: Flask, tmp_path: Path) -> None:
    assert [start(web, name).status_code for name in "abcd"] == [202, 202, 202, 409]
    services = services_of(web)
    services.models = AddedModels(services.settings, lambda: [row("here")], lambda: LEAST_MEMORY_BYTES - 1)
    write_wanted(tmp_path, {})
    answer = start(web, "here")
    assert refused(answer) == (409, "model_refused")
    assert "GB of memory free" in json.loads(answer.data)["detail"]


def test_what_failed_can_be_tried_again(web: Flask, tmp_path: Path) -> None:
    services = services_of(web)
    rows = [row("here", state="failed", detail="No network.")]
    services.models = AddedModels(services.settings, lambda: rows, lambda: None)
    write_wanted(tmp_path, {"here": Wanted("here")})
    assert start(web, "here").status_code == 202
    assert read_wanted(tmp_path)["here"].attempt == 2


def test_where_servers_may_not_be_added_or_are_not_ours_no_model_is_offered(tmp_path: Path) -> None:
    for changes, words in (({"host": "0.0.0.0"}, "PIXELCOST_ADD_SERVERS"), ({}, "make run")):
        with serving(tmp_path, **changes) as app:
            answer = app.test_client().get("/api/models").json
            assert answer["models"] == []
            assert words in answer["why_not"]
            assert refused(start(app, "here")) == (403, "servers_not_allowed")


@pytest.mark.parametrize(
    ("wanted", "taken", "cores", "chosen"),
    [
        (1, {7}, range(8), (6,)),
        (2, {2, 3}, range(4), (2, 3)),  # only one is free beside the first: it shares
        (1, {1}, range(2), (1,)),
        (8, set(), range(2), (0, 1)),
    ],
)
def test_a_further_backend_gets_cores_that_nobody_has_if_there_are_enough(wanted, taken, cores, chosen):
    assert cores_for_one_more(wanted, taken, cores) == chosen


def test_a_model_that_can_not_be_downloaded_is_no_backend_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    further = MoreModels(tmp_path, weights_url=f"http://{NOWHERE}")
    with EmbeddedServers(tmp_path, {"name": "none", "base_path": ""}, (), further) as servers:

        def mobilenet() -> dict[str, Any]:
            rows = json.loads(servers.state_path.read_text())["catalogue"]
            return next((row for row in rows if row["name"] == "mobilenet-v2"), {})

        eventually(mobilenet, timeout_s=60)
        write_wanted(tmp_path, {"mobilenet-v2": Wanted("mobilenet-v2", 2)})
        loading = eventually(servers.infos, timeout_s=60)[0]
        assert (loading.name, loading.state) == ("mobilenet-v2 on 2 CPU", "loading")
        assert loading.detail == "Downloading about 15 MB, then exporting the model."
        eventually(lambda: mobilenet()["state"] == "failed", timeout_s=60)
        assert "can't be reached" in mobilenet()["detail"]
        assert servers.infos() == []


@pytest.mark.browser
def test_a_model_is_started_on_the_page_measured_beside_the_first_and_stopped(app: Any, visit: Any) -> None:
    shutil.copytree(default_model_dir(), app.data_dir / "models" / DEFAULT, dirs_exist_ok=True)  # as exported
    page = visit.open("/")
    page.click("#backends-button")
    page.click("#add-server")
    page.click("#model-add summary")
    big = page.locator("[data-model=resnet-50] button")
    assert big.inner_text() in {"Download 103 MB and start", "Start"}  # the latter where it was downloaded
    page.click(f"[data-model={DEFAULT}] button")
    page.wait_for_selector(f"[data-model={DEFAULT}]:has-text('runs')")
    page.wait_for_selector(f"#asked input[value='{NAME}']", state="attached")
    assert NAME in page.locator("#backend-chips").inner_text()

    served = app.backends()[NAME]
    assert (served["state"], served["embedded"], served["model"], served["cpus"]) == (
        "ready",
        True,
        DEFAULT,
        1,
    )
    plan = {
        "sizes_px": [64],
        "formats": ["jpeg"],
        "warmups": 1,
        "repeats": 3,
        "backend_names": ["1 CPU", NAME],
    }
    report = app.finished(app.post_run(CAT.read_bytes(), json.dumps(plan)).json()["id"])
    assert {(cell["backend_name"], cell["count"]) for cell in report["cells"]} == {("1 CPU", 3), (NAME, 3)}

    page.click(f"[data-model={DEFAULT}] button")
    page.wait_for_selector(f"#asked input[value='{NAME}']", state="detached")
    eventually(lambda: not is_alive(served["pid"]), timeout_s=60)
    assert NAME not in app.backends()
