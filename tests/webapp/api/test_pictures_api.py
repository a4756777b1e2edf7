"""The small pictures of a run: made by the real timing process, served, named in events and in the report."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from experiment.decide.other_goals import judged
from experiment.export.import_report import read_report
from experiment.export.report_json import SCHEMA
from tests.support.photo_sets import blind_when_small, colour_server, photo
from tests.support.processes.app_process import CAT
from tests.support.processes.webapp_parts import eventually, finished, refused, services_of, serving
from tests.support.reports import closed
from webapp.store.sample import FILE
from webapp.worker.process import WORKER_COMMAND

PLAN = {"sizes_px": [64, 24], "formats": ["png", "jpeg"], "warmups": 1, "repeats": 2}
KEYS = ["24-jpeg-85", "24-png", "64-jpeg-85", "64-png", "original"]


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app beside a model server that calls everything blue below 32 px."""
    folder = tmp_path_factory.mktemp("pictures")
    with (
        colour_server(blind_when_small) as address,
        serving(folder, WORKER_COMMAND, tf_servers=f"eye:{address}") as app,
    ):
        yield app


@pytest.fixture(scope="module")
def user(measuring: Flask) -> FlaskClient:
    return measuring.test_client()


@pytest.fixture(scope="module")
def searched(user: FlaskClient) -> str:
    """A run with a search for the breaking point."""
    run_id = finished(user, name="red.jpg", data=photo("red", 1, 400), plan=PLAN)
    assert user.post(f"/api/runs/{run_id}/breaking-point").status_code == 202
    rows = f"/api/runs/{run_id}/follow-ups"
    eventually(lambda: user.get(rows).json["follow_ups"][0]["state"] == "done", 60)  # type: ignore[index]
    return run_id


def events(client: FlaskClient, url: str, kind: str) -> list[dict[str, Any]]:
    blocks = client.get(url).text.split("\n\n")
    data = [block.partition("data: ")[2] for block in blocks if f"event: {kind}\n" in block]
    return [json.loads(text) for text in data]


def test_every_variant_has_a_picture_that_its_event_and_the_report_name(
    user: FlaskClient, searched: str
) -> None:
    report: dict[str, Any] = user.get(f"/api/runs/{searched}").json  # type: ignore[assignment]
    variants = events(user, f"/api/runs/{searched}/events", "variant")

    assert [key for key in report["has_pictures"] if not key.startswith("step-")] == KEYS
    assert [event["picture"] for event in variants] == [event["id"] for event in variants]
    for variant in report["variants"]:
        answer = user.get(f"/api/runs/{searched}/thumbs/{variant['id']}")
        assert (answer.status_code, answer.mimetype) == (200, "image/webp")
        with Image.open(io.BytesIO(answer.data), formats=["WEBP"]) as picture:
            assert max(picture.size) == min(192, variant["size_px"])


def test_every_step_of_a_search_has_a_picture_under_the_run_and_under_the_follow_up(
    user: FlaskClient, searched: str
) -> None:
    report: dict[str, Any] = user.get(f"/api/runs/{searched}").json  # type: ignore[assignment]
    (follow_up,) = user.get(f"/api/runs/{searched}/follow-ups").json["follow_ups"]  # type: ignore[index]
    steps = report["breaking_points"][0]["steps"]
    keys = [f"step-{step['size_px']}-{step['quality']}" for step in steps]

    assert {key for key in report["has_pictures"] if key.startswith("step-")} == set(keys)
    assert [event["picture"] for event in events(user, follow_up["events_url"], "step")] == keys
    smallest = f"step-{min(step['size_px'] for step in steps)}-85"
    bodies = {user.get(f"/api/runs/{id_}/thumbs/{smallest}").data for id_ in (searched, follow_up["id"])}
    assert len(bodies) == 1
    assert bodies.pop().startswith(b"RIFF")


