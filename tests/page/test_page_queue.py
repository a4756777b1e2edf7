"""A model server asked directly and through a queue, side by side: real Redis, worker, model and browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from experiment.codec import from_dict
from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from experiment.records import BackendInfo
from jobs.infer.answerer import model_answerer
from tests.support.processes.app_process import CAT
from tests.support.processes.browser import visiting
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.queue.parts import running_worker
from tests.support.queue.redis_server import running_redis
from webapp.worker.process import WORKER_COMMAND

PASSWORD = "s3cret"
PLAN = {"sizes_px": [64], "formats": ["jpeg"], "repeats": 6, "warmups": 1}
STAGES = {"queue_wait", "batch_wait", "service", "queue", "decode", "inference"}


@pytest.fixture(scope="module")
def model_server(app) -> BackendInfo:
    """The shared app's own server of the default model."""
    rows = requests.get(f"{app.url}/api/backends", timeout=60).json()["backends"]
    return next(from_dict(BackendInfo, row) for row in rows if row["name"] == "1 CPU")


@pytest.fixture(scope="module")
def web(tmp_path_factory, model_server: BackendInfo) -> Iterator[WebProcess]:
    """An app that asks it directly, and through a queue whose Redis wants a password."""
    with running_redis() as url:
        path = url.removeprefix("unix://")
        connection(url).config_set("requirepass", PASSWORD)
        queue = QueueSettings(f"unix://:{PASSWORD}@{path}", "cats")
        about = {"model": model_server.model, "server": model_server.address}
        queued = f"Queued:queue+unix://:{PASSWORD}@{path}?stream=cats&price_per_hour=0.2"
        settings = {
            "TF_SERVERS": f"1 CPU:{model_server.address};{queued}",
            "MODEL_NAME": model_server.model,
        }
        folder, answerer = tmp_path_factory.mktemp("web"), model_answerer(model_server, 30)
        with (
            running_worker(connection(queue.url), queue, answerer, about=about, batch_size=8),
            web_process(folder, worker_command=WORKER_COMMAND, **settings) as web,
        ):
            yield web


@pytest.fixture(scope="module")
def report(web: WebProcess) -> dict:
    run_id = web.post("cat.png", json.dumps(PLAN), CAT.read_bytes()).json()["id"]
    return web.finished(run_id)


def test_both_are_ready_and_the_workers_say_which_model_they_serve(web: WebProcess) -> None:
    direct, queued = web.get("/api/backends").json()["backends"]
    assert (direct["state"], queued["state"]) == ("ready", "ready")
    assert (queued["protocol"], queued["model"], queued["batch_size"], queued["workers"]) == (
        "queue", direct["model"], 8, 1,
    )  # fmt: skip
    assert queued["model_servers"] == [direct["address"]]
    assert "image/webp" in queued["reads"], "found out with jobs of a few pixels"


def test_a_run_measures_both_and_the_queue_has_its_own_stages(report: dict) -> None:
    cells = {(cell["backend_name"], cell["variant_id"]): cell for cell in report["cells"]}
    assert {name for name, _ in cells} == {"1 CPU", "Queued"}
    for (name, variant_id), cell in cells.items():
        assert (cell["count"], cell["failures"]) == (6, 0), cell["reasons"]
        assert set(cell["server_ms"]) == (STAGES if name == "Queued" else {"queue", "decode", "inference"})
        assert cell["top"] == cells["1 CPU", variant_id]["top"], "the same model answers"
        assert cell["batches"] == ([1] * 6 if name == "Queued" else [])
    staged = cells["Queued", "64-jpeg-85"]["server_ms"]
    assert staged["service"] >= staged["inference"]
    assert "W3" not in {warning["code"] for warning in report["warnings"]}, "they took turns"


def test_the_password_is_in_no_answer_and_no_log(web: WebProcess, report: dict) -> None:
    run_id = report["run_id"]
    paths = ["/api/backends", "/api/config", "/metrics", "/readyz", "/", f"/runs/{run_id}", "/api/runs"]
    paths += [f"/api/runs/{run_id}{end}" for end in ("", ".csv", ".html", "/events")]
    paths += [
        f"/api/runs/{run_id}/copy/{kind}?variant=64-jpeg-85&backend=Queued" for kind in ("curl", "python")
    ]
    for path in paths:
        answer = web.get(path)
        assert answer.status_code == 200, path
        assert PASSWORD not in answer.text, path
    assert PASSWORD not in web.log()


def test_a_queue_has_no_request_for_ghz_and_no_decoded_input(web: WebProcess, report: dict) -> None:
    path = f"/api/runs/{report['run_id']}"
    answer = web.get(f"{path}/copy/ghz?variant=64-jpeg-85&backend=Queued")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "Queued takes no request of ghz: copy it as curl or python.",
    )
    answer = web.get(f"{path}/variants/64-jpeg-85/seen.png?backend=Queued")
    assert answer.status_code == 404
    assert "Queued is a queue" in answer.json()["detail"]


def test_a_queue_is_not_put_under_load(web: WebProcess, report: dict) -> None:
    answer = requests.post(
        f"{web.url}/api/runs/{report['run_id']}/load", json={"backend_names": ["Queued"]}, timeout=60
    )
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(
        "Queued can't be put under load: a queue takes what its workers"
    )


@pytest.mark.browser
def test_the_page_shows_queue_wait_batch_and_service(browser, web: WebProcess, report: dict) -> None:
    with visiting(browser, web.url) as visit:
        page = visit.open(f"/runs/{report['run_id']}?sel=64-jpeg-85")
        card = page.locator(".cell-card[aria-label=Queued]")
        card.get_by_text("queue wait").first.wait_for()
        words = card.inner_text()
        assert "batch wait" in words
        assert "(of it queue" in words
        assert "1 job" in words
        assert card.locator(".copy-as button").all_inner_texts() == ["curl", "Python"]
        assert page.get_by_role("button", name="Show for 1 CPU").count() == 1
        assert page.get_by_role("button", name="Show for Queued").count() == 0
        legend = page.locator(".figure-card .legend").first
        legend.wait_for()
        for stage in ("queue wait", "batch wait", "service: to the model", "server: model"):
            assert stage in page.locator("#drawer").inner_text(), stage
