"""python -m experiment, as a process, against real servers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import jsonschema
import pytest

from experiment.export import SCHEMA
from tests.app_process import CAT, ROOT, free_port
from tests.scripted_server import aborting, always, good_answer, grpc, grpc_server, hanging

QUICK = ["--sizes", "64,32", "--repeats", "6", "--warmups", "1"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiment", str(CAT), *QUICK, *arguments]


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_run_prints_a_table_and_writes_json_csv_and_html(tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    with grpc_server(always(good_answer())) as one, grpc_server(always(good_answer())) as other:
        done = run("--servers", f"A:{one};B:{other}", *options)
    assert done.returncode == 0, done.stderr
    assert "JPEG q85 at 32 px on" in done.stdout  # "Serve ..." where the machine was quiet
    report = json.loads(files["json"].read_text())
    jsonschema.validate(report, SCHEMA)
    assert report["requests"] == {"planned": 70, "done": 70, "failed": 0, "not_sent": 0}
    assert len(list(csv.DictReader(files["csv"].open()))) == 10
    assert files["html"].read_text().startswith("<!DOCTYPE html>")


def test_one_server_down_gives_a_result_for_the_other_and_exit_code_1():
    with grpc_server(always(good_answer())) as address:
        done = run("--servers", f"up:{address};gone:127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "JPEG q85 at 32 px on up." in done.stdout
    assert "connection refused" in done.stdout


def test_a_server_that_refuses_everything_still_gives_a_report():
    with grpc_server(aborting(grpc.StatusCode.INVALID_ARGUMENT, "no")) as address:
        done = run("--servers", f"strict:{address}")
    assert done.returncode == 1
    assert "bad_request" in done.stdout


def test_ctrl_c_keeps_what_was_measured(tmp_path):
    out, asked, slow = tmp_path / "out.json", threading.Semaphore(0), hanging(0.02)

    def counting(request, context):
        asked.release()
        return slow(request, context)

    with grpc_server(counting) as address:
        process = subprocess.Popen(
            command("--repeats", "900", "--servers", f"slow:{address}", "--json", str(out)),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(20):
            assert asked.acquire(timeout=60), "the run did not begin"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    report = json.loads(out.read_text())
    assert report["state"] == "cancelled"
    assert 0 < report["requests"]["done"] < report["requests"]["planned"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "64,-1"], "size"),
        (["--formats", "tiff"], "tiff"),
        (["--quality", "0"], "quality"),
        (["--servers", "GPU:tf-gpu"], "has no port"),
        (["--servers", "a:h:1", "--backends", "b"], "no backend named b"),
        (["--json", "/nowhere/out.json"], "/nowhere/out.json can't be written"),
        (["--csv", "/tmp"], "/tmp can't be written"),
        (["--sizes", "abc"], "no list of whole numbers"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_can_not_be_written_costs_only_that_file(tmp_path):
    with grpc_server(always(good_answer())) as address:
        done = run("--servers", f"a:{address}", "--json", "/dev/full", "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 2
    assert "/dev/full could not be written: No space left on device." in done.stderr
    assert (tmp_path / "out.csv").exists()
    assert "JPEG q85 at " in done.stdout


def test_a_file_that_is_no_photo_ends_with_2_and_a_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "experiment", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "README.md is not a photo we can read" in done.stderr


def test_without_servers_it_starts_its_own_and_ends_them(tmp_path, demo_model):
    environ = {key: value for key, value in os.environ.items() if key != "TF_SERVERS"}
    environ |= {"PIXELCOST_DATA_DIR": str(tmp_path), "MODEL_BASE_PATH": str(demo_model)}
    done = run(env=environ)
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout
    assert not (tmp_path / "embedded.json").exists()
