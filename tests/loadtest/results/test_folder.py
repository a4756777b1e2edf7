"""The folder of a load test: never overwritten, and never without what was measured."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from loadtest.errors import LoadRefused
from loadtest.results.folder import COLUMNS, new_folder
from loadtest.results.load_json import read_load
from loadtest.results.summary import summarise
from tests.support.load.records import load, sample, samples
from tests.support.small_disk import fill, small_disk

NOON = 1_780_315_200.0


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write(folder, asked):
    with folder:
        for each in asked.taken.samples:
            folder.keep(each)
    return folder.write(asked, summarise(asked))


def test_a_folder_has_the_raw_samples_and_the_load(tmp_path):
    asked = load(
        [*samples(250, right=1, peer="10.0.0.1:8500", stages_ms={"decode": 1.5}), sample(3, cause="deadline")]
    )
    folder = new_folder(tmp_path / "out", "rate", "GPU", tmp_path)
    written = write(folder, asked)
    assert written.problems == () and folder.path == tmp_path / "out"
    assert {path.name for path in written.files} == {path.name for path in folder.path.iterdir()}
    found = rows(folder.path)
    assert tuple(found[0]) == COLUMNS and len(found) == 251
    assert found[1] == {
        **{"due_s": "0.01", "sent_s": "0.01", "latency_ms": "10.1", "ok": "true", "cause": "", "body": "0"},
        **{
            "right": "1",
            "in_flight": "1",
            "peer": "10.0.0.1:8500",
            "answer_bytes": "",
            "stages_ms": '{"decode": 1.5}',
        },
    }
    assert (found[-1]["ok"], found[-1]["cause"], found[-1]["right"]) == ("false", "deadline", "")
    assert read_load(folder.path)["summary"]["count"] == 251


def test_without_a_name_the_folder_is_named_after_date_kind_and_target(tmp_path):
    names = [new_folder(None, "rate", "8 CPU/über: REST", tmp_path, NOON).path.name for _ in range(3)]
    assert names[0] == "2026-06-01-120000-rate-8-CPU-ber-REST"
    assert names[1:] == [f"{names[0]}-2", f"{names[0]}-3"]


def test_a_folder_with_something_in_it_gets_a_numbered_one_and_keeps_what_it_has(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    first = new_folder(tmp_path, "rate", "GPU", tmp_path)
    second = new_folder(tmp_path, "rate", "GPU", tmp_path)
    assert [first.path, second.path] == [tmp_path / "2", tmp_path / "3"]
    write(first, load(samples(3)))
    assert new_folder(tmp_path / "2", "rate", "GPU", tmp_path).path == tmp_path / "2" / "2"
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_no_file_is_written_twice(tmp_path):
    folder = new_folder(tmp_path / "out", "rate", "GPU", tmp_path)
    write(folder, load(samples(3)))
    again = folder.write(load(samples(9)), summarise(load(samples(9))))
    assert "load.json could not be written: there is a file of that name already." in again.problems[0]
    assert read_load(folder.path)["summary"]["count"] == 3


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/nowhere"])
def test_a_place_where_no_folder_can_be_is_refused_with_a_sentence(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadRefused, match=r"is a file\. Name a folder|No results can be written to"):
        new_folder(tmp_path / name, "rate", "GPU", tmp_path)


def test_a_full_disk_costs_no_measured_request(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        folder = new_folder(disk / "out", "rate", "GPU", tmp_path)
        with folder:
            filler = fill(disk)
            for each in samples(2000):
                folder.keep(each)
        written = folder.write(load(samples(2000)), summarise(load(samples(2000))))
        assert not (folder.path / "load.json").exists() and not list(folder.path.glob("*.partial"))
        filler.unlink()
    assert "samples.csv could not be written: No space left on device." in written.problems[0]
    assert "load.json could not be written: No space left on device." in written.problems[1]
    (elsewhere,) = tmp_path.glob("out-*/load.json")
    assert str(elsewhere) in written.problems[2]
    assert read_load(elsewhere)["summary"]["count"] == 2000


KILLED = """
import sys, time
from pathlib import Path
from loadtest.results.folder import new_folder
from tests.support.load.records import samples
with new_folder(Path(sys.argv[1]), "rate", "GPU", Path(sys.argv[1])) as folder:
    for each in samples(300):
        folder.keep(each)
    print("kept", flush=True)
    time.sleep(60)
"""


def test_a_killed_load_leaves_its_samples(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path / "out"], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"kept\n"
        while len((tmp_path / "out" / "samples.csv").read_bytes().splitlines()) < 301:
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert len(rows(tmp_path / "out")) == 300


def test_load_json_is_plain_json(tmp_path):
    folder = new_folder(tmp_path / "out", "rate", "GPU", tmp_path)
    write(folder, load(samples(3)))
    assert json.loads((folder.path / "load.json").read_text())["kind"] == "rate"
