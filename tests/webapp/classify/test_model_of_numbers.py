"""A model of numbers beside one of pictures: named as such before anything is sent, over both protocols."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.support.models.servables import servable
from tests.support.processes.serving_process import ServingProcess, start_server
from tests.support.processes.web_process import WebProcess, web_process
from webapp.worker.process import WORKER_COMMAND

SENTENCE = "This model takes 784 numbers (float), not pictures, so no photo is sent to it."
BOTH = ["Digits", "Digits over REST"]


def over_both(name: str, server: ServingProcess) -> str:
    """The server as TF_SERVERS has it, with REST."""
    return f"{name}:{server.grpc_address}?rest={server.rest_url.partition('/v1/')[0].rpartition(':')[2]}"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, default_server: ServingProcess) -> Iterator[WebProcess]:
    folder = tmp_path_factory.mktemp("web")
    with start_server(model_dir=servable("digits")) as digits:
        servers = f"{over_both('Digits', digits)};{over_both('Photos', default_server)}"
        with web_process(folder, worker_command=WORKER_COMMAND, TF_SERVERS=servers) as web:
            yield web


def post(web: WebProcess, names: list[str] | None) -> requests.Response:
    plan = {"sizes_px": [32], "formats": ["jpeg"], "repeats": 1, "warmups": 0, "backend_names": names}
    return web.post(plan=json.dumps(plan))


def test_the_backends_say_what_the_model_takes(web: WebProcess) -> None:
    rows = {row["name"]: row for row in web.get("/api/backends").json()["backends"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "Digits": "wrong_signature",
        "Digits over REST": "wrong_signature",
        "Photos": "ready",
        "Photos over REST": "ready",
    }
    assert all(rows[name]["detail"].startswith(SENTENCE) for name in BOTH)


@pytest.mark.parametrize("names", [["Digits"], ["Digits over REST"], BOTH])
def test_a_run_on_such_models_alone_is_refused_with_the_sentence(web: WebProcess, names: list[str]) -> None:
    refused = post(web, names)
    assert (refused.status_code, refused.json()["code"]) == (422, "plan_refused")
    assert [problem.partition(SENTENCE)[0] for problem in refused.json()["problems"]] == [
        f"{name} can't be measured: " for name in names
    ]


@pytest.mark.parametrize("names", [None, [*BOTH, "Photos", "Photos over REST"]])
def test_a_run_leaves_such_models_out_and_the_report_says_why(
    web: WebProcess, names: list[str] | None
) -> None:
    report = web.finished(post(web, names).json()["id"])
    asked = 1 if names is None else 2
    assert report["requests"] == {"planned": 2 * asked, "done": 2 * asked, "failed": 0, "not_sent": 0}
    said = [warning["message"] for warning in report["warnings"] if warning["code"] == "W8"]
    left_out = ["Digits"] if names is None else BOTH
    assert [words.partition(SENTENCE)[0] for words in said] == [f"{name} was left out: " for name in left_out]
    assert report["recommendation"]["backend_name"].startswith("Photos")