def test_a_picture_is_private_and_sent_only_once(user: FlaskClient, searched: str) -> None:
    first = user.get(f"/api/runs/{searched}/thumbs/original")
    again = user.get(
        f"/api/runs/{searched}/thumbs/original", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert first.headers["Cache-Control"].startswith("private")
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("key", ["512-png", "step-1-1", "..%2f..%2fetc", "original.webp", "%00", "x" * 5000])
def test_a_key_without_picture_is_answered_with_a_problem(user: FlaskClient, searched: str, key: str) -> None:
    assert refused(user.get(f"/api/runs/{searched}/thumbs/{key}"))[0] == 404


def test_a_run_that_is_gone_has_no_pictures(user: FlaskClient) -> None:
    assert refused(user.get("/api/runs/nowhere/thumbs/original")) == (404, "no_such_run")


def test_pictures_count_as_the_runs_bytes_and_are_removed_with_it(
    measuring: Flask, user: FlaskClient
) -> None:
    store = services_of(measuring).store
    run_id = finished(user, name="red.jpg", data=photo("red", 2, 100), plan=PLAN)
    pictures = store.thumbs.all(run_id)
    sent = sum(len(b"".join(store.blob(run_id, key) or ())) for key in KEYS)

    def stored() -> int:
        return sum(
            len(event.data) + len(event.scores or "") for event in store.events(run_id, with_scores=True)
        )

    shown = sum(len(each.data) for each in pictures.values())
    assert list(pictures) == KEYS
    eventually(lambda: store.run(run_id).size_bytes == stored() + sent + shown)
    eventually(lambda: user.delete(f"/api/runs/{run_id}").status_code == 204)  # 202 while it leaves the queue
    assert store.thumbs.all(run_id) == {}


def test_a_run_of_an_older_version_has_no_pictures_and_is_shown(client: FlaskClient) -> None:
    run_id = finished(client)  # by a timing process that sends none

    assert client.get(f"/api/runs/{run_id}").json["has_pictures"] == []  # type: ignore[index]
    assert refused(client.get(f"/api/runs/{run_id}/thumbs/original")) == (404, "no_such_picture")


def test_every_file_of_a_run_carries_its_pictures(user: FlaskClient, searched: str) -> None:
    url = f"/api/runs/{searched}"
    report: dict[str, Any] = user.get(url).json  # type: ignore[assignment]
    saved: dict[str, Any] = user.get(f"{url}.json").json  # type: ignore[assignment]
    with zipfile.ZipFile(io.BytesIO(user.get(f"{url}.zip").data)) as archive:
        zipped = json.loads(archive.read("report.json"))

    assert "pictures" not in report
    assert set(saved["pictures"]) == set(zipped["pictures"]) == set(report["has_pictures"])
    for key, row in saved["pictures"].items():
        data = base64.b64decode(row["base64"])
        assert data == user.get(f"{url}/thumbs/{key}").data
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (row["width_px"], row["height_px"])
    page = user.get(f"{url}.html").text
    assert page.count('src="data:image/webp;base64,') == len(report["has_pictures"])
    assert "✕ answer changed" in page


# The sample run


def test_the_sample_run_answers_every_reading_route_and_says_what_it_was_measured_on(
    client: FlaskClient,
) -> None:
    report: dict[str, Any] = client.get("/api/runs/sample").json  # type: ignore[assignment]

    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(report)
    assert report["run_id"] == "sample"
    assert report["source"]["name"] == "cat.png"
    assert report["environment"]["cpu_model"]
    assert {"original", "16-jpeg-85", "16-png", "16-webp-80"} <= set(report["has_pictures"])
    for path in (
        ".json",
        ".csv",
        ".html",
        "/figures",
        "/deciding",
        "/events",
        "/follow-ups",
        "/thumbs/original",
    ):
        assert client.get(f"/api/runs/sample{path}").status_code == 200, path
    assert client.get("/api/runs/sample/variants/16-png/figures").status_code == 200
    assert client.get("/api/runs/sample/compare?with=sample").status_code == 200
    page = client.get("/runs/sample")
    assert page.status_code == 200
    assert report["recommendation"]["sentence"].partition(".")[0] in html.unescape(page.text)
    saved: dict[str, Any] = client.get("/api/runs/sample.json").json  # type: ignore[assignment]
    assert set(saved["pictures"]) == set(report["has_pictures"])


def test_the_sample_run_is_a_report_that_can_be_imported_and_is_judged_as_this_version_does(
    client: FlaskClient,
) -> None:
    packaged = read_report(FILE.read_bytes(), FILE.name)
    report: dict[str, Any] = client.get("/api/runs/sample").json  # type: ignore[assignment]

    assert FILE.stat().st_size < 250_000
    assert len(client.get("/api/runs/sample.html").data) < 1_600_000
    assert packaged["source"]["sha256"] == hashlib.sha256(CAT.read_bytes()).hexdigest()
    assert packaged["plan"]["repeats"] == 20
    assert packaged["breaking_points"]
    assert report["recommendation"] == judged(packaged)["recommendation"]


def test_the_sample_run_is_in_no_history_and_stays(client: FlaskClient) -> None:
    assert client.get("/api/runs").json["runs"] == []  # type: ignore[index]
    assert refused(client.delete("/api/runs/sample")) == (409, "sample_run")
    assert refused(client.post("/api/runs/sample/repeats", json={"repeats": 1})) == (422, "sample_run")
    assert client.get("/api/runs/sample").status_code == 200


# Addresses that answer .json


@pytest.mark.parametrize("path", ["/.json", "/index.json"])
def test_the_start_page_answers_as_json(client: FlaskClient, path: str) -> None:
    answer: dict[str, Any] = client.get(path).json  # type: ignore[assignment]

    assert answer["config"]["plan"]["repeats"] >= 1
    assert [row["name"] for row in answer["backends"]["backends"]] == ["1 CPU"]


def test_a_runs_page_answers_as_json(client: FlaskClient) -> None:
    run_id = finished(client)

    assert client.get(f"/runs/{run_id}.json").json == client.get(f"/api/runs/{run_id}").json
    assert client.get("/runs/sample.json").json == client.get("/api/runs/sample").json


@pytest.mark.parametrize("path", ["/nothing.json", "/runs/nowhere.json", "/runs/a/b.json"])
def test_an_address_without_a_page_answers_json_with_a_problem(client: FlaskClient, path: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    assert refused(client.get(path, headers=browser))[0] == 404


# The card


def test_the_card_of_a_run_is_a_png_of_1200_x_630_with_its_pictures(user: FlaskClient, searched: str) -> None:
    answer = user.get(f"/api/runs/{searched}/card.png")
    again = user.get(f"/api/runs/{searched}/card.png", headers={"If-None-Match": answer.headers["ETag"]})

    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    with Image.open(io.BytesIO(answer.data)) as card:
        assert card.size == (1200, 630)
        colours = card.convert("RGB").getcolors(1 << 20) or []
    reds = sum(count for count, (red, green, blue) in colours if red > 180 and green < 60 and blue < 60)
    assert reds > 10_000  # the photo is red
    assert again.status_code == 304
    page = user.get(f"/runs/{searched}").text
    assert f'property="og:image" content="http://localhost/api/runs/{searched}/card.png"' in page


def test_every_ended_run_has_a_card_and_others_have_none(client: FlaskClient) -> None:
    without_pictures = finished(client)

    for run_id in (without_pictures, "sample"):
        assert client.get(f"/api/runs/{run_id}/card.png").mimetype == "image/png"
    assert refused(client.get("/api/runs/nowhere/card.png")) == (404, "no_such_run")
    assert "static/social-card.png" in client.get("/").text
