"""An exported report comes back: read from its file, refused with a sentence, equal when exported again."""

from __future__ import annotations

import ast
import base64
import copy
import io
import json
import re
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiment.export.import_report import ReportRefused, read_report
from experiment.export.report_csv import CELL_KEYS, VARIANT_KEYS
from experiment.export.report_json import SCHEMA, report_dict, report_json
from experiment.export.schema_check import ANNOTATIONS, APPLICATORS, RULES, problems
from experiment.records import SEED_LIMIT
from tests.support.processes.webapp_parts import services_of, serving
from tests.support.records import answered, report, sample_report
from tests.support.reports import HOSTILE, closed, large_report
from tests.support.set_records import photos, summary
from webapp.worker import import_report

ONE = report_dict(sample_report(("8 CPU", "1 CPU"), repeats=64))
SET = report_dict(summary(photos(both=20, lost=3)))


def text(made: dict[str, Any]) -> bytes:
    return report_json(made).encode()


def changed(**paths: Any) -> dict[str, Any]:
    """The sample report with some values changed; a place is written cells__0__p50_ms."""
    made = copy.deepcopy(ONE)
    for path, value in paths.items():
        *way, last = path.split("__")
        place: Any = made
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = value
    return made


LARGEST_SEED = changed(plan__seed=SEED_LIMIT - 1)


@pytest.mark.parametrize("made", [ONE, SET, LARGEST_SEED, report_dict(report(state="queued", variants=()))])
def test_an_exported_report_is_read_as_it_was(made):
    assert read_report(text(made), "a.json") == made


