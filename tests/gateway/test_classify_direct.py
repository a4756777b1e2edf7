"""POST /classify: a model server answers at once, past the queue; the photo is sent as it is."""

from __future__ import annotations

import hashlib
import io

import pytest
import requests
from PIL import Image

from gateway.app import create_app
from gateway.config import Settings
from tests.support.queue.photos import png


def ask(gateway, data: bytes, **options: str) -> requests.Response:
    return requests.post(f"{gateway.url}/classify", data=data, params=options, timeout=60)


def test_a_photo_is_answered_with_the_keys_of_the_pages_classify(gateway):
    answer = ask(gateway, png())
    found = answer.json()
    assert answer.status_code == 200, found
    assert found["top"] == [{"label": "tabby", "score": 0.7}, {"label": "tiger cat", "score": 0.2}]
    assert (found["backend"], found["model_version"], found["run_id"]) == ("1 CPU", 1, None)
    assert found["sent"]["sha256"] == hashlib.sha256(png()).hexdigest()
    assert found["stages_ms"]["decode"] is None, "nothing is decoded here"
    assert found["stages_ms"]["request"] > 0
    form = requests.post(f"{gateway.url}/classify", files={"file": ("cat.png", png())}, timeout=60).json()
    assert form["photo"]["name"] == "cat.png" and form["top"] == found["top"]


def test_a_backend_is_chosen_by_its_name(gateway):
    gone = ask(gateway, png(), backend="gone")
    assert (gone.status_code, gone.json()["code"]) == (502, "no_answer")
    unknown = ask(gateway, png(), backend="8 CPU")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "no_such_backend")
    assert "1 CPU, gone" in unknown.json()["detail"]


def webp() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "WEBP")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "options", "status", "code"),
    [
        (b"", {}, 400, "no_file"),
        (b"hello", {}, 415, "not_an_image"),
        (webp(), {}, 415, "format_not_read"),
        (png()[:20], {}, 422, "truncated"),
        (png(), {"size": "128"}, 422, "bad_query"),
    ],
)
def test_what_can_not_be_sent_as_it_is_is_refused(gateway, data, options, status, code):
    answer = ask(gateway, data, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_two_photos_are_too_many(gateway):
    files = [("file", ("a.png", png())), ("file", ("b.png", png()))]
    answer = requests.post(f"{gateway.url}/classify", files=files, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_files")


def test_without_model_servers_it_says_how_to_name_one():
    answer = create_app(Settings()).test_client().post("/classify", data=png())
    assert (answer.status_code, answer.json["code"]) == (503, "no_backends")
    assert "TF_SERVERS=" in answer.json["detail"]
