"""POST /upload answers with the keys and labels of the 2018 demo."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.processes.webapp_parts import photo_bytes, serving
from webapp.routes.upload2018 import answer_2018

FILE_KEYS = {"filename", "content_type", "filesize", "server_names", "sizes", "derivatives"}
DERIVATIVE_KEYS = {
    *("filename", "resized", "image_size", "format", "filesize", "filesize_percent"),
    *("resize_duration", "average_precision", "average_duration", "predictions"),
}
PREDICTION_KEYS = {"results", "predict_duration", "total_duration", "precision"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    with serving(tmp_path, tf_servers="1 CPU:127.0.0.1:9;GPU:127.0.0.1:9") as app:
        yield app.test_client()


def upload(client: FlaskClient, name: str = "cat.png", **fields: str) -> Any:
    return client.post("/upload", data={"file": (io.BytesIO(photo_bytes()), name), **fields})


def variant(variant_id: str, **changes: Any) -> dict[str, Any]:
    made = {
        "id": variant_id,
        "size_px": 512,
        "width_px": 442,
        "height_px": 512,
        "format": "jpeg",
        "size_bytes": 400,
        "percent_of_original": 40.0,
        "resize_ms": 20.0,
        "encode_ms": 5.0,
        "is_reference": False,
    }
    return made | changes


def cell(variant_id: str, backend: str, **changes: Any) -> dict[str, Any]:
    made = {
        "variant_id": variant_id,
        "backend_name": backend,
        "count": 3,
        "p50_ms": 100.0,
        "top": [{"label": "tabby", "score": 0.7}],
        "top5_overlap": 0.8,
        "failure_reasons": [],
    }
    return made | changes


def report(*cells: dict[str, Any]) -> dict[str, Any]:
    source = {"name": "moi.jpg", "media_type": "image/jpeg", "size_bytes": 1000}
    original = variant("original", width_px=550, height_px=636, is_reference=True, percent_of_original=100.0)
    return {"source": source, "variants": [original, variant("512-jpeg-85")], "cells": cells, "failure": None}


def test_the_answer_has_exactly_the_keys_of_2018(client: FlaskClient) -> None:
    answer = upload(client)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    (file,) = answer.json["files"]
    assert set(file) == FILE_KEYS
    assert file["server_names"] == ["1 CPU", "GPU"]
    assert file["sizes"] == list(file["derivatives"])
    assert file["sizes"][:2] == ["Orig. 2048x2048", "2048x2048"]
    for derivative in file["derivatives"].values():
        assert set(derivative) == DERIVATIVE_KEYS
        for prediction in derivative["predictions"].values():
            assert set(prediction) == PREDICTION_KEYS


def test_it_is_a_run_like_any_other_and_stands_in_the_history(client: FlaskClient) -> None:
    upload(client)
    (run,) = client.get("/api/runs").json["runs"]  # type: ignore[index]
    assert (run["name"], run["state"]) == ("cat.png", "done")


def test_fields_that_old_scripts_send_are_ignored(client: FlaskClient) -> None:
    assert upload(client, upload="Upload", anything="else").status_code == 200


def test_the_original_is_the_reference_and_a_variant_names_its_box() -> None:
    (file,) = answer_2018(report(cell("original", "GPU"), cell("512-jpeg-85", "GPU")))["files"]
    original, small = file["derivatives"]["Orig. 550x636"], file["derivatives"]["512x512"]
    assert (original["resized"], original["filename"], original["resize_duration"]) == (
        "Reference",
        "moi.jpg",
        0,
    )
    assert (small["resized"], small["filename"], small["image_size"]) == (
        "512x512",
        "moi.512x512.jpg",
        "442x512",
    )


def test_durations_are_seconds_and_the_total_includes_resizing() -> None:
    (file,) = answer_2018(report(cell("512-jpeg-85", "GPU"), cell("512-jpeg-85", "CPU", p50_ms=300.0)))[
        "files"
    ]
    small = file["derivatives"]["512x512"]
    assert small["resize_duration"] == pytest.approx(0.025)
    assert small["predictions"]["GPU"]["predict_duration"] == pytest.approx(0.1)
    assert small["predictions"]["GPU"]["total_duration"] == pytest.approx(0.125)
    assert small["average_duration"] == pytest.approx(0.2)


def test_precision_is_the_share_of_the_top_5_kept_in_percent() -> None:
    cells = cell("512-jpeg-85", "GPU"), cell("512-jpeg-85", "CPU", top5_overlap=1.0)
    (file,) = answer_2018(report(*cells))["files"]
    small = file["derivatives"]["512x512"]
    assert small["predictions"]["GPU"]["precision"] == 80.0
    assert small["predictions"]["CPU"]["precision"] == 100.0
    assert small["average_precision"] == 90.0


def test_a_server_that_failed_is_left_out_and_the_others_stay() -> None:
    dead = cell("512-jpeg-85", "CPU", count=0, p50_ms=None, top=[], top5_overlap=None)
    (file,) = answer_2018(report(cell("512-jpeg-85", "GPU"), dead))["files"]
    assert file["server_names"] == ["GPU"]
    assert set(file["derivatives"]["512x512"]["predictions"]) == {"GPU"}


def test_no_answer_at_all_is_a_problem_that_says_why(client: FlaskClient) -> None:
    answer = upload(client, "die-soon.png")  # of its requests only warm-ups were answered
    assert (answer.status_code, json.loads(answer.data)["code"]) == (502, "no_answers")
    dead = cell(
        "original", "GPU", count=0, failure_reasons=[{"code": "unreachable", "message": "GPU is down."}]
    )
    with pytest.raises(Exception, match="GPU is down"):
        answer_2018(report(dead))


@pytest.mark.parametrize(("name", "status"), [("refuse-me.png", 422), ("", 400)])
def test_a_bad_upload_is_refused_as_everywhere(client: FlaskClient, name: str, status: int) -> None:
    answer = upload(client, name)
    assert answer.status_code == status
    assert json.loads(answer.data)["type"].startswith("urn:pixelcost:problem:")
