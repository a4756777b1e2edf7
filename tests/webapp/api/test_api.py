"""/api over the test client, with a scripted worker behind it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import jsonschema
import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from PIL import Image

from experiment.export.report_json import SCHEMA
from experiment.report.method import DEFINITIONS
from tests.support.odd_photos import encoded
from tests.support.processes.webapp_parts import (
    SMALL,
    eventually,
    finished,
    photo_bytes,
    post,
    refused,
    services_of,
    serving,
)
from webapp.runs.event_stream import last_seen

LONG = {"sizes_px": [32], "repeats": 1000}


def frames(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """(id, event, data) of each event in a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "id" in lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def test_a_new_run_is_accepted_with_the_addresses_to_look_at(client: FlaskClient) -> None:
    answer = post(client, plan=SMALL)
    run_id = answer.json["id"]
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/runs/{run_id}"
    assert answer.json == {
        "id": run_id,
        "url": f"/runs/{run_id}",
        "events_url": f"/api/runs/{run_id}/events",
        "report_url": f"/api/runs/{run_id}",
        "state": "running",
        "position": 0,
    }


def test_a_finished_report_fits_the_schema(client: FlaskClient) -> None:
    report = client.get(f"/api/runs/{finished(client, true_label='tabby')}").json
    assert report is not None
    jsonschema.validate(report, SCHEMA)
    assert report["state"] == "done"
    assert report["source"]["true_label"] == "tabby"
    assert report["requests"] == {"planned": 9, "done": 9, "failed": 0, "not_sent": 0}


def test_the_report_so_far_fits_the_schema_too(client: FlaskClient) -> None:
    run_id = post(client, "slow-cat.png", LONG).json["id"]
    report = eventually(
        lambda: (found := client.get(f"/api/runs/{run_id}").json) and found["requests"]["done"] > 5 and found
    )
    jsonschema.validate(report, SCHEMA)
    assert report["state"] == "running"


def test_the_stream_tells_the_whole_run_and_ends(client: FlaskClient) -> None:
    run_id = finished(client)
    events = frames(client.get(f"/api/runs/{run_id}/events").text)
    kinds = [kind for _, kind, _ in events]
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert kinds[:2] == ["source", "state"]
    assert (kinds.count("variant"), kinds.count("measurement"), kinds[-1]) == (3, 9, "end")
    assert events[-1][2]["state"] == "done"


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_stream_goes_on_after_the_last_event_that_was_seen(client: FlaskClient, how: str) -> None:
    run_id = finished(client)
    url = f"/api/runs/{run_id}/events"
    everything = frames(client.get(url).text)
    if how == "header":
        rest = client.get(url, headers={"Last-Event-ID": "4"})
    else:
        rest = client.get(url, query_string={"last_event_id": "4"})
    assert frames(rest.text) == everything[4:]


def test_a_reader_who_has_seen_the_end_is_told_not_to_come_back(client: FlaskClient) -> None:
    run_id = finished(client)
    url = f"/api/runs/{run_id}/events"
    last = frames(client.get(url).text)[-1][0]
    headers = {"Last-Event-ID": str(last)}  # the run is let go a moment after its last event
    assert eventually(lambda: client.get(url, headers=headers).status_code == 204)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("", 0), ("-1", 0), ("x", 0), ("٣", 0), ("9" * 30, 0), (None, 0)]
)
def test_nonsense_as_last_event_means_from_the_start(text: str | None, number: int) -> None:
    assert last_seen(text, None) == number


def test_one_stream_too_many_gets_what_there_is_and_is_asked_to_come_again(tmp_path: Path) -> None:
    with serving(tmp_path, max_streams=0) as app:
        client = app.test_client()
        run_id = post(client, "slow-cat.png", LONG).json["id"]
        text = client.get(f"/api/runs/{run_id}/events").text
        assert text.startswith("retry: 2000\n\n")
        assert frames(text)[0][1] == "source"
        assert "end" not in [kind for _, kind, _ in frames(text)]


def test_a_running_run_is_cancelled_then_removed_by_the_same_request(client: FlaskClient) -> None:
    run_id = post(client, "slow-cat.png", LONG).json["id"]
    answer = client.delete(f"/api/runs/{run_id}")
    assert (answer.status_code, answer.json and answer.json["id"]) == (202, run_id)
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] == "cancelled")  # type: ignore[index]
    eventually(lambda: client.delete(f"/api/runs/{run_id}").status_code == 204)
    assert client.get(f"/api/runs/{run_id}").status_code == 404
    assert client.get(f"/runs/{run_id}").status_code == 404


