"""Gauges of backends, queue and disk: what alerts look at."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.processes.webapp_parts import eventually, photo_bytes, services_of, serving, settings
from tests.support.scripted_server import server_that_reads
from tests.support.telemetry.metrics_page import value
from webapp.backends import BackendRegistry
from webapp.config import Settings
from webapp.metrics import Metrics
from webapp.runs.manager import RunManager
from webapp.store.disk_use import DiskUse
from webapp.store.store import Store

Read = Callable[..., float | None]


def reader(app: Flask) -> Read:
    """Reads one sample of the app's /metrics."""
    return lambda name, **labels: value(app.test_client().get("/metrics").text, name, **labels)


def submit(client: FlaskClient, name: str) -> str:
    answer = client.post("/api/runs", data={"file": (io.BytesIO(photo_bytes()), name)})
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def test_a_backend_that_answers_is_up_and_one_that_stopped_is_down(tmp_path: Path) -> None:
    with server_that_reads("image/png") as address:
        registry = BackendRegistry(Settings(tf_servers=f"here:{address};gone:127.0.0.1:9"), lambda: False)
        assert (registry.up(), registry.states()) == ({}, {})  # nobody was asked yet: not known
        registry.refresh()
        assert registry.up() == {"here": 1.0, "gone": 0.0}
        assert registry.states() == {("here", "ready"): 1.0, ("gone", "down"): 1.0}
    registry.refresh()
    assert registry.up() == {"here": 0.0, "gone": 0.0}


def test_reading_the_metrics_asks_no_backend(tmp_path: Path) -> None:
    asked: list[str] = []
    with (
        server_that_reads("image/png", asked=asked) as address,
        serving(tmp_path, tf_servers=f"1 CPU:{address}") as app,
    ):
        services_of(app).registry.refresh()
        before, read = len(asked), reader(app)
        assert before > 0
        assert [read("pixelcost_backend_up", backend="1 CPU") for _ in range(3)] == [1.0] * 3
        assert read("pixelcost_backend_checked_timestamp_seconds", backend="1 CPU") > 1.6e9
        assert len(asked) == before


def test_a_backend_that_can_not_be_here_is_neither_up_nor_down(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(
        '{"backends": [{"name": "GPU", "embedded": true, "state": "absent"},'
        ' {"name": "1 CPU", "embedded": true, "state": "ready", "pid": 7, "restarts": 2},'
        ' {"name": "8 CPU", "embedded": true, "state": "loading", "pid": 8, "restarts": 0}]}'
    )
    with serving(tmp_path, tf_servers="", embedded_state=str(state)) as app:
        read = reader(app)
        assert read("pixelcost_backend_up", backend="GPU") is None
        assert read("pixelcost_backend_up", backend="1 CPU") == 1
        assert read("pixelcost_backend_state", backend="8 CPU", state="loading") == 1
        assert read("pixelcost_backend_restarts_total", backend="1 CPU") == 2


def test_the_queue_says_how_many_measure_how_many_wait_and_how_long(tmp_path: Path) -> None:
    with serving(tmp_path, queue_length=2) as app:
        client, read = app.test_client(), reader(app)
        assert read("pixelcost_queue_oldest_seconds") == 0
        submit(client, "slow-1.png")
        eventually(lambda: read("pixelcost_queue_running") == 1)
        assert read("pixelcost_queue_oldest_seconds") == 0
        submit(client, "slow-2.png")
        assert (read("pixelcost_queue_length"), read("pixelcost_queue_limit")) == (1, 2)
        first = read("pixelcost_queue_oldest_seconds")
        assert first is not None
        assert first > 0
        eventually(lambda: read("pixelcost_queue_oldest_seconds") > first)


def test_what_alerts_count_begins_at_zero_for_an_increase_from_nothing_is_none(tmp_path: Path) -> None:
    with serving(tmp_path) as app:
        read = reader(app)
        states = ("done", "cancelled", "failed")
        assert [read("pixelcost_runs_finished_total", state=state) for state in states] == [0, 0, 0]
        assert read("pixelcost_refused_total", code="too_many_runs") == 0


def test_a_run_that_a_restart_cut_off_counts_as_failed(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    store, metrics = Store(chosen.store_url), Metrics()
    store.create("a", "cat.jpg", {}, [], {}, 10)
    store.close()
    runs = RunManager(chosen, Store(chosen.store_url), metrics, lambda _: None)
    try:
        runs.leases.start()
        page = metrics.text("")[0].decode()
        assert value(page, "pixelcost_runs_finished_total", state="failed") == 1
    finally:
        runs.close()


def test_the_disk_is_counted_as_the_kubelet_counts_it_in_blocks(tmp_path: Path) -> None:
    use = DiskUse(tmp_path)
    before = use.used()[""]
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "photo").write_bytes(os.urandom(300_000))
    (tmp_path / "uploads" / "link").symlink_to("/usr/bin/env")
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10**9)
    assert 300_000 <= use.used()[""] - before < 400_000
    assert 0 <= use.free()[""] <= use.size()[""]


def test_a_data_folder_that_is_not_there_yet_has_no_numbers(tmp_path: Path) -> None:
    use = DiskUse(tmp_path / "later")
    assert (use.used(), use.free(), use.size()) == ({}, {}, {})


def test_the_quota_holds_every_kept_run_every_set_in_the_queue_and_every_upload_under_way() -> None:
    chosen = Settings(keep_bytes=2_000, max_set_bytes=500, queue_length=4, runs_at_once=1, threads=32)
    assert chosen.most_data_bytes == 2_000 + 500 * (1 + 4 + 9)


def test_a_gauge_that_can_not_be_read_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path) as app:

        def broken(*_: Any) -> Any:
            raise OSError("the database has gone")

        services_of(app).metrics.watch("pixelcost_broken", "Never.", broken)
        read = reader(app)
        assert read("pixelcost_broken") is None
        assert read("pixelcost_queue_length") == 0
        assert [record.getMessage() for record in caplog.records].count(
            "pixelcost_broken can't be read, and is left out of /metrics"
        ) == 1