PAIR = {
    **{"browser_id": "original", "server_id": "1-png", "engine": "pica", "bytes_ratio": 1.0},
    **{"psnr_db": None, "largest_difference": None, "same_top1": {}},
}
BROKEN = {
    "empty": (b"", "is not a report"),
    "a photo": (b"\xff\xd8\xff\xe0", "is not a report: it is not text"),
    "words": (b"hello", "is not a report: it does not start like one"),
    "a list": (b"[1, 2]", "is not a report"),
    "other JSON": (b'{"name": "x"}', "is JSON, but not a Pixelcost report"),
    "cut off": (text(ONE)[:5000], "is damaged: it ends too early"),
    "a hole": (text(ONE).replace(b'"cells"', b'"cells', 1), "is damaged: it can't be read from line"),
    "not a number": (text(ONE).replace(b'"decode_ms": 48.7', b'"decode_ms": NaN', 1), "holds NaN"),
    "infinite": (text(ONE).replace(b'"decode_ms": 48.7', b'"decode_ms": 1e999', 1), "too large a number"),
    "huge": (text(ONE).replace(b'"repeats": 64', b'"repeats": 1' + b"0" * 400, 1), "too large a number"),
    "too deep for Python": (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
    "deep": (text(changed(environment__x=json.loads("[" * 30 + "]" * 30))), "nested too deeply"),
    "version 2": (text(changed(schema_version="2.0")), r"another Pixelcost \(report version 2\.0\).*HTML"),
    "no version": (text(changed(schema_version=1)), "does not say which version"),
    "wrong type": (text(changed(cells__0__p50_ms="fast")), r"cells\[0\]\.p50_ms must be a number or null"),
    "missing": (text({k: v for k, v in ONE.items() if k != "plan"}), "plan is missing"),
    "another p50": (
        text(changed(cells__3__p50_ms=1.0)),
        r"cells\[3\]\.p50_ms is 1\.0, but its own samples give",
    ),
    "a p90 too many": (text(changed(cells__3__samples_ms=[1.0] * 20)), r"p90_ms is .*samples give None"),
    "twice": (text(changed(variants__1__id="original")), "the same variant twice"),
    "nowhere": (
        text(changed(cells__0__backend_name="TPU")),
        "a cell names a variant or backend that the report does not have",
    ),
    "compares nothing": (
        text(changed(resizers={"sentence": "Alike.", "pairs": [PAIR]})),
        "compares a variant that the report does not have",
    ),
    "recommends nothing": (
        text(changed(recommendation__variant_id="1-png")),
        "it recommends a variant that it does not have",
    ),
    "a path as id": (text(changed(variants__1__id="../../etc/passwd")), "is not a valid id"),
    "control characters": (text(changed(source__name="a\r\nSet-Cookie: x")), "can't be shown"),
    "a surrogate": (json.dumps(changed(source__name="\ud800")).encode(), "can't be shown"),
    "a key too long": (text(changed(environment={"x" * 30_000: 1})), "too long"),
    "more samples told than there are": (
        text(changed(cells__0__count=20_000_000)),
        r"cells\[0\]\.count is 20000000, but there are 64 samples",
    ),
    "a count with a point": (
        text(changed(cells__0__count=64.0)),
        r"cells\[0\]\.count must be a whole number",
    ),
    "more failures than requests": (text(changed(cells__0__failures=9)), "numbers of requests don't fit"),
    "failures without a reason": (
        text(changed(cells__0__failures=1, requests__failed=1)),
        r"cells\[0\] has failures, but no reason for them",
    ),
    "fewer requests than samples": (text(changed(requests__done=5)), "numbers of requests don't fit"),
    "a heavy environment": (
        text(changed(environment={f"{key}": "x" * 1_000 for key in range(90)})),
        "environment is too long",
    ),
    "too many keys": (
        text(changed(plan__extra=dict.fromkeys(map(str, range(101)), 1))),
        "more than 100 keys",
    ),
    "too many variants": (
        text(changed(variants=[{**ONE["variants"][0], "id": f"v{place}"} for place in range(502)])),
        "502 variants, and no run has more than 501",
    ),
    "too many samples": (
        text(changed(cells__0__samples_ms=[1] * 100_001, cells__0__count=100_001)),
        "more samples than any run takes",
    ),
    "only brackets": (b'{"cells": [' + b"[]," * 2_000_000 + b"1]}", "far more values than one"),
    "a number of 5,000 digits": (
        text(ONE).replace(b'"repeats": 64', b'"repeats": ' + b"1" * 5000, 1),
        "too large",
    ),
    "cp1252": (
        json.dumps(changed(source__name="käse.jpg"), ensure_ascii=False).encode("cp1252"),
        "is text, but not in UTF-8",
    ),
    "half a UTF-16": (b"\xff\xfe{", "it is not text"),
    "an unknown verdict": (text(changed(cells__0__validity="GREAT")), "must be one of VALID, NOISY, INVALID"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_report_gets_a_sentence_with_what_to_do(name):
    data, words = BROKEN[name]
    with pytest.raises(ReportRefused, match=words) as refused:
        read_report(data, "run.json")
    message = refused.value.message
    assert message.startswith("run.json ")
    assert len(message) < 500
    assert re.search(r"Choose a file|Export it again|save it as HTML", message)
    assert "Traceback" not in message


def parts_of_schema(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and all schemas within it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for part in (*inner, *schema.get("oneOf", ())):
        yield from parts_of_schema(part)


def test_every_keyword_of_the_schema_is_known_to_our_check():
    keywords = {keyword for part in parts_of_schema(SCHEMA) for keyword in part}
    assert keywords <= {*RULES, *APPLICATORS, *ANNOTATIONS}
    for part in parts_of_schema(SCHEMA):
        assert part.get("oneOf", [None, {"type": "null"}])[1:] == [{"type": "null"}]
        assert all(isinstance(value, str | None) for value in part.get("enum", ()))


PLACES = [f"{at}.{key}" for at in ("cells", "variants", "backends") for key in ONE[at][0]]
PLACES += [f"{at}.{key}" for at in ("plan", "source", "recommendation", "requests") for key in ONE[at]]
PLACES += list(ONE)
VALUES = st.sampled_from(
    [None, True, 0, -1, 1.5, 7, 1e6, "", "x", "png", "1.2", [], [None], [1.5], ["x"], {}, {"a": 1}]
)


# A whole number must be written as one here: JSON Schema takes 1.0 for one, Python does not.
STRICT = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


@settings(deadline=None, max_examples=300)
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_our_check_refuses_what_the_library_refuses(place, value):
    at, _, key = place.partition(".")
    made = dict(ONE)
    if key:
        held = made[at]
        made[at] = [{**held[0], key: value}] if isinstance(held, list) else {**held, key: value}
    else:
        made[at] = value
    is_valid = STRICT(SCHEMA).is_valid(made)
    assert (not list(problems(made, SCHEMA))) == is_valid, list(problems(made, SCHEMA))


def test_what_is_wrong_in_an_object_that_may_be_null_is_named_with_its_place():
    made = copy.deepcopy(SET)
    made["photo_set"]["count"] = "x"
    made["cells"][0]["over_photos"]["agreement"]["count"] = -1
    made["cells"][1]["over_photos"] = 5
    assert set(problems(made, SCHEMA)) == {
        "photo_set.count must be a whole number",
        "cells[0].over_photos.agreement.count must be at least 0",
        "cells[1].over_photos must be an object",
    }


# Over HTTP


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("imports")) as app:
        yield app


@pytest.fixture(scope="module")
def client(app):
    return app.test_client()


def post(client: Any, data: bytes, name: str = "run.json") -> Any:
    return client.post("/api/runs/import", data={"file": (io.BytesIO(data), name)})


def imported(client: Any, made: dict[str, Any]) -> dict[str, Any]:
    answer = post(client, text(made))
    assert answer.status_code == 201, answer.data
    found: dict[str, Any] = client.get(answer.json["report_url"]).json
    assert found["run_id"] == answer.json["id"]
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(found)
    return found


@pytest.mark.parametrize("made", [ONE, SET], ids=["one photo", "a set"])
def test_export_import_export_is_equal_but_for_the_documented_keys(client, made):
    once = imported(client, made)
    twice = imported(client, once)
    for each in (once, twice):
        assert {k: v for k, v in each.items() if k not in {"run_id", "imported", "has_pictures"}} == {
            k: v for k, v in made.items() if k != "run_id"
        }
        assert each["imported"]["name"] == "run.json"
        assert each["imported"]["run_id"] == made["run_id"]
    for cell in twice["cells"]:
        for key, percent in (("p50_ms", 50), ("p90_ms", 90)):
            if cell[key] is not None:
                assert cell[key] == pytest.approx(np.percentile(cell["samples_ms"], percent), abs=2e-6)


def test_an_imported_run_can_be_exported_in_every_form_but_has_no_variants(client):
    run_id = imported(client, ONE)["run_id"]
    url = f"/api/runs/{run_id}"
    assert len(client.get(f"{url}.csv").text.splitlines()) == 1 + len(ONE["cells"])
    assert "Imported from run.json" in client.get(f"{url}.html").text
    assert set(client.get(f"{url}/figures").json) >= {"trade_off", "latency_by_size"}
    assert client.get(f"/runs/{run_id}").status_code == 200
    for path in (".zip", "/variants/original", "/answers.csv"):
        assert client.get(url + path).status_code == 404
    assert "imported" in client.get(f"{url}.zip").json["detail"]
    for path in ("/repeats", "/breaking-point", "/load"):
        answer = client.post(url + path, json={"repeats": 1})
        assert (answer.status_code, answer.json["code"]) == (422, "not_imported")
    assert client.get(f"{url}/events?last_event_id=1").status_code == 204


@pytest.mark.parametrize("key", ["photo_set", "imported", "additions", "breaking_points", "load", "resizers"])
def test_a_report_without_what_a_schema_added_later_is_shown_like_any_other(client, key):
    run_id = imported(client, {name: value for name, value in ONE.items() if name != key})["run_id"]
    url = f"/api/runs/{run_id}"
    variant = ONE["variants"][1]["id"]
    assert client.get(f"{url}/variants/{variant}/figures").status_code == 200
    for path in ("/answers.csv", ".zip", "/copy/curl", f"/variants/{variant}"):
        assert client.get(url + path).status_code < 500
    assert client.post(f"{url}/repeats", json={"repeats": 1}).status_code == 422


def test_the_history_shows_imported_runs_as_what_they_are(client):
    run_id = imported(client, ONE)["run_id"]
    row = client.get("/api/runs").json["runs"][0]
    assert (row["id"], row["state"], row["created_at"]) == (run_id, "imported", ONE["created_at"])
    assert row["sentence"] == ONE["recommendation"]["sentence"] + " Answer: tabby."
    assert client.get("/api/runs?q=tabby").json["runs"]
    assert client.delete(f"/api/runs/{run_id}").status_code == 204
    assert client.get(f"/api/runs/{run_id}").status_code == 404


def test_a_report_saved_in_mid_run_is_one_that_was_stopped(client):
    running = report_dict(report(state="running", measurements=answered([31.0])))
    assert imported(client, running)["state"] == "cancelled"


def test_markup_in_an_imported_report_stays_text(client):
    made = changed(source__name=HOSTILE, recommendation__sentence=HOSTILE, backends__0__detail=HOSTILE)
    run_id = imported(client, made)["run_id"]
    assert "<script>alert" not in client.get(f"/api/runs/{run_id}.html").text
    assert "<script>alert" not in client.get(f"/runs/{run_id}").text
    header = client.get(f"/api/runs/{run_id}.json").headers["Content-Disposition"]
    assert "\n" not in header


def test_refusals_are_problems_and_leave_nothing_behind(client, app):
    before = services_of(app).store.count()
    for data, _ in list(BROKEN.values())[::4]:  # the words of all are looked at above
        answer = post(client, data)
        assert answer.status_code == 422, answer.data
        assert answer.content_type == "application/problem+json"
        assert answer.json["code"] == "report_refused"
    assert client.post("/api/runs/import", data={}).status_code in {400, 415}
    assert (
        client.post("/api/runs/import", data={"x": "y"}, content_type="multipart/form-data").status_code
        == 400
    )
    assert services_of(app).store.count() == before


def test_how_a_report_was_measured_is_told_in_our_own_words(client):
    lie = [{"term": "Latency", "text": "Whatever you like."}]
    assert imported(client, changed(method=lie))["method"] == ONE["method"]
    assert imported(client, {key: value for key, value in ONE.items() if key != "method"})["method"]


def test_a_report_that_passes_the_check_has_all_that_the_csv_needs():
    needed = SCHEMA["$defs"]
    assert set(VARIANT_KEYS) <= set(needed["variant"]["required"])
    assert set(CELL_KEYS) <= set(needed["cell"]["required"])


def test_a_report_above_the_limit_is_refused_unread(tmp_path):
    with serving(tmp_path, max_bytes=10_000) as small:
        answer = post(small.test_client(), b" " * 200_000)
        assert answer.status_code == 413


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_report_that_an_editor_saved_anew_is_read(encoding):
    made = changed(source__name="käse 日.jpg")
    data = json.dumps(made, ensure_ascii=False).encode(encoding)
    assert read_report(data, "a.json") == made


def test_what_a_plan_at_its_limits_exports_is_imported_and_shown_in_seconds(tmp_path):
    """500 variants on 10 backends: nothing may grow with the square of its 5,000 cells."""
    made = large_report()
    assert len(made["cells"]) == 5_000
    with serving(tmp_path) as large:
        client = large.test_client()
        url = f"/api/runs/{post(client, text(made)).json['id']}"
        started_s = time.process_time()
        assert len(client.get(f"{url}/figures").json["trade_off"]["meta"]["table"]["rows"]) == 5_000
        assert len(client.get(f"{url}.html").text) > 1_000_000
        assert len(client.get(f"{url}.csv").text.splitlines()) == 5_001
        assert time.process_time() - started_s < 40


def test_a_file_that_is_made_to_be_heavy_is_given_up_and_the_app_goes_on(client, monkeypatch):
    monkeypatch.setattr("webapp.routes.imports.TIMEOUT_S", 0.01)
    answer = post(client, text(ONE))
    assert (answer.status_code, answer.json["code"]) == (422, "report_refused")
    assert "more time or memory than any report" in answer.json["detail"]


def test_the_process_that_reads_a_report_has_limits_and_none_of_the_secrets(client, monkeypatch, tmp_path):
    seen = tmp_path / "seen"
    look = (
        "import os, resource; from webapp.worker import import_report as w; from pathlib import Path; "
        "w.read_report = lambda *_: Path(%r).write_text(repr((dict(os.environ), "
        "resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0]))); w.main()"
    )
    monkeypatch.setenv("PIXELCOST_TOKEN", "a-token-of-16-characters")
    monkeypatch.setattr("webapp.routes.imports.WORKER_COMMAND", (sys.executable, "-c", look % str(seen)))
    assert post(client, text(ONE)).status_code == 422
    environ, memory_bytes, cpu_s = ast.literal_eval(seen.read_text())
    assert "a-token-of-16-characters" not in environ.values()
    assert memory_bytes == 1024**3
    assert cpu_s == 60


def test_a_name_of_two_lines_can_be_downloaded_in_every_form(client):
    url = f"/api/runs/{imported(client, changed(source__name=chr(10).join(['a', 'b.jpg'])))['run_id']}"
    for extension in ("json", "csv", "html"):
        answer = client.get(f"{url}.{extension}")
        assert answer.status_code == 200
        assert "filename=pixelcost-ab-" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("goal", ["max_p50_ms", "max_size_bytes"])
def test_a_goal_of_0_can_be_judged_anew(client, goal):
    url = f"/api/runs/{imported(client, changed(**{f'plan__{goal}': 0}))['run_id']}"
    for query in ("keep_top1=false", "max_p50_ms=1", "max_size_bytes=1"):
        assert client.get(f"{url}?{query}").status_code == 200


def from_before_margins(**changes):
    """A report as version 1.3 wrote it: of what keeps its answer, the fewest bytes."""
    old = changed(
        schema_version="1.3",
        recommendation__variant_id="256-jpeg-85",
        recommendation__sentence="Serve JPEG q85 at 256 px on 8 CPU.",
        **changes,
    )
    for key in ("next_lighter", "smallest", "figures"):
        del old["recommendation"][key]
    del old["plan"]["margin_points"]
    return old


def test_a_report_from_before_margins_is_judged_with_the_usual_one(client):
    run_id = imported(client, from_before_margins())["run_id"]
    url = f"/api/runs/{run_id}"
    assert client.get(url).json["recommendation"]["sentence"] == ONE["recommendation"]["sentence"]
    assert "drops by 19 points (5 allowed)" in client.get(url).json["recommendation"]["next_lighter"]
    (row,) = [each for each in client.get("/api/runs").json["runs"] if each["id"] == run_id]
    assert row["sentence"].startswith("For this photo: 512 px JPEG q85 on ")
    for query in ("keep_top1=false", "margin_points=none", "margin_points=0", "max_p50_ms=1"):
        for extension in ("json", "csv", "html"):
            assert client.get(f"{url}.{extension}?{query}").status_code == 200
    wide = client.get(f"{url}?margin_points=20").json
    assert wide["recommendation"]["variant_id"] == "256-jpeg-85"


def test_a_report_that_knows_margins_recommends_what_it_came_with(client):
    run_id = imported(client, changed(recommendation__sentence="Serve what it says."))["run_id"]
    assert client.get(f"/api/runs/{run_id}").json["recommendation"]["sentence"] == "Serve what it says."


def test_a_kept_answer_without_a_label_can_be_judged_anew(client):
    """Of a changed report: no run gives it."""
    same = {"same_top1": True, "correct_top1": True, "top": [], "reference_score_change": -1.0}
    cells = [{**each, **same} for each in ONE["cells"]]
    for true_label in (None, "tabby"):
        url = f"/api/runs/{imported(client, changed(cells=cells, source__true_label=true_label))['run_id']}"
        assert client.get(f"{url}?margin_points=0").status_code == 200


def test_a_report_from_before_searches_and_additions_is_read():
    old = {k: v for k, v in ONE.items() if k not in {"additions", "breaking_points"}} | {
        "schema_version": "1.0"
    }
    assert read_report(text(old), "old.json") == old


# Small pictures


def encoded(side_px: int, kind: str = "WEBP") -> str:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((side_px, side_px)).convert("RGB").save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def picture(data: str, media_type: str = "image/webp", side_px: int = 64) -> dict[str, Any]:
    return {"media_type": media_type, "width_px": side_px, "height_px": side_px, "base64": data}


def with_picture(row: Any, key: str = "original") -> dict[str, Any]:
    return {**ONE, "pictures": {key: row}}


def test_the_pictures_of_an_export_come_back_as_our_own_webp_and_leave_again(client):
    rows = {
        key: picture(encoded(64, kind), f"image/{kind.lower()}")
        for key, kind in (("original", "WEBP"), ("step-16-85", "JPEG"), ("step-16-9", "PNG"))
    }
    found = imported(client, {**ONE, "pictures": rows})
    assert found["has_pictures"] == list(rows)
    assert "pictures" not in found
    url = f"/api/runs/{found['run_id']}"
    for key in found["has_pictures"]:
        answer = client.get(f"{url}/thumbs/{key}")
        assert (answer.status_code, answer.mimetype) == (200, "image/webp")
        with Image.open(io.BytesIO(answer.data), formats=["WEBP"]) as image:
            assert image.size == (64, 64)
            levels = np.asarray(image.convert("L")).astype(int)
            assert abs(levels[:8].mean() - levels[-8:].mean()) > 150  # it is still the same gradient
    exported = client.get(f"{url}.json").json
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(exported)
    assert list(exported["pictures"]) == list(rows)
    assert {row["media_type"] for row in exported["pictures"].values()} == {"image/webp"}
    assert "has_pictures" not in exported
    assert client.delete(url).status_code == 204
    assert client.get(f"{url}/thumbs/original").status_code == 404


# A PNG that says it has 60,000 x 60,000 px, and holds none of them.
_HEADER = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
BOMB = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + _HEADER + struct.pack(">I", zlib.crc32(_HEADER))
).decode()
SCRIPT = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").decode()
BAD_PICTURES = {
    "another type": (picture(SCRIPT, "image/svg+xml"), "media_type"),
    "a script in an image": (picture(SCRIPT), "not a small picture of the type"),
    "a PNG called JPEG": (picture(encoded(8, "PNG"), "image/jpeg"), "not a small picture of the type"),
    "no base64": (picture("@@@"), "not a small picture of the type"),
    "too long": (picture(encoded(8) + "A" * 64_000), "not a small picture of the type"),
    "no object": (7, "pictures.original must be an object"),
    "half a picture": (picture(encoded(64)[:120]), "its picture original can't be decoded"),
    "too large a picture": (picture(encoded(193)), "is larger than 192 px"),
    "a bomb": (picture(BOMB, "image/png"), "is larger than 192 px"),
}


def refused_because(made: dict[str, Any]) -> str:
    """What the process that checks an import says of it."""
    with pytest.raises(ReportRefused) as refusal:
        import_report.imported(text(made), "run.json", "r2")
    return refusal.value.message


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_picture_that_is_none_is_refused_with_a_sentence(name):
    row, words = BAD_PICTURES[name]
    assert words in refused_because(with_picture(row))


@pytest.mark.parametrize("key", ["../x", "", "a b", "x" * 65, "ä"])
def test_a_picture_with_a_key_that_is_none_is_refused(key):
    assert "is not a valid id of a picture" in refused_because(with_picture(picture(encoded(8)), key))


def test_more_pictures_than_any_report_has_are_refused():
    row = picture(encoded(8))
    many = {**ONE, "pictures": {f"step-{number}-1": row for number in range(2_001)}}
    assert "no report has more than 2,000" in refused_because(many)
    large = picture("A" * 60_000)
    heavy = {**ONE, "pictures": {f"step-{number}-1": large for number in range(20)}}
    assert "larger than those of any report" in refused_because(heavy)