def test_too_many_runs_are_answered_429_with_when_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, queue_length=0) as app:
        client = app.test_client()
        post(client, "slow-cat.png", LONG)
        answer = post(client)
        assert refused(answer) == (429, "too_many_runs")
        assert int(answer.headers["Retry-After"]) >= 2


def test_history_is_newest_first_and_leads_to_the_next_page(client: FlaskClient) -> None:
    ids = [finished(client) for _ in range(3)]
    eventually(lambda: client.get("/api/runs?limit=1").json["runs"][0]["sentence"])
    first = client.get("/api/runs?limit=2").json
    assert first is not None
    assert [run["id"] for run in first["runs"]] == [ids[2], ids[1]]
    assert first["runs"][0]["sentence"]
    second = client.get(first["next"]).json
    assert second is not None
    assert [run["id"] for run in second["runs"]] == [ids[0]]
    assert second["next"] is None


def test_the_report_can_be_saved_as_json_csv_and_html(client: FlaskClient) -> None:
    run_id = finished(client, name="my cat.png")
    for extension, media_type in (("json", "application/json"), ("csv", "text/csv"), ("html", "text/html")):
        answer = client.get(f"/api/runs/{run_id}.{extension}")
        assert (answer.status_code, answer.mimetype) == (200, media_type)
        assert f'attachment; filename="pixelcost-my cat-{run_id}.{extension}"' in str(answer.headers)


def test_an_unchanged_report_is_not_sent_again(client: FlaskClient) -> None:
    run_id = finished(client)
    etag = client.get(f"/api/runs/{run_id}").headers["ETag"]
    again = client.get(f"/api/runs/{run_id}", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/api/schema", "/static/css/page.css"])
def test_texts_are_sent_gzipped_to_those_who_take_it(client: FlaskClient, path: str) -> None:
    plain, packed = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_a_gzipped_file_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    packed = client.get("/static/css/page.css", headers={"Accept-Encoding": "gzip"})
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert client.get("/static/css/page.css", headers=again).status_code == 304


def test_the_zip_holds_every_variant_exactly_as_sent_and_the_report(client: FlaskClient) -> None:
    run_id = finished(client)
    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/runs/{run_id}.zip").data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["report.json", "original.png", "32-png.png", "32-jpeg.jpg"]
        assert archive.read("32-jpeg.jpg") == b"32-jpeg"
        assert json.loads(archive.read("report.json"))["run_id"] == run_id


def test_a_variant_is_served_as_the_image_it_is(client: FlaskClient) -> None:
    run_id = finished(client)
    answer = client.get(f"/api/runs/{run_id}/variants/32-jpeg")
    assert (answer.data, answer.mimetype) == (b"32-jpeg", "image/jpeg")
    assert refused(client.get(f"/api/runs/{run_id}/variants/64-jpeg")) == (404, "no_such_variant")


def test_figures_come_in_both_themes(client: FlaskClient) -> None:
    run_id = finished(client)
    light, dark = (client.get(f"/api/runs/{run_id}/figures?theme={each}").json for each in ("light", "dark"))
    assert light is not None
    assert dark is not None
    assert list(light) == list(dark)
    assert light["trade_off"]["layout"] != dark["trade_off"]["layout"]
    assert refused(client.get(f"/api/runs/{run_id}/figures?theme=pink")) == (400, "bad_query")


def test_no_file_is_told_apart_from_text_in_its_place(client: FlaskClient) -> None:
    assert refused(client.post("/api/runs", data={"plan": "{}"}, content_type="multipart/form-data")) == (
        400,
        "no_file",
    )
    answer = client.post("/api/runs", data={"file": "cat.jpg"}, content_type="multipart/form-data")
    assert refused(answer) == (400, "no_file")
    assert "Write an @" in json.loads(answer.data)["detail"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"%PDF-1.4", 415, "not_an_image"),
        (photo_bytes()[:20], 422, "truncated"),
        (encoded(Image.new("P", (8000, 8000)), "GIF"), 413, "too_many_pixels"),
    ],
)
def test_a_bad_photo_is_refused_from_its_header(
    client: FlaskClient, data: bytes, status: int, code: str
) -> None:
    assert refused(post(client, data=data)) == (status, code)


def test_an_empty_file_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api/runs", data={"file": (io.BytesIO(b""), "empty.png")})
    assert refused(answer) == (422, "empty_file")


