"""The disk fills up: what is running ends with a reason, runs can be removed, and later ones work again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import eventually, photo_bytes
from tests.support.small_disk import fill, small_disk
from webapp.store.disk_reserve import DiskReserve

LONG = '{"sizes_px": [32], "formats": ["png"], "warmups": 0, "repeats": 1000}'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 24_000_000) as folder:
        yield folder


@pytest.fixture
def web(disk: Path, tmp_path: Path) -> Iterator[WebProcess]:
    (tmp_path / "web").mkdir()
    with web_process(tmp_path / "web", PIXELCOST_DATA_DIR=str(disk), TMPDIR=str(disk)) as started:
        yield started


def measuring(web: WebProcess) -> str:
    """A run that has measured something and goes on."""
    run_id: str = web.post("slow-cat.png", LONG).json()["id"]
    eventually(lambda: web.get(f"/api/runs/{run_id}").json()["requests"]["done"] > 5)
    return run_id


def state(web: WebProcess, run_id: str) -> str:
    return str(web.get(f"/api/runs/{run_id}").json()["state"])


def test_a_run_that_meets_a_full_disk_ends_with_that_reason_and_the_next_one_works_with_room(web, disk):
    run_id = measuring(web)
    filler = fill(disk)
    eventually(lambda: state(web, run_id) == "failed")
    report = web.get(f"/api/runs/{run_id}").json()
    assert report["failure"]["code"] == "storage_full"
    assert "disk" in report["failure"]["message"]
    done = report["requests"]["done"]
    assert sum(cell["count"] for cell in report["cells"]) == done > 5
    assert "event: end" in web.get(f"/api/runs/{run_id}/events").text
    filler.unlink()
    assert web.finished(web.post().json()["id"])["state"] == "done"
    assert web.get(f"/api/runs/{run_id}").json()["requests"]["done"] == done


def test_runs_can_be_removed_and_read_while_the_disk_is_full(web, disk):
    ids = [web.finished(web.post().json()["id"])["run_id"] for _ in range(3)]
    fill(disk)
    assert requests.delete(f"{web.url}/api/runs/{ids[0]}", timeout=60).status_code == 204
    assert [row["id"] for row in web.get("/api/runs").json()["runs"]] == [ids[2], ids[1]]
    fill(disk)
    assert requests.delete(f"{web.url}/api/runs/{ids[1]}", timeout=60).status_code == 204
    for extension in ("json", "csv", "html", "zip"):
        assert web.get(f"/api/runs/{ids[2]}.{extension}").status_code == 200


@pytest.mark.parametrize("size_bytes", [None, 900_000, 15_000_000], ids=["small", "in a file", "large"])
def test_a_photo_that_finds_no_room_is_told_so_and_not_called_empty(web, disk, size_bytes):
    photo = os.urandom(size_bytes) if size_bytes else photo_bytes()
    fill(disk)
    answer = web.post(data=photo)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert "Nothing can be stored." in answer.json()["detail"]
    assert "empty" not in answer.text
    (disk / "filler").unlink()
    assert web.finished(web.post().json()["id"])["state"] == "done"
    assert [row["state"] for row in web.get("/api/runs").json()["runs"]] == ["done"]


def test_a_run_whose_end_finds_no_room_is_ended_once_there_is_some(web, disk):
    run_id = measuring(web)
    reserve = disk / "pixelcost.db-reserve"
    reserve.unlink()
    filler = fill(disk)
    eventually(lambda: "trying again" in web.log())
    assert state(web, run_id) == "running"
    filler.unlink()
    eventually(lambda: state(web, run_id) == "failed")
    assert web.get(f"/api/runs/{run_id}").json()["failure"]["code"] == "storage_full"
    assert web.finished(web.post().json()["id"])["state"] == "done"


def test_a_run_whose_end_finds_no_room_can_be_removed(web, disk):
    run_id = measuring(web)
    (disk / "pixelcost.db-reserve").unlink()
    filler = fill(disk)
    eventually(lambda: "trying again" in web.log())
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - 600_000)
    assert requests.delete(f"{web.url}/api/runs/{run_id}", timeout=60).status_code == 204
    assert web.get(f"/api/runs/{run_id}").status_code == 404


def test_the_app_starts_on_a_full_disk_and_shows_its_runs(disk, tmp_path):
    (tmp_path / "web").mkdir()
    options = {"PIXELCOST_DATA_DIR": str(disk), "TMPDIR": str(tmp_path)}
    with web_process(tmp_path / "web", **options) as web:
        kept = web.finished(web.post().json()["id"])["run_id"]
        interrupted = measuring(web)
        web.process.kill()
        web.process.wait()
        eventually(lambda: not _answers(web))
    fill(disk)
    with web_process(tmp_path / "web", **options) as web:
        assert state(web, kept) == "done"
        assert requests.delete(f"{web.url}/api/runs/{kept}", timeout=60).status_code == 204
        eventually(lambda: state(web, interrupted) == "failed")


def _answers(web: WebProcess) -> bool:
    try:
        return web.get("/healthz").ok
    except requests.RequestException:
        return False


def test_the_reserve_is_real_room_and_comes_back_as_large_as_fits(disk):
    path = disk / "reserve"
    reserve = DiskReserve(path)
    reserve.keep()
    assert path.stat().st_blocks * 512 >= 8_000_000
    filler = fill(disk)
    with reserve.released():
        assert not path.exists()
        with filler.open("ab") as file:
            file.write(bytes(5_000_000))
    assert path.stat().st_size == 2_000_000
    with reserve.released():
        fill(disk)
    assert not path.exists()
