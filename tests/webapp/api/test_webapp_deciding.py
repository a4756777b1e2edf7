"""/api/runs/<id>/deciding and /compare over the test client, with a scripted worker behind them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.processes.webapp_parts import finished, refused


@pytest.fixture
def run_id(client: FlaskClient) -> str:
    return finished(client, plan={"sizes_px": [32], "repeats": 6, "warmups": 1})


def deciding(client: FlaskClient, run_id: str, query: str = "") -> Any:
    return client.get(f"/api/runs/{run_id}/deciding{query}")


def test_prices_of_the_query_are_used_and_stored_nowhere(client: FlaskClient, run_id: str) -> None:
    before = client.get(f"/api/runs/{run_id}").data
    told = deciding(client, run_id, "?price=1+CPU:0.36").json
    figures = told["sections"]["cost"]["figures"]
    assert set(figures) == {"cost_by_size", "cost_by_rate"}
    for row in figures["cost_by_size"]["meta"]["table"]["rows"]:
        assert row[6] == pytest.approx(row[4] / 10, rel=1e-4)  # 0.36 an hour is 1e-4 a second
    assert told["prices"] == {"1 CPU": 0.36}
    assert client.get(f"/api/runs/{run_id}").data == before
    assert deciding(client, run_id).json["sections"]["cost"]["figures"] == {}


def test_the_uplink_of_the_query_is_used_and_its_choices_are_told(client: FlaskClient, run_id: str) -> None:
    told = deciding(client, run_id, "?uplink=3g&theme=dark").json
    assert told["uplink"] == {"key": "3g", "name": "3G, 0.75 Mbit/s", "mbit_s": 0.75}
    assert [each["key"] for each in told["uplinks"]] == ["3g", "10", "100", "1000"]
    assert "at 0.75 Mbit/s" in told["sections"]["uplink"]["figures"]["end_to_end"]["meta"]["caption"]
    assert deciding(client, run_id).json["uplink"]["mbit_s"] == 10


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?price=dear", "bad_price"),
        ("?price=TPU:1", "bad_price"),
        ("?uplink=fast", "bad_uplink"),
        ("?theme=pink", "bad_query"),
    ],
)
def test_nonsense_is_refused_by_name(client: FlaskClient, run_id: str, query: str, code: str) -> None:
    assert refused(deciding(client, run_id, query)) == (400, code)


def test_a_run_is_compared_with_another_one(client: FlaskClient, run_id: str) -> None:
    other = finished(client, plan={"sizes_px": [32], "repeats": 6, "warmups": 1})
    told = client.get(f"/api/runs/{other}/compare?with={run_id}&theme=dark").json
    assert (told["run_id"], told["other_id"]) == (other, run_id)
    assert told["section"]["sentence"].startswith("3 results compared: ")
    assert [row[0] for row in told["section"]["tables"][0]["rows"]][1:] == ["32 px PNG", "32 px JPEG"]
    json.dumps(told, allow_nan=False)


def imported_again(client: FlaskClient, run_id: str, **source: str) -> str:
    """The run's report as somebody else sent it, perhaps of another photo."""
    report = client.get(f"/api/runs/{run_id}.json").json
    report["source"] |= source
    file = (io.BytesIO(json.dumps(report).encode()), "kept.json")
    answer: str = client.post("/api/runs/import", data={"file": file}).json["id"]
    return answer


def test_the_history_tells_runs_of_the_same_photo_which_a_comparison_offers_first(
    client: FlaskClient, run_id: str
) -> None:
    same = finished(client)
    kept, other = imported_again(client, run_id), imported_again(client, run_id, sha256="1" * 64)
    listed = client.get(f"/api/runs?like={run_id}&limit=3").json
    found = {row["id"]: row["same_photo"] for row in listed["runs"]}
    assert found == {kept: True, other: False, same: True}
    assert f"like={run_id}" in listed["next"]
    assert {row["same_photo"] for row in client.get("/api/runs?like=nobody").json["runs"]} == {None}
    assert "same_photo" not in client.get("/api/runs").json["runs"][0]


def test_another_photo_is_said_before_what_is_faster(client: FlaskClient, run_id: str) -> None:
    other = imported_again(client, run_id, sha256="1" * 64)
    told = client.get(f"/api/runs/{other}/compare?with={run_id}").json
    assert told["same_photo"] is False
    assert told["section"]["sentence"].startswith(
        "Two different photos, so times differ with the pictures too."
    )
    assert client.get(f"/api/runs/{run_id}/compare?with={run_id}").json["same_photo"] is True


def test_where_copies_are_made_is_asked_by_query_for_costs_and_comparison(
    client: FlaskClient, run_id: str
) -> None:
    stored, served = (
        deciding(client, run_id, f"?price=1+CPU:0.36{query}").json["sections"]["cost"]["figures"]
        for query in ("", "&copies=per_request")
    )
    costs = [
        [row[6] for row in figures["cost_by_size"]["meta"]["table"]["rows"]] for figures in (stored, served)
    ]
    assert all(after > before for before, after in zip(*costs, strict=True) if before != costs[0][-1])
    assert "making" in client.get(f"/api/runs/{run_id}/compare?with={run_id}&copies=per_request").text
    assert refused(deciding(client, run_id, "?copies=nowhere")) == (400, "bad_query")
    assert refused(client.get(f"/api/runs/{run_id}?copies=nowhere")) == (400, "bad_query")
    assert refused(client.get(f"/api/runs/{run_id}?copies=client&uplink=fast")) == (400, "bad_uplink")
    judged = client.get(f"/api/runs/{run_id}?copies=client&uplink=3g").json
    assert "modelled" in judged["recommendation"]["sentence"]
    assert judged["plan"]["uplink_mbit_s"] == 0.75


def test_a_run_that_is_not_there_and_none_at_all_are_told_apart(client: FlaskClient, run_id: str) -> None:
    assert refused(client.get(f"/api/runs/{run_id}/compare?with=nobody")) == (404, "no_such_run")
    assert refused(client.get(f"/api/runs/{run_id}/compare")) == (400, "bad_query")
    assert refused(deciding(client, "nobody")) == (404, "no_such_run")