def test_a_field_that_nobody_knows_is_named(client: FlaskClient) -> None:
    answer = post(client, plna="{}")
    assert refused(answer) == (422, "unknown_fields")
    assert "plna" in json.loads(answer.data)["detail"]


def test_a_bad_plan_names_all_its_problems_and_starts_nothing(client: FlaskClient) -> None:
    answer = post(client, plan={"sizes_px": [1], "repeats": 0, "backend_names": ["1 CPU"]})
    assert refused(answer) == (422, "plan_refused")
    assert len(json.loads(answer.data)["problems"]) == 2
    assert client.get("/api/runs").json == {"runs": [], "next": None}


def test_an_unknown_backend_is_named_with_those_there_are(client: FlaskClient) -> None:
    answer = post(client, plan={"backend_names": ["TPU"]})
    assert refused(answer) == (422, "plan_refused")
    assert "no backend named TPU. The backends are: 1 CPU." in json.loads(answer.data)["detail"]


def test_a_plan_of_too_many_requests_is_refused(client: FlaskClient) -> None:
    assert refused(post(client, plan={"repeats": 1000, "sizes_px": list(range(16, 32))})) == (
        422,
        "plan_refused",
    )


def test_without_backends_a_run_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with serving(tmp_path, tf_servers="") as app:
        client = app.test_client()
        answer = post(client)
        assert refused(answer) == (503, "no_backends")
        words = json.loads(answer.data)["detail"]
        assert "Set TF_SERVERS, for example" in words
        assert client.get("/readyz").json["detail"] == words
        assert client.get("/api/backends").json == {"backends": [], "model": ANY, "detail": words}


def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, max_bytes=10_000) as app:
        answer = post(app.test_client(), data=bytes(100_000))
        assert refused(answer) == (413, "too_large")
        assert "0.01 MB" in json.loads(answer.data)["detail"]


def test_a_label_must_be_one_short_line(client: FlaskClient) -> None:
    for label in ("x" * 201, "two\nlines"):
        assert refused(post(client, true_label=label)) == (422, "bad_label")


def test_a_label_is_kept_as_it_is_shown(client: FlaskClient) -> None:
    report = client.get(f"/api/runs/{finished(client, true_label=chr(0x200F) + 'tabby')}").json
    assert report["source"]["true_label"] == "tabby"


def test_config_offers_what_a_plan_may_hold(client: FlaskClient) -> None:
    config = client.get("/api/config").json
    assert config is not None
    axes = {each["key"]: each["axes"] for each in config["formats"]}
    assert axes == {
        "png": [],
        "jpeg": ["jpeg_qualities", "subsamplings"],
        "webp": ["webp_qualities"],
        "webp-lossless": [],
        "avif": ["avif_qualities"],
    }
    assert [each["why_not"] for each in config["formats"]] == [None] * len(axes)
    assert config["offered"]["avif_qualities"] == [65]
    assert config["offered"]["subsamplings"] == ["4:4:4", "4:2:2", "4:2:0"]
    assert config["plan"]["jpeg_qualities"] == config["offered"]["jpeg_qualities"] == [85]
    assert config["margins"] == {"photo": 5.0, "labelled": 1.0, "unlabelled": 5.0}
    assert config["plan"]["sizes_px"] == [2048, 1024, 512, 256, 128]
    assert config["ranges"]["sizes_px"] == [16, 8192]
    for key, (low, high) in config["ranges"].items():
        if key in config["plan"] and isinstance(config["plan"][key], int):
            assert post(client, plan={key: high + 1}).status_code == 422, key
            assert post(client, plan={key: low - 1}).status_code == 422, key
    assert config["plan"]["seed"] is None
    assert config["definitions"] == [{"term": term, "text": text} for term, text in DEFINITIONS.items()]
    assert [each["term"] for each in config["validity"]] == ["VALID", "NOISY", "INVALID"]
    assert post(client, plan=config["plan"]).status_code == 202


def test_backends_are_listed_with_their_state(client: FlaskClient) -> None:
    answer = client.get("/api/backends?refresh=1").json
    assert answer is not None
    (backend,) = answer["backends"]
    assert (backend["name"], backend["state"]) == ("1 CPU", "down")
    assert "127.0.0.1:9" in backend["detail"]
    assert answer["model"] == {"name": "inception"}


