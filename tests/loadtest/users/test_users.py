"""`python -m loadtest users`: real Locust, in processes of its own, against one real model server."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtest.results.load_json import read_load
from tests.support.models.servables import servable
from tests.support.processes.app_process import CAT, ROOT
from tests.support.processes.model_server import ModelServer, model_list, model_server, one_model
from tests.support.processes.webapp_parts import NOWHERE, eventually

FILES = ("stats", "stats_history", "failures", "exceptions")
STATS_COLUMNS = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,"
    "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
)


LONGER_S = (2, 8, 30)  # run times to try: where the machine is busy, users may not get to a request at once
LONG_S = 240  # for whatever has to come true


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    said: str  # on both streams
    out: Path

    def load(self, kind: str = "") -> dict[str, Any]:
        return read_load(self.out / kind)

    def rows(self, kind: str, file: str, folder: str = "") -> list[dict[str, str]]:
        text = (self.out / folder / f"{kind}_{file}.csv").read_text()
        return list(csv.DictReader(io.StringIO(text)))


@contextmanager
def running(out: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "loadtest", "users", "--users", "2", "--spawn-rate", "10"]
    process = subprocess.Popen(
        [*command, "--out", str(out), *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str], out: Path) -> Ran:
    said, _ = process.communicate(timeout=LONG_S)
    return Ran(process.returncode, said, out)


def interrupted(process: subprocess.Popen[str], out: Path) -> Ran:
    """The command, interrupted after some requests."""
    samples = out / "samples.csv"
    some = lambda: samples.exists() and samples.read_text().count("\n") > 3  # noqa: E731
    eventually(lambda: process.poll() is not None or some(), LONG_S)
    process.send_signal(signal.SIGINT)
    return ended(process, out)


def has_sent(ran: Ran) -> bool:
    """Whether every kind of it has sent a request."""
    loads = list(ran.out.rglob("load.json"))
    return bool(loads) and all(read_load(path)["summary"]["count"] for path in loads)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, default_model: Path) -> Iterator[ModelServer]:
    """A server with a model of images and one of numbers."""
    config = tmp_path_factory.mktemp("users") / "models.config"
    models = (one_model("inception", default_model), one_model("digits", servable("digits")))
    config.write_text(model_list(*models))
    with model_server(f"--model_config_file={config}") as server:
        yield server


@pytest.fixture(scope="module")
def ran(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All commands that this module looks at, run at the same time."""
    both = f"{server.address}?rest={server.rest_url.rpartition(':')[2]}"
    copies = ("--csv", "{}/stats/mine", "--html", "{}/locust.html")
    commands: dict[str, tuple[str, ...]] = {
        "images": ("--kinds", "rest_single,grpc_batch", "--image", str(CAT), *copies),
        "numbers": ("--kinds", "rest_batch,grpc_single", "--model", "digits"),
        "down": ("--kinds", "grpc_single", "--target", NOWHERE),
        "interrupted": ("--kinds", "rest_single", "--target", server.rest_url, "--run-time", "10m"),
    }

    def run(name: str) -> Ran:
        for seconds in LONGER_S:
            out = tmp_path_factory.mktemp(name) / "out"
            arguments = [each.format(out.parent) for each in commands[name]]
            run_time = ("--run-time", f"{seconds}s", *arguments)
            with running(out, *run_time, SERVER=both, BATCHSIZE="3") as process:
                found = interrupted(process, out) if name == "interrupted" else ended(process, out)
            if has_sent(found):
                break
        return found

    with ThreadPoolExecutor(len(commands)) as pool:
        return dict(zip(commands, pool.map(run, commands), strict=True))


