"""POST /api/classify: one answer to one photo, beside the runs and never disturbing one."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import skimage
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from experiment.images.read import read_image
from experiment.images.variants import make_copy
from tests.support.models.servables import servable
from tests.support.processes.serving_process import ServingProcess, start_server
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import (
    NOWHERE,
    eventually,
    finished,
    photo_bytes,
    post,
    refused,
    services_of,
    serving,
)
from tests.support.scripted_server import grpc_server, hanging
from webapp.runs import one_answer
from webapp.runs.one_answer import MOST_AT_ONCE
from webapp.worker.process import WORKER_COMMAND

COFFEE = (Path(skimage.__file__).parent / "data" / "coffee.png").read_bytes()  # 600 x 400
# The original is too large, so the one copy is recommended; its settings are unusual ones.
PLAN: dict[str, Any] = {
    "sizes_px": [256],
    "formats": ["jpeg"],
    "jpeg_qualities": [90],
    "subsamplings": ["4:4:4"],
    "resamplers": ["bicubic"],
    "repeats": 6,
    "max_size_bytes": 40_000,
    "margin_points": 100,
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, default_server: ServingProcess) -> Iterator[WebProcess]:
    """A real server over both protocols, one of numbers, one that hangs, one that is down."""
    rest_port = default_server.rest_url.partition("/v1/")[0].rpartition(":")[2]
    with (
        start_server(model_dir=servable("digits")) as digits,
        grpc_server(hanging(30)) as slow,
        web_process(
            tmp_path_factory.mktemp("web"),
            worker_command=WORKER_COMMAND,
            TF_SERVERS=f"Digits:{digits.grpc_address};Real:{default_server.grpc_address}?rest={rest_port};"
            f"Slow:{slow};Down:{NOWHERE}",
            TF_REQUEST_TIMEOUT="1",
        ) as web,
    ):
        yield web


@pytest.fixture(scope="module")
def run_id(web: WebProcess) -> str:
    """A finished run whose recommendation is a JPEG of 256 px."""
    found: str = web.post("coffee.png", json.dumps({**PLAN, "backend_names": ["Real"]}), COFFEE).json()["id"]
    assert web.finished(found)["recommendation"]["variant_id"] == "256-jpeg-90-444-bicubic"
    return found


def ask(web: WebProcess, data: bytes = COFFEE, **options: Any) -> requests.Response:
    """The photo as the body, the options as a query."""
    return requests.post(f"{web.url}/api/classify", data=data, params=options, timeout=60)


def answered(web: WebProcess, data: bytes = COFFEE, **options: Any) -> dict[str, Any]:
    answer = ask(web, data, **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_photo_is_answered_as_it_is_and_nothing_of_it_is_stored(web: WebProcess) -> None:
    before = web.get("/api/runs").json()
    found = answered(web)
    assert found["top"][0]["label"] == "espresso"
    assert len(found["top"]) == 5 and found["top"][0]["score"] > 0.5
    assert (found["backend"], found["model"], found["model_version"]) == ("Real", "inception", 1)
    sent = found["sent"]
    assert (sent["format"], sent["width_px"], sent["height_px"]) == ("png", 600, 400)
    assert sent["encoder"] == "as uploaded, without metadata"
    assert len(COFFEE) > sent["size_bytes"] > 400_000 and sent["request_bytes"] > sent["size_bytes"]
    assert found["photo"]["size_bytes"] == len(COFFEE)
    stages_ms = found["stages_ms"]
    assert stages_ms["decode"] > 0 and stages_ms["resize"] is None and stages_ms["encode"] is None
    assert stages_ms["request"] >= sum(found["server_ms"].values()) > 0
    assert set(found["server_ms"]) >= {"queue", "decode", "inference"}
    assert web.get("/api/runs").json() == before
    assert not list((web.log_path.parent / "uploads").iterdir())


def test_a_form_says_the_same_as_a_body_and_its_fields_the_same_as_a_query(web: WebProcess) -> None:
    form = requests.post(
        f"{web.url}/api/classify", files={"file": ("my coffee.png", COFFEE)}, data={"size": "256"}, timeout=60
    ).json()
    body = answered(web, size=256)
    assert form["top"] == body["top"] and form["sent"] == body["sent"]
    assert (form["photo"]["name"], body["photo"]["name"]) == ("my coffee.png", "body")


def test_size_format_quality_and_backend_are_done_as_asked(web: WebProcess) -> None:
    found = answered(web, size=128, format="webp", quality=50, backend="Real over REST")
    made = make_copy(read_image(COFFEE, "x"), 128, "lanczos", "webp", {"quality": 50})
    assert found["sent"]["sha256"] == made.sha256 and found["sent"]["size_bytes"] == made.size_bytes
    assert (found["backend"], found["model_version"]) == ("Real over REST", 1)
    assert found["sent"]["request_bytes"] > made.size_bytes * 4 / 3  # base64
    assert min(found["stages_ms"].values()) > 0
    assert found["done"] == "128 px WebP q50, resized with Lanczos, was sent to Real over REST once."


def test_a_photo_is_turned_upright_as_the_reference_of_a_run_is(web: WebProcess) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(COFFEE)).transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    found = answered(web, file.getvalue())
    assert found["photo"]["notes"] == ["Turned upright (EXIF orientation 6)."]
    assert (found["sent"]["width_px"], found["sent"]["height_px"]) == (600, 400)
    assert found["top"] == answered(web)["top"]


def test_what_a_run_recommends_is_done_to_the_byte_if_it_was_the_only_size(
    web: WebProcess, run_id: str
) -> None:
    report = web.get(f"/api/runs/{run_id}").json()
    recommended = next(row for row in report["variants"] if row["id"] == "256-jpeg-90-444-bicubic")
    found = answered(web, run=run_id)
    assert found["sent"]["sha256"] == recommended["sha256"]
    assert (found["backend"], found["run_id"]) == ("Real", run_id)
    cell = next(cell for cell in report["cells"] if cell["variant_id"] == recommended["id"])
    assert found["top"] == cell["top"]
    elsewhere = answered(web, run=run_id, backend="Real over REST")
    assert elsewhere["sent"]["sha256"] == recommended["sha256"] and elsewhere["backend"] == "Real over REST"


def test_a_run_can_be_judged_by_other_goals_than_its_own(web: WebProcess, run_id: str) -> None:
    assert answered(web, run=run_id, max_size_bytes="none", margin_points=0)["sent"]["width_px"] == 600
    assert problem(ask(web, run=run_id, max_size_bytes=10)) == (422, "no_recommendation")
    assert problem(ask(web, run=run_id, max_size_bytes="x")) == (422, "bad_query")


def test_a_photo_smaller_than_a_run_recommends_keeps_its_size(web: WebProcess, run_id: str) -> None:
    found = answered(web, photo_bytes(64, 48), run=run_id)
    assert (found["sent"]["width_px"], found["sent"]["height_px"], found["sent"]["format"]) == (
        64,
        48,
        "jpeg",
    )
    assert found["done"].endswith("The photo is smaller than 256 px.")


def test_what_was_done_names_every_setting_once(web: WebProcess, run_id: str) -> None:
    found = answered(web, run=run_id)
    assert found["done"] == "256 px JPEG q90 4:4:4, resized with Bicubic, was sent to Real once."


def test_a_run_that_recommends_nothing_or_does_not_exist_can_not_be_followed(
    web: WebProcess, run_id: str
) -> None:
    assert problem(ask(web, run="no-such")) == (404, "no_such_run")
    plan = {**PLAN, "backend_names": ["Down"], "repeats": 1, "warmups": 0}
    other = web.post("coffee.png", json.dumps(plan), COFFEE).json()["id"]
    web.finished(other)
    answer = ask(web, run=other)
    assert problem(answer) == (422, "no_recommendation")
    assert answer.json()["detail"].startswith(f"Run {other} recommends nothing. ")
    both = ask(web, run=run_id, size=128, quality=3)
    assert problem(both) == (422, "bad_query") and "leave out size, quality" in both.json()["detail"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 601}, "size is 601 px, but this photo is 600 x 400 px. Nothing is enlarged"),
        ({"size": 8}, "size must be a whole number from 16 to 8192, not 8."),
        ({"size": "1e3"}, "size must be a whole number from 16 to 8192"),
        ({"size": "٢٥٦"}, "size must be"),
        ({"size": "9" * 400}, "size must be"),
        ({"format": "gif"}, "format must be one of png, jpeg"),
        ({"quality": 0, "format": "tiff"}, "quality must be a whole number from 1 to 100, not 0."),
        ({"quality": 85, "format": "png"}, "PNG is lossless: leave quality out."),
        ({"sise": 256}, "Unknown: sise. Known: backend, size, format, quality, run, max_p50_ms"),
        ({"max_p50_ms": 10}, "max_p50_ms needs run=, whose results it judges."),
        ({"run": "a\0b"}, "An option has characters that are not text."),
        ({"size": [128, 256]}, "An option was sent twice."),
        ({"run": ""}, "Empty: run. Give it a value, or leave it out."),
        ({"size": " ", "backend": "Real"}, "Empty: size."),
    ],
)
def test_what_can_not_be_done_is_refused_with_a_sentence(
    web: WebProcess, options: dict[str, Any], words: str
) -> None:
    answer = ask(web, **options)
    assert problem(answer) == (422, "bad_query")
    assert words in answer.json()["detail"]


def test_a_backend_that_is_unknown_or_takes_numbers_is_refused_before_anything_is_sent(
    web: WebProcess,
) -> None:
    unknown = ask(web, backend="No such")
    assert problem(unknown) == (422, "no_such_backend")
    assert "Backends: Digits, Real, Real over REST, Slow, Down." in unknown.json()["detail"]
    numbers = ask(web, backend="Digits")
    assert problem(numbers) == (422, "not_for_photos")
    assert "This model takes 784 numbers (float), not pictures" in numbers.json()["detail"]


def test_a_backend_that_is_down_or_slow_is_a_gateway_error(web: WebProcess) -> None:
    down = ask(web, backend="Down")
    assert problem(down) == (502, "no_answer")
    assert down.json()["detail"].startswith("No answer from Down at ")
    slow = ask(web, backend="Slow", size=64)
    assert problem(slow) == (504, "no_answer")
    said = slow.json()["detail"]
    assert re.fullmatch(r"Slow did not answer within 1 s for 64 px JPEG \(1\.\d KB\)\.", said), said


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", (400, "no_file")),
        (b"hello", (415, "not_an_image")),
        (COFFEE[:30_000], (422, "truncated")),
    ],
)
def test_a_bad_photo_is_refused_as_for_a_run(web: WebProcess, data: bytes, refusal: tuple[int, str]) -> None:
    assert problem(ask(web, data)) == refusal
    if data:
        form = requests.post(f"{web.url}/api/classify", files={"file": ("x.png", data)}, timeout=60)
        assert problem(form) == refusal


def test_no_process_is_left_behind(web: WebProcess) -> None:
    answered(web)
    ask(web, b"hello")
    ask(web, backend="Down")
    eventually(lambda: len(web.descendants()) <= 2)  # the process that serves, and a spare timing process


# The same route with a scripted timing process.


@pytest.fixture
def web_app(tmp_path: Path) -> Iterator[Flask]:
    with serving(tmp_path) as app:
        yield app


@pytest.fixture
def client(web_app: Flask) -> FlaskClient:
    return web_app.test_client()


def classify(client: FlaskClient, name: str = "cat.png", **fields: str) -> Any:
    return client.post("/api/classify", data={"file": (io.BytesIO(photo_bytes()), name), **fields})


@pytest.fixture
def closely_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FlaskClient]:
    monkeypatch.setattr(one_answer, "CONNECT_S", 0.0)
    monkeypatch.setattr(one_answer, "GRACE_S", 0.2)
    with serving(tmp_path, read_timeout_s=1.0, tf_request_timeout_s=0.3) as app:
        yield app.test_client()


def test_a_process_that_does_not_answer_is_ended_and_the_sentence_says_who_was_late(
    closely_watched: FlaskClient,
) -> None:
    late = classify(closely_watched, "hang-on.png")
    assert refused(late) == (422, "damaged") and "took longer than the limit of 1 s" in late.json["detail"]
    mute = classify(closely_watched, "mute-one.png")
    assert refused(mute) == (504, "no_answer")
    assert mute.json["detail"] == "1 CPU did not answer within 0.3 s."


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("die-at-once-x.png", (422, "damaged")),
        ("refuse-x.png", (422, "damaged")),
        ("broken-x.png", (500, "internal")),
        ("die-x.png", (500, "internal")),
    ],
)
def test_a_process_that_ends_early_costs_its_own_answer_only(
    client: FlaskClient, name: str, refusal: tuple[int, str]
) -> None:
    assert refused(classify(client, name)) == refusal
    assert classify(client).json["backend"] == "1 CPU"


def test_a_large_photo_waits_for_its_turn(client: FlaskClient) -> None:
    assert classify(client, "large-x.png").status_code == 200
    assert classify(client, "large-x.png").status_code == 200  # the turn was given back


def test_nothing_is_answered_while_a_run_measures(client: FlaskClient) -> None:
    run_id = post(client, "slow-cat.png", {"sizes_px": [32], "repeats": 1000}).json["id"]
    answer = classify(client)
    assert refused(answer) == (409, "run_measures") and answer.headers["Retry-After"] == "10"
    assert refused(classify(client, run=run_id)) == (409, "run_measures")
    client.delete(f"/api/runs/{run_id}")
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] == "cancelled")
    assert classify(client, run=finished(client)).status_code == 200  # whose run has only just ended


def test_while_a_run_measures_a_photo_is_refused_before_it_has_arrived(client: FlaskClient) -> None:
    run_id = post(client, "slow-cat.png", {"sizes_px": [32], "repeats": 1000}).json["id"]
    for kind in ("image/png", "multipart/form-data; boundary=x"):
        body = io.BytesIO(b"what is never read")
        answer = client.post("/api/classify", input_stream=body, content_length=18, content_type=kind)
        assert refused(answer) == (409, "run_measures") and body.tell() == 0
    client.delete(f"/api/runs/{run_id}")


def test_a_run_that_waits_for_answers_says_so(web_app: Flask) -> None:
    client, runs = web_app.test_client(), services_of(web_app).runs
    with runs.single_requests.one():
        run_id = post(client, plan={"sizes_px": [32], "repeats": 2}).json["id"]
        store = services_of(web_app).store
        eventually(lambda: "begins when they are answered" in str(store.events(run_id)))
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] == "done")
    said = str(store.events(run_id))
    assert said.index("begins when they are answered") < said.index("Making the variants.")


def test_only_a_few_are_answered_at_a_time(web_app: Flask) -> None:
    client = web_app.test_client()
    with ExitStack() as stack:
        for _ in range(MOST_AT_ONCE):
            stack.enter_context(services_of(web_app).runs.single_requests.one())
        answer = classify(client)
        assert refused(answer) == (429, "too_many_answers") and answer.headers["Retry-After"] == "1"
    assert classify(client).status_code == 200


def test_a_run_begins_when_the_answers_under_way_are_given_and_new_ones_are_refused_meanwhile(
    web_app: Flask,
) -> None:
    client, runs = web_app.test_client(), services_of(web_app).runs
    with runs.single_requests.one():
        run_id = post(client, plan={"sizes_px": [32], "repeats": 2}).json["id"]
        assert refused(classify(client)) == (409, "run_measures")
        assert not threading.Event().wait(0.3)
        assert client.get(f"/api/runs/{run_id}").json["requests"]["done"] == 0
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] == "done")


def test_a_run_can_be_cancelled_while_it_waits_for_an_answer(web_app: Flask) -> None:
    client, runs = web_app.test_client(), services_of(web_app).runs
    with runs.single_requests.one():
        run_id = post(client, plan={"sizes_px": [32], "repeats": 2}).json["id"]
        client.delete(f"/api/runs/{run_id}")
        eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] == "cancelled")


def test_another_site_can_not_have_a_photo_classified(client: FlaskClient) -> None:
    answer = client.post("/api/classify", data=photo_bytes(), headers={"Origin": "https://evil.example"})
    assert refused(answer) == (403, "cross_site")


def test_the_token_is_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, token="0123456789abcdef") as app:
        client = app.test_client()
        assert refused(client.post("/api/classify", data=photo_bytes())) == (401, "no_token")
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        assert client.post("/api/classify", data=photo_bytes(), headers=headers).status_code == 200


@pytest.mark.parametrize("send", [lambda data: data, lambda data: {"file": (io.BytesIO(data), "a.png")}])
def test_a_photo_above_the_limits_is_refused(tmp_path: Path, send: Callable[[bytes], Any]) -> None:
    with serving(tmp_path, max_bytes=10_000, max_pixels=2_000) as app:
        client = app.test_client()
        slightly = client.post("/api/classify", data=send(photo_bytes() + b"\0" * 12_000))
        assert refused(slightly) == (413, "too_many_bytes")
        far = client.post("/api/classify", data=send(photo_bytes() + b"\0" * 100_000))
        assert refused(far) == (413, "too_large")
        assert refused(client.post("/api/classify", data=send(photo_bytes(64, 48)))) == (
            413,
            "too_many_pixels",
        )


def test_a_form_with_odd_parts_is_refused(client: FlaskClient) -> None:
    assert refused(classify(client, plan="{}")) == (422, "unknown_fields")
    as_file = {"file": (io.BytesIO(photo_bytes()), "a.png"), "size": (io.BytesIO(b"32"), "size.txt")}
    assert refused(client.post("/api/classify", data=as_file)) == (422, "bad_part")


def test_it_is_counted_as_every_other_route_is(client: FlaskClient) -> None:
    classify(client)
    counted = 'pixelcost_http_requests_total{method="POST",route="/api/classify",status="200"} 1.0'
    assert counted in client.get("/metrics").text