def test_the_state_of_embedded_backends_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "embedded.json"
    row = {"name": "1 CPU", "address": "127.0.0.1:9", "embedded": True, "pid": 7, "restarts": 0}

    def write(state: str) -> None:
        model = {"name": "inception", "title": "EfficientNet", "labels": ["tabby"], "base_path": "/srv/model"}
        path.write_text(json.dumps({"model": model, "backends": [{**row, "state": state}]}))

    write("absent")
    with serving(tmp_path, tf_servers="", embedded_state=str(path)) as app:
        client = app.test_client()

        def answer() -> Any:
            return client.get("/api/backends").json

        assert answer()["backends"][0]["state"] == "absent"
        assert answer()["backends"][0]["pid"] == 7
        assert answer()["model"] == {"name": "inception", "title": "EfficientNet"}
        assert client.get("/api/config").json["labels"] == ["tabby"]  # type: ignore[index]
        write("loading")
        assert answer()["backends"][0]["state"] == "loading"
        path.unlink()
        assert answer()["backends"][0]["state"] == "loading"


def test_metrics_speak_openmetrics_and_count_requests_and_refusals(client: FlaskClient) -> None:
    client.get("/api/runs/0000")
    answer = client.get("/metrics")
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")
    assert (
        'pixelcost_http_requests_total{method="GET",route="/api/runs/<run_id>",status="404"} 1.0'
        in answer.text
    )
    assert 'pixelcost_refused_total{code="no_such_run"} 1.0' in answer.text
    assert "pixelcost_queue_length 0.0" in answer.text


def test_the_page_knows_its_run_and_the_config(client: FlaskClient) -> None:
    run_id = finished(client)
    page = client.get(f"/runs/{run_id}").text
    assert f'data-run-id="{run_id}"' in page
    assert '"offered_sizes_px"' in page


def test_everything_works_below_a_path_that_a_trusted_proxy_names(tmp_path: Path) -> None:
    headers = {"X-Forwarded-Prefix": "/pixelcost", "X-Forwarded-Host": "example.org"}
    with serving(tmp_path, trust_proxy=1) as app:
        client = app.test_client()
        body = {"file": (io.BytesIO(photo_bytes()), "cat.png"), "plan": json.dumps(SMALL)}
        origin = {"Origin": "http://example.org"}
        answer = client.post("/api/runs", data=body, headers={**headers, **origin})
        assert answer.json is not None
        assert answer.json["events_url"].startswith("/pixelcost/api/runs/")
        assert 'data-base="/pixelcost"' in client.get("/", headers=headers).text


@pytest.mark.parametrize(
    "prefix",
    [
        *("/user/jane@corp.com/proxy/30501", "/user/jane%40corp.com", "/@owner/ws/apps/px", "/a+b;c=d"),
        *("/services/http:pixelcost:80/proxy", "/j%C3%B6rg", "/a!b$c&d(e)*f", "/..a/b."),
    ],
)
def test_such_a_path_may_have_every_character_that_a_path_has(tmp_path: Path, prefix: str) -> None:
    with serving(tmp_path, trust_proxy=1) as app:
        page = app.test_client().get("/", headers={"X-Forwarded-Prefix": prefix})
    assert page.status_code == 200
    assert f'src="{escape(prefix)}/static/js/main.js' in page.text


@pytest.mark.parametrize(
    "prefix",
    [
        *("//evil.example", "/%2Fevil.example", "/a//b", "/a/../b", "/..", "/a/.", "/%2e%2e/b", "a"),
        *("/a\\b", "/a%5Cb", "/a%0Db", "/a%00", "/a%7F", "/a%2", "/a?b", "/a#b", "/<a>", "/j\xf6rg"),
    ],
)
def test_such_a_path_leads_nowhere_else(tmp_path: Path, prefix: str) -> None:
    with serving(tmp_path, trust_proxy=1) as app:
        answer = app.test_client().get("/", headers={"X-Forwarded-Prefix": prefix})
    assert (answer.status_code, json.loads(answer.data)["code"]) == (400, "bad_prefix")


def test_a_proxy_that_is_not_trusted_changes_nothing(client: FlaskClient) -> None:
    assert 'data-base=""' in client.get("/", headers={"X-Forwarded-Prefix": "/evil"}).text


def test_results_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as app:
        run_id = finished(app.test_client())
        before = app.test_client().get(f"/api/runs/{run_id}").json
    with serving(tmp_path) as app:
        services_of(app).start()
        assert app.test_client().get(f"/api/runs/{run_id}").json == before
