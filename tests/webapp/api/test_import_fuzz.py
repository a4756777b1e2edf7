"""Exports with a few things changed: refused with a sentence, or shown in every form, never a bug of ours."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from experiment.copy_as.commands import KINDS
from experiment.export.import_report import ReportRefused
from experiment.export.pictures import picture_rows, pictures_in
from experiment.export.report_json import report_dict
from experiment.figures import LATENCIES
from experiment.images.thumbs import thumb
from experiment.records import Addition, BreakingPoint, SearchStep
from tests.support.processes.webapp_parts import photo_bytes, services_of, serving
from tests.support.records import failed, load_curve, load_point, report, sample_report, variant
from tests.support.set_records import photos, summary
from webapp.store.store import Event
from webapp.worker.import_report import imported

TRIES = 60  # of each export; 2,000 were tried once
MOST_CHANGES = 3
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, 1.5, 7, 2**31, 2**52, 1e-308, 1e15, 255, 101),
    *(
        "",
        " ",
        "x",
        "a\nb",
        "@@",
        "@@@",
        "<b>",
        "' ; \" \\ $(x) `x`",
        "=1+1",
        "é" * 300,
        "../x",
        "1.9",
        "%s {}",
    ),
    *(
        "\u200b",
        "\u00a0",
        "0000-00-00T00:00:00Z",
        "2026-13-45T99:99:99Z",
        "0001-01-01T00:00:00Z",
        "png",
        "done",
    ),
    *([], [None], [1.5], ["x"], [[]], {}, {"a": 1}, {"": None}),
]


def with_everything() -> dict[str, Any]:
    """A report of one photo with every kind of follow-up, resized in two places, and partly failed."""
    engine = variant(
        256, id="256-jpeg-85-pica", made_in="browser", engine="pica", canvas_noise=True, psnr_db=40.0
    )
    made = report_dict(
        sample_report(
            ("8 CPU", "1 CPU"),
            repeats=8,
            failure=None,
            load=(load_curve(points=(load_point(10.0, [20.0] * 3), load_point(60.0, [150.0] * 3))),),
            breaking_points=(
                BreakingPoint(
                    *("8 CPU", "found", "Still a tabby down to 130 px.", "tabby", False),
                    *(130, 85, 4000, False, 9, (SearchStep(130, 85, 4000, True, "tabby", 0.5),)),
                ),
            ),
        )
    )
    extra = report_dict(report(variants=(variant(256), engine), measurements=failed(3, "256-jpeg-85")))
    made["variants"].append(extra["variants"][1])
    made["cells"].append({**extra["cells"][1], "backend_name": "1 CPU"})
    made["additions"] = [
        {**_addition(), "retried": ["original"], "backend_name": "1 CPU", "timeout_s": 60.0},
        _addition(),
    ]
    made["resizers"] = {
        "sentence": "They differ.",
        "pairs": [
            {
                "browser_id": engine.id,
                "server_id": "256-jpeg-85",
                "engine": "pica",
                "psnr_db": 40.0,
                "largest_difference": 9,
                "bytes_ratio": 1.1,
                "same_top1": {"8 CPU": True},
            }
        ],
    }
    picture = thumb(photo_bytes())
    made["pictures"] = picture_rows({"original": picture, "step-130-85": picture})
    return made


def _addition() -> dict[str, Any]:
    made = Addition("r2", 0.0, "done", 2, 8, {"cpu_count": 2})
    return {
        "id": made.id,
        "created_at": "2026-05-04T10:20:30Z",
        "state": made.state,
        "repeats": made.repeats,
        "seed": made.seed,
        "environment": dict(made.environment),
    }


EXPORTS = {
    "one photo": with_everything(),
    "a set": report_dict(summary(photos(both=20, lost=3))),
    "nothing measured": report_dict(report(state="failed", measurements=failed(4))),
}


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to everything within, rarely through long lists."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in children:
        if isinstance(key, str) or key < 3:
            yield (*way, key)
            yield from places(each, (*way, key))


def changed(made: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    made = copy.deepcopy(made)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        *way, last = chance.choice(list(places(made)))
        place: Any = made
        for step in way:
            place = place[step]
        how = chance.random()
        if how < 0.15:
            del place[last]
        elif how < 0.25 and isinstance(place, list):
            place.append(copy.deepcopy(place[last]))
        elif how < 0.35:
            other: Any = made
            for step in chance.choice(list(places(made))):
                other = other[step]
            place[last] = copy.deepcopy(other)
        elif how < 0.5 and isinstance(place[last], int | float) and not isinstance(place[last], bool):
            place[last] *= chance.choice([-1, 0, 0.5, 2, 1e6, 1e-6])
        elif how < 0.55 and isinstance(place, dict):
            place[chance.choice(["new", last + " "])] = chance.choice(VALUES)
        else:
            place[last] = chance.choice(VALUES)
    return made


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with serving(tmp_path_factory.mktemp("fuzz"), keep_runs=5) as app:
        yield app.test_client()


def stored(client: FlaskClient, made: dict[str, Any], run_id: str) -> dict[str, Any]:
    """What import does, without its process. Raises ReportRefused."""
    row, thumbs, text = imported(json.dumps(made).encode(), "run.json", run_id)
    store = services_of(client.application).store
    store.add_ended(row, Event(1, "report", text), pictures_in(thumbs))
    store.evict()
    found: dict[str, Any] = json.loads(text)
    return found


def every_form(made: dict[str, Any], run_id: str, other_id: str) -> Iterator[str]:
    url = f"/api/runs/{run_id}"
    yield from (f"{url}{extension}" for extension in ("", ".json", ".csv", ".html", ".zip"))
    goals = ("max_p50_ms=1", "max_p50_ms=none", "max_size_bytes=1", "keep_top1=false", "keep_top1=true")
    goals += ("margin_points=0", "margin_points=none")
    yield from (f"{url}?{goal}" for goal in goals)
    yield from (f"{url}/figures?theme=dark&x=bytes&y={latency}" for latency in LATENCIES)
    yield from (f"{url}/figures", f"{url}/events", f"{url}/follow-ups", f"/runs/{run_id}")
    yield from (f"{url}/thumbs/{key}" for key in ("original", "step-130-85"))
    yield from (f"{url}/deciding?uplink=3g", f"{url}/compare?with={other_id}", f"{url}/compare?with={run_id}")
    yield f"/api/runs/{other_id}/compare?with={run_id}"
    for each in made["variants"][:2]:
        yield f"{url}/variants/{each['id']}/figures"
    for kind in KINDS if made["variants"] and made["backends"] else ():
        query = {"variant": made["variants"][0]["id"], "backend": made["backends"][0]["name"]}
        yield f"{url}/copy/{kind}", query  # type: ignore[misc]
    yield from ("/api/runs", "/api/runs?q=tabby", "/api/runs?q=2026-05")


@pytest.mark.parametrize("name", EXPORTS)
def test_a_changed_export_is_refused_with_a_sentence_or_shown_in_every_form(client, name):
    chance = random.Random(12)
    other_id = "0000"
    taken = 0
    for number in range(TRIES):
        if number % 4 == 0:
            stored(client, EXPORTS[name], other_id := f"other{number}")
        made = changed(EXPORTS[name], chance)
        run_id = f"{number:04}"
        try:
            shown = stored(client, made, run_id)
        except ReportRefused as refused:
            assert refused.message.startswith("run.json ")
            assert len(refused.message) < 600
            continue
        taken += 1
        for form in every_form(shown, run_id, other_id):
            url, query = form if isinstance(form, tuple) else (form, None)
            answer = client.get(url, query_string=query) if query else client.get(url)
            assert answer.status_code < 500, (url, query, made)
            assert answer.get_data() is not None
    assert taken > TRIES / 20
