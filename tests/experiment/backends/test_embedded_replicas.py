"""An embedded backend with `replicas=2`: two real model servers that take turns, also when one is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from common.addresses import free_port
from experiment.backends.base import Backend, RequestFailed
from experiment.backends.connect import connect
from experiment.backends.model_input import seen
from experiment.backends.probe import probe
from experiment.embedded.cores import share_of_each
from experiment.embedded.model import model_in
from experiment.embedded.profiles import parse_embedded
from experiment.embedded.supervisor import EmbeddedServers
from experiment.errors import EmbeddedFailed
from experiment.records import BackendInfo
from tests.support.processes.app_process import CAT, is_alive, running_app
from tests.support.processes.serving_process import default_model_dir, picture
from tests.support.processes.webapp_parts import eventually as soon
from tests.support.records import variant

MANY_CORES = len(os.sched_getaffinity(0)) > 1
COPIED = "variant=original&backend=2%20x%201"
VARIANT = variant(64, "png", data=picture())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with started(tmp_path_factory.mktemp("pair")) as servers:
        servers.wait_ready()
        yield servers


def eventually(holds: Callable[[], object]) -> None:
    soon(holds, timeout_s=60.0)  # processes start, perhaps while others do


def started(data_dir: Path) -> EmbeddedServers:
    plan = parse_embedded("2 x 1:cpus=1,replicas=2,price_per_hour=0.2")
    return EmbeddedServers(data_dir, model_in(str(default_model_dir())), plan)


def state_of(servers: EmbeddedServers) -> dict[str, dict]:
    """The rows of the state file by name."""
    return {row["name"]: row for row in json.loads(servers.state_path.read_text())["backends"]}


def pids_of(servers: EmbeddedServers) -> list[int]:
    return state_of(servers)["2 x 1"]["pids"]


def cores_of_every_thread(pid: int) -> set[str]:
    lines = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return {line.split()[1] for line in lines.splitlines() if line.startswith("Cpus_allowed_list")}


@pytest.mark.parametrize(
    ("cores", "cpus", "replicas", "shares"),
    [
        ((0, 1, 2, 3), 1, 2, [(0,), (1,)]),
        ((4, 5, 6, 7), 2, 2, [(4, 5), (6, 7)]),
        ((0, 1), 1, 3, [(0,), (1,), (0,)]),
        ((0, 1), 8, 2, [(0, 1), (0, 1)]),
        ((1, 2, 3), 2, 2, [(1, 2), (1, 3)]),
        ((3,), 2, 1, [(3,)]),
    ],
)
def test_replicas_share_cores_only_where_there_are_too_few(cores, cpus, replicas, shares):
    assert share_of_each(cores, cpus, replicas) == shares


def test_no_two_servers_are_given_the_same_port():
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports)) == len(ports)


def test_replicas_are_one_backend_with_the_addresses_of_all(pair):
    over_grpc, over_rest = pair.infos()
    assert [over_grpc.name, over_rest.name] == ["2 x 1", "2 x 1 over REST"]
    for info in (over_grpc, over_rest):
        assert (info.state, info.replicas, info.cpus, info.price_per_hour) == ("ready", 2, 2, 0.2)
        assert len(set(info.address.split(","))) == 2
    assert len(over_grpc.cores) == (2 if MANY_CORES else 1)
    assert over_grpc.detail.count("Ready. ") == 1
    assert over_grpc.detail.endswith("Runs on this machine, pinned to 2 cores.") or not MANY_CORES


def test_the_state_file_names_the_process_of_each_replica(pair):
    rows = state_of(pair)
    assert list(rows) == ["2 x 1", "2 x 1 over REST"]
    assert len(set(rows["2 x 1"]["pids"])) == 2
    assert rows["2 x 1"]["restarts"] == 0


def test_each_replica_keeps_to_cores_of_its_own(pair):
    pinned = [cores_of_every_thread(pid) for pid in pids_of(pair)]
    assert all(len(cores) == 1 for cores in pinned)
    assert len(set.union(*pinned)) == (2 if MANY_CORES else 1)


@pytest.mark.parametrize("number", [0, 1], ids=["grpc", "rest"])
def test_requests_go_to_each_replica_in_turn_and_answers_name_theirs(pair, number):
    info = pair.infos()[number]
    with closing(connect(info)) as backend:
        backend.open(5.0)
        predictions = [backend.predict(VARIANT, 30.0) for _ in range(6)]
    assert Counter(each.peer for each in predictions) == dict.fromkeys(info.address.split(","), 3)
    assert len({each.top for each in predictions}) == 1


@pytest.mark.parametrize("number", [0, 1], ids=["grpc", "rest"])
def test_asked_from_elsewhere_the_backend_is_as_its_supervisor_says(pair, number):
    listed = pair.infos()[number]
    found = probe(listed)
    assert (found.state, found.address, found.replicas) == ("ready", listed.address, 2)
    assert (found.reads, found.runtime) == (listed.reads, listed.runtime)


def test_what_the_model_sees_is_asked_of_a_replica(pair):
    assert seen(pair.infos()[0], picture(), 30.0).image.width > 0


class Traffic:
    """Asks one backend until the block ends: who answered, and what went wrong."""

    def __init__(self, info: BackendInfo):
        self.peers: list[str | None] = []
        self.failures: list[RequestFailed] = []
        self._backend: Backend = connect(info)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Traffic:
        self._backend.open(5.0)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._backend.close()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self.peers.append(self._backend.predict(VARIANT, 30.0).peer)
            except RequestFailed as error:
                self.failures.append(error)


def test_a_killed_replica_costs_its_own_requests_only_and_is_started_again_at_its_address(tmp_path):
    with started(tmp_path) as servers:
        servers.wait_ready()
        before = servers.infos()[0]
        first, second = before.address.split(",")
        victim, other = pids_of(servers)
        with Traffic(before) as traffic:
            eventually(lambda: {first, second} <= set(traffic.peers))
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: servers.infos()[0].address == second)
            left = servers.infos()[0]
            assert (left.state, left.replicas, left.cpus) == ("ready", 1, 2)
            assert "1 of 2 replicas answers. The embedded server had ended (killed" in left.detail
            assert servers.infos()[1].state == "ready"
            seen_so_far = len(traffic.peers)
            eventually(lambda: second in traffic.peers[seen_so_far:])
            eventually(lambda: servers.infos()[0].address == before.address)
            seen_so_far = len(traffic.peers)
            eventually(lambda: first in traffic.peers[seen_so_far:])
        fresh, same = pids_of(servers)
        assert (same, state_of(servers)["2 x 1"]["restarts"]) == (other, 1)
        assert fresh != victim
    assert {each.failure.code for each in traffic.failures} == {"unreachable"}
    assert all(first in each.failure.message for each in traffic.failures)
    assert len(traffic.failures) <= 4  # the one in flight, and those sent while it still loads the model


def test_a_replica_that_hangs_is_killed_and_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.embedded.supervisor.HANG_CHECK_S", 0.1)
    monkeypatch.setattr("experiment.embedded.supervisor.SILENT_CHECKS", 2)
    monkeypatch.setattr("experiment.backends.probe.CONNECT_S", 0.2)
    with started(tmp_path) as servers:
        servers.wait_ready()
        hanging, other = pids_of(servers)
        os.kill(hanging, signal.SIGSTOP)
        eventually(lambda: not is_alive(hanging))
        eventually(lambda: servers.infos()[0].replicas == 2 and servers.infos()[0].state == "ready")
        assert pids_of(servers)[1] == other


def test_at_the_end_no_replica_is_left(tmp_path):
    with started(tmp_path) as servers:
        servers.wait_ready()
        pids = pids_of(servers)
        assert all(is_alive(pid) for pid in pids)
    assert not any(is_alive(pid) for pid in pids)
    assert not servers.state_path.exists()


def test_a_model_that_no_replica_can_load_ends_the_start_with_the_reason(tmp_path):
    model = tmp_path / "odd"
    (model / "1").mkdir(parents=True)
    (model / "1" / "saved_model.pb").write_bytes(b"garbage")
    plan = parse_embedded("two:cpus=1,replicas=2")
    with (
        pytest.raises(EmbeddedFailed, match=r"two did not start\. The embedded server ended \(exit code 2\)"),
        EmbeddedServers(tmp_path / "data", model_in(str(model)), plan) as servers,
    ):
        servers.wait_ready()


def test_a_run_of_the_app_asks_every_replica_and_its_end_leaves_none(tmp_path):
    environ = {"MODEL_BASE_PATH": str(default_model_dir()), "PIXELCOST_EMBEDDED": "2 x 1:cpus=1,replicas=2"}
    with running_app(tmp_path, **environ) as app:
        assert any(line.startswith("2 x 1: TensorFlow 2.") and "2 replicas" in line for line in app.output)
        row = app.backends()["2 x 1"]
        assert (row["state"], row["replicas"], len(row["pids"])) == ("ready", 2, 2)
        plan = {"sizes_px": [64], "repeats": 4, "warmups": 2, "backend_names": ["2 x 1", "2 x 1 over REST"]}
        report = app.finished(app.post_run(CAT.read_bytes(), json.dumps(plan)).json()["id"])
        copy = f"{app.url}/api/runs/{report['run_id']}/copy"
        commands = {
            kind: requests.get(f"{copy}/{kind}?{COPIED}", timeout=30).text for kind in ("curl", "ghz")
        }
        assert app.stop() == 0
    assert not any(is_alive(pid) for pid in row["pids"])
    assert report["state"] == "done"
    assert {(cell["count"], cell["failures"], len(cell["peers"])) for cell in report["cells"]} == {(4, 0, 4)}
    assert all("to the first replica of 2 x 1 over " in command for command in commands.values())
    assert commands["ghz"].endswith(f" {row['address'].partition(',')[0]}\n")
    assert "," not in commands["curl"].partition("http://127.0.0.1")[2].partition("/")[0]
    for info in report["backends"]:
        cells = [cell for cell in report["cells"] if cell["backend_name"] == info["name"]]
        assert {peer for cell in cells for peer in cell["peers"]} == set(info["address"].split(","))
    assert [warning for warning in report["warnings"] if warning["code"] == "W5"] == []
