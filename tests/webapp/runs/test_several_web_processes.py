"""Two web processes, one PostgreSQL: a run is followed, cancelled and finished through either."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.processes.databases import needs_postgresql, postgresql_url
from tests.support.processes.webapp_parts import eventually, photo_bytes, services_of, serving

__all__ = ["postgresql_url"]  # a fixture

pytestmark = needs_postgresql

Web = Callable[[], FlaskClient]


@pytest.fixture
def web(postgresql_url: str, tmp_path: Path) -> Iterator[Web]:
    """Starts one more web process's app."""
    with ExitStack() as stack:

        def start(**changes: Any) -> FlaskClient:
            app = stack.enter_context(serving(tmp_path, database_url=postgresql_url, **changes))
            services_of(app).start()
            return app.test_client()

        yield start


def submit(client: FlaskClient, name: str = "cat.png", repeats: int = 2) -> str:
    plan = json.dumps({"sizes_px": [32], "formats": ["png"], "repeats": repeats})
    form = {"file": (io.BytesIO(photo_bytes()), name), "plan": plan}
    answer = client.post("/api/runs", data=form)
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def state(client: FlaskClient, run_id: str) -> str:
    return str(client.get(f"/api/runs/{run_id}").get_json()["state"])


def test_a_run_is_followed_to_its_end_through_the_other_process(web: Web) -> None:
    one, other = web(), web()
    run_id = submit(one, "slow-1.png", repeats=20)
    events = other.get(f"/api/runs/{run_id}/events").text
    kinds = [line.removeprefix("event: ") for line in events.splitlines() if line.startswith("event: ")]
    assert (kinds[0], kinds[-1]) == ("source", "end")
    assert kinds.count("measurement") == other.get(f"/api/runs/{run_id}").get_json()["requests"]["done"]
    assert other.get(f"/api/runs/{run_id}/events", headers={"Last-Event-ID": "9999"}).status_code == 204


def test_a_run_is_cancelled_through_the_other_process(web: Web) -> None:
    one, other = web(), web()
    run_id = submit(one, "slow-1.png", repeats=1000)
    eventually(lambda: state(other, run_id) == "running")
    answer = other.delete(f"/api/runs/{run_id}")
    assert (answer.status_code, answer.get_json()["id"]) == (202, run_id)
    eventually(lambda: state(other, run_id) == "cancelled")


def test_the_second_process_measures_when_the_first_has_done(web: Web) -> None:
    one, other = web(), web()
    first = submit(one, "slow-1.png", repeats=1000)
    eventually(lambda: state(one, first) == "running")
    second = submit(other)
    eventually(lambda: "yours is next" in events_so_far(other, second))
    assert state(one, second) == "queued"
    one.delete(f"/api/runs/{first}")
    eventually(lambda: state(one, second) == "done")


def test_a_process_that_starts_leaves_the_runs_of_the_others_alone(web: Web) -> None:
    one = web()
    run_id = submit(one, "slow-1.png", repeats=1000)
    other = web()
    assert state(other, run_id) in {"queued", "running"}
    one.delete(f"/api/runs/{run_id}")
    eventually(lambda: state(other, run_id) == "cancelled")


def test_a_run_that_a_dead_process_left_is_closed_by_the_other(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = web()
    store = services_of(dead.application).store
    store.create("0123", "cat.png", {}, [], {}, 10)
    services_of(dead.application).close()
    monkeypatch.setattr("webapp.store.leases.GONE_AFTER_S", 0.0)
    monkeypatch.setattr("webapp.store.leases.RENEW_EVERY_S", 0.01)
    other = web()
    run = eventually(lambda: row(other, "0123", "failed"))
    assert run["requests"] == {"planned": 10, "done": 0, "failed": 0}
    assert "event: end" in other.get("/api/runs/0123/events").text


def row(client: FlaskClient, run_id: str, wanted: str) -> dict[str, Any] | None:
    rows = client.get("/api/runs").get_json()["runs"]
    return next((each for each in rows if (each["id"], each["state"]) == (run_id, wanted)), None)


def events_so_far(client: FlaskClient, run_id: str) -> str:
    store = services_of(client.application).store
    return "".join(each.data for each in store.events(run_id))