KINDS = {
    "rest_single": ("images", "rest", 1, "image"),
    "grpc_batch": ("images", "grpc", 3, "image"),
    "rest_batch": ("numbers", "rest", 3, "numbers"),
    "grpc_single": ("numbers", "grpc", 1, "numbers"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_sends_its_requests_and_all_are_answered(ran: dict[str, Ran], kind: str) -> None:
    command, protocol, batch, payload = KINDS[kind]
    assert ran[command].code in {0, 1}, ran[command].said  # 1: a busy machine may make the load INVALID
    load = ran[command].load(kind)
    assert (load["kind"], load["arrivals"], load["in_flight"]) == ("users", "closed", 2)
    assert load["target"]["protocol"] == protocol
    assert (load["payload"]["kind"], load["payload"]["batch"]) == (payload, batch)
    assert load["users"] == {"kind": kind, "spawn_per_s": 10.0, "locust": "2.47.0"}
    assert load["summary"]["count"] == len(load["requests"]) > 0
    assert load["summary"]["failures"] == 0
    assert max(request["in_flight"] for request in load["requests"]) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_locusts_own_files_count_the_same_requests_and_none_overwrites_another(
    ran: dict[str, Ran], kind: str
) -> None:
    ran_, load = ran[KINDS[kind][0]], ran[KINDS[kind][0]].load(kind)
    own, total = ran_.rows(kind, "stats", kind)
    assert ",".join(own) == STATS_COLUMNS
    assert (own["Type"], own["Name"]) == ({"rest": "REST", "grpc": "gRPC"}[KINDS[kind][1]], kind)
    assert int(own["Request Count"]) == int(total["Request Count"]) == load["summary"]["count"]
    latencies_ms = [request["latency_ms"] for request in load["requests"]]
    assert float(own["Max Response Time"]) == pytest.approx(max(latencies_ms), abs=0.01)
    assert ran_.rows(kind, "failures", kind) == ran_.rows(kind, "exceptions", kind) == []
    assert int(ran_.rows(kind, "stats_history", kind)[-1]["Total Request Count"]) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_distinct_payloads_are_sent_in_turn(ran: dict[str, Ran], kind: str) -> None:
    load = ran[KINDS[kind][0]].load(kind)
    bodies = [request["body"] for request in load["requests"]]
    assert load["payload"]["distinct"] == 64
    assert sorted(bodies) == sorted(number % 64 for number in range(len(bodies)))


def test_the_copies_that_csv_and_html_name_are_locusts_files(ran: dict[str, Ran]) -> None:
    folder = ran["images"].out.parent
    for kind in ("rest_single", "grpc_batch"):
        for file in FILES:
            own = ran["images"].out / kind / f"{kind}_{file}.csv"
            assert (folder / "stats" / f"mine_{kind}_{file}.csv").read_bytes() == own.read_bytes()
        assert "<title>Locust" in (folder / f"locust_{kind}.html").read_text()


def test_a_target_on_this_machine_is_named_as_it_was_asked_for(server: ModelServer, tmp_path: Path) -> None:
    target = f"localhost:{server.address.rpartition(':')[2]}"
    asked = ("--target", target, "--kinds", "grpc_single", "--model", "digits", "--run-time", "1s")
    with running(tmp_path / "out", *asked) as process:
        said = ended(process, tmp_path / "out").said
    assert f"  {target} ran on the machine that generated the load" in said


def test_no_file_is_overwritten(ran: dict[str, Ran], tmp_path: Path) -> None:
    prefix = ran["images"].out.parent / "stats" / "mine"
    with running(tmp_path, "--target", NOWHERE, "--csv", str(prefix)) as process:
        again = ended(process, tmp_path)
    assert again.code == 2
    assert f"{prefix}_rest_single_stats.csv is there already, and nothing is overwritten." in again.said


def test_a_server_that_is_down_is_named_once_and_its_failures_are_counted(ran: dict[str, Ran]) -> None:
    down = ran["down"]
    load = down.load()
    failures = load["summary"]["failures"]
    assert down.code == 1
    assert f"All {failures} requests failed: nothing answers at {NOWHERE} (connection refused)." in down.said
    assert (load["validity"], load["summary"]["causes"]) == ("INVALID", {"unreachable": failures})
    (row,) = down.rows("grpc_single", "failures")
    assert row["Error"] == f"nothing answers at {NOWHERE} (connection refused)"
    assert int(row["Occurrences"]) == failures == load["summary"]["count"] > 0


def test_interrupting_keeps_what_was_measured(ran: dict[str, Ran]) -> None:
    interrupted = ran["interrupted"]
    load = interrupted.load()
    assert interrupted.code == 130, interrupted.said
    assert load["stopped"] == "The load was stopped by hand."
    assert load["summary"]["count"] == int(interrupted.rows("rest_single", "stats")[-1]["Request Count"]) > 0
    assert not list(interrupted.out.glob("*.jsonl"))


def test_without_locust_the_command_to_install_it_is_named(tmp_path: Path) -> None:
    hidden = (
        "import sys; sys.modules['locust'] = None; sys.argv = ['loadtest', 'users', '--users', '1'];"
        "from importlib import util; found = util.find_spec;"
        "util.find_spec = lambda name, *more: None if name == 'locust' else found(name, *more);"
        "import runpy; runpy.run_module('loadtest', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "pip install --require-hashes -r requirements/locust.txt" in done.stderr


def test_plain_locust_runs_the_users_of_a_tag(server: ModelServer, tmp_path: Path) -> None:
    """As somebody would who has only the file: Locust's own command line, SERVER and BATCHSIZE."""
    both = f"{server.address}?rest={server.rest_url.rpartition(':')[2]}"
    environ = {**os.environ, "SERVER": both, "BATCHSIZE": "2", "MODEL_NAME": "digits"}
    command = [sys.executable, "-m", "locust", "-f", "loadtest/users/locustfile.py", "--headless", "--json"]
    command += ["--users", "2", "--spawn-rate", "10", "--tags", "batchinference"]
    for seconds in LONGER_S:
        done = subprocess.run(
            [*command, "--run-time", str(seconds)],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )
        found = {row["name"]: row["num_failures"] for row in json.loads(done.stdout)}
        if len(found) == 2:
            break
    assert found == {"rest_batch": 0, "grpc_batch": 0}, done.stderr
