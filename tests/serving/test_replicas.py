"""`python -m serving --replicas N`: several real processes behind one address, also when one is killed."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import grpc
import pytest
import requests
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from experiment.backends.probe import probe

from experiment.protocol import get_model_status_pb2  # isort: skip  # lets the other messages load
from experiment.records import BackendInfo
from serving.errors import Unavailable
from serving.replica import ENDED
from serving.replicas import Replicas, share_cores
from tests.support.models.servables import place, version
from tests.support.processes.app_process import children_of, free_port, is_alive
from tests.support.processes.serving_client import Client, predict_request, refused
from tests.support.processes.serving_process import (
    MODEL,
    ServingProcess,
    default_model_dir,
    picture,
    run_server,
    start_server,
)

from tensorflow_serving.apis import model_management_pb2  # isort: skip  # after what lets it load

PATIENCE_S = 60
MANY_CORES = len(os.sched_getaffinity(0)) > 1


@contextmanager
def two_replicas(*flags: str, launcher: tuple[str, ...] = ()) -> Iterator[ServingProcess]:
    """Ready, with one core for each."""
    with start_server("--replicas", "2", "--cpus", "1", *flags, wait=False, launcher=launcher) as server:
        eventually(lambda: "2 replicas" in server.log() or server.process.poll() is not None, server.log)
        assert server.process.poll() is None, server.log()
        yield server
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def pair() -> Iterator[ServingProcess]:
    with two_replicas() as server:
        yield server


def eventually(is_true: Callable[[], bool], say: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, say()
        time.sleep(0.02)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cores_of_every_thread(pid: int) -> set[str]:
    lines = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return {line.split()[1] for line in lines.splitlines() if line.startswith("Cpus_allowed_list")}


def is_healthy(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        status = stub.Check(health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True).status
    return status == health_pb2.HealthCheckResponse.SERVING


def shares_the_work(server: ServingProcess) -> None:
    """Several clients at once make every replica compute."""
    before = {pid: cpu_ticks(pid) for pid in children_of(server.pid)}
    client = Client(server.grpc_address)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.predict(picture()), range(24)))
    assert len(before) == 2
    assert all(cpu_ticks(pid) > ticks for pid, ticks in before.items())


@pytest.mark.parametrize(
    ("pool", "cpus", "count", "shares"),
    [
        ([0, 1, 2, 3], 1, 2, [(0,), (1,)]),
        ([4, 5, 6, 7], 2, 2, [(4, 5), (6, 7)]),
        ([0, 1, 2, 3, 4], None, 2, [(0, 1), (2, 3)]),
        ([0, 1], 1, 3, [(0,), (1,), (0,)]),
        ([0, 1], 8, 2, [(0, 1), (0, 1)]),
        ([3], None, 2, [(3,), (3,)]),
    ],
)
def test_replicas_share_cores_only_where_there_are_too_few(pool, cpus, count, shares):
    assert share_cores(pool, cpus, count) == shares


def test_all_replicas_answer_at_one_address(pair):
    shares_the_work(pair)


def test_each_replica_keeps_to_cores_of_its_own(pair):
    pinned = [cores_of_every_thread(pid) for pid in children_of(pair.pid)]
    assert all(len(cores) == 1 for cores in pinned)
    assert len(set.union(*pinned)) == (2 if MANY_CORES else 1)


def test_the_front_loads_no_runtime(pair):
    assert "tensorflow" not in Path(f"/proc/{pair.pid}/maps").read_text()
    assert all("libtensorflow" in Path(f"/proc/{pid}/maps").read_text() for pid in children_of(pair.pid))


def test_what_the_server_tells_about_itself_counts_the_replicas(pair):
    found = probe(BackendInfo("x", address=pair.grpc_address, model=MODEL))
    assert (found.state, found.replicas, found.precision) == ("ready", 2, "f32")
    stub = Client(pair.grpc_address).model.GetModelStatus
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
    _, call = stub.with_call(request, timeout=30)
    about = json.loads(dict(call.trailing_metadata())["pixelcost-about"])
    assert len(about["cores"]) == (2 if MANY_CORES else 1)


def test_the_stages_of_a_request_come_through(pair):
    stub = Client(pair.grpc_address).prediction.Predict
    _, call = stub.with_call(predict_request(picture()), timeout=30)
    assert {"pixelcost-decode-ms", "pixelcost-inference-ms"} <= dict(call.trailing_metadata()).keys()


def test_errors_come_through_as_the_replica_words_them(pair):
    client = Client(pair.grpc_address)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "images[0]", "can't be decoded"):
        client.predict(b"no image")
    with refused(grpc.StatusCode.NOT_FOUND, "nobody"):
        client.predict(picture(), model="nobody")
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"):
        client.predict(bytes(65 * 1024**2))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "The bytes sent to Predict are not its message"):
        raw(client, "PredictionService/Predict", b"\xff")
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "ServerModelConfig type not supported"):
        raw(client, "ModelService/HandleReloadConfigRequest")
    with refused(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"):
        raw(client, "PredictionService/Guess")


def raw(client: Client, method: str, message: bytes = b"") -> bytes:
    return client.channel.unary_unary(f"/tensorflow.serving.{method}")(message, timeout=30)


def test_a_request_without_a_deadline_is_answered_and_a_short_one_is_kept(pair):
    stub = Client(pair.grpc_address).prediction.Predict
    assert len(stub(predict_request(picture())).outputs["classes"].string_val) == 5
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        stub(predict_request(*[picture()] * 50), timeout=0.05)


def test_rest_answers_and_refuses_as_a_single_server_does(pair):
    image = {"b64": base64.b64encode(picture()).decode()}
    body = {"signature_name": "predict_images", "instances": [{"images": image}]}
    answer = requests.post(f"{pair.rest_url}:predict", json=body, timeout=30)
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, 1)
    assert "inference;dur=" in answer.headers["Server-Timing"]
    bad = requests.post(f"{pair.rest_url}:predict", data="{", timeout=30)
    assert (bad.status_code, list(bad.json())) == (400, ["error"])
    assert requests.get(pair.rest_url + "/versions/7", timeout=30).status_code == 404


class Traffic:
    """Clients that keep asking until the block ends."""

    def __init__(self, server: ServingProcess, clients: int = 4):
        self.codes: list[grpc.StatusCode] = []
        self.problems: list[str] = []
        self._client = Client(server.grpc_address)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answered(self, more: int) -> None:
        """Return when so many more requests were answered well."""
        wanted = self.codes.count(grpc.StatusCode.OK) + more
        eventually(lambda: self.codes.count(grpc.StatusCode.OK) >= wanted)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self._client.predict(picture(), timeout_s=30)
                self.codes.append(grpc.StatusCode.OK)
            except grpc.RpcError as error:
                self.codes.append(error.code())
                self.problems.append(error.details())


def test_a_killed_replica_costs_its_own_requests_only_and_comes_back():
    with two_replicas() as server, Traffic(server) as traffic:
        traffic.answered(8)
        victim, other = children_of(server.pid)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not is_alive(victim))
        traffic.answered(8)
        assert is_healthy(server.grpc_address)
        eventually(lambda: len(set(children_of(server.pid)) - {victim, other}) == 1)
        (fresh,) = set(children_of(server.pid)) - {victim, other}
        eventually(lambda: "is ready again" in server.log(), server.log)
        before = cpu_ticks(fresh)
        eventually(lambda: cpu_ticks(fresh) > before + 5)
        failed = [code for code in traffic.codes if code != grpc.StatusCode.OK]
        assert set(failed) <= {grpc.StatusCode.UNAVAILABLE}
        assert set(traffic.problems) <= {ENDED}
        assert len(failed) <= 8  # those in flight, and what was sent before its end could be noticed


def test_a_replica_that_is_started_again_serves_the_latest_configuration(tmp_path):
    base = tmp_path / "model"
    for number in (1, 2):
        place(version("half_plus_two"), base, number)
    config = tmp_path / "models.config"
    config.write_text(f'model_config_list {{ config {{ name: "{MODEL}" base_path: "{base}" {only(1)} }} }}')
    with two_replicas(f"--model_config_file={config}") as server:
        client = Client(server.grpc_address)
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(config.read_text().replace(only(1), only(2)), request.config)
        client.model.HandleReloadConfigRequest(request, timeout=30)
        os.kill(children_of(server.pid)[0], signal.SIGKILL)
        eventually(lambda: "is ready again" in server.log(), server.log)
        asked = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
        statuses = [client.model.GetModelStatus(asked, timeout=10) for _ in range(10)]
    served = [
        [each.version for each in status.model_version_status if each.state == 30]  # AVAILABLE
        for status in statuses
    ]
    assert served == [[2]] * 10


def only(number: int) -> str:
    return f"model_version_policy {{ specific {{ versions: {number} }} }}"


def test_told_to_stop_it_answers_what_is_in_flight_and_leaves_nothing_behind():
    with two_replicas() as server:
        children = children_of(server.pid)
        before = {pid: cpu_ticks(pid) for pid in children}
        call = Client(server.grpc_address).prediction.Predict.future(
            predict_request(*[picture()] * 20), timeout=60
        )
        eventually(lambda: any(cpu_ticks(pid) > ticks + 2 for pid, ticks in before.items()))  # it computes
        assert server.stop() == 0
        assert len(call.result().outputs["classes"].string_val) == 100
        assert not any(is_alive(pid) for pid in children)


def test_replicas_end_with_their_front_and_leave_nothing_behind(tmp_path):
    with two_replicas("--rest_api_port=0", launcher=("env", f"TMPDIR={tmp_path}")) as server:
        children = children_of(server.pid)
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in children))
        assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def lone() -> Iterator[Replicas]:
    """A place with one process, kept by this one."""
    model = ["--device=cpu", f"--model_name={MODEL}", f"--model_base_path={default_model_dir()}"]
    command = [*model, "--port=0", "--behind_front", "--exit_with_parent"]
    replicas = Replicas([command], requests_at_once=4, on_change=lambda ready: None)
    with patch("serving.replicas.HANG_CHECK_S", 0.2), patch("serving.replica.ASK_TIMEOUT_S", 0.5):
        replicas.start()
        assert replicas.wait_ready()
        yield replicas
        replicas.stop()


def ask(replicas: Replicas, *images: bytes) -> dict:
    """The head of the answer to Predict."""
    head = {"method": "/tensorflow.serving.PredictionService/Predict", "left_s": 60.0}
    with replicas.all[0].exchange() as exchange:
        return exchange.ask(head, predict_request(*images).SerializeToString())[0]


def test_a_replica_told_to_stop_answers_what_is_in_flight_and_is_started_again(lone):
    process = lone.all[0].process
    before = cpu_ticks(process.pid)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, lone, *[picture()] * 20)
        eventually(lambda: cpu_ticks(process.pid) > before + 2)
        process.terminate()
        assert answer.result()["code"] == "OK"
    eventually(lambda: lone.all[0].starts == 2 and lone.wait_ready())
    assert ask(lone, picture())["code"] == "OK"


def test_a_replica_that_hangs_is_killed_and_started_again(lone):
    process, starts = lone.all[0].process, lone.all[0].starts
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(Unavailable, match="has ended and is being restarted"):
        ask(lone, picture())
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    eventually(lambda: lone.all[0].starts > starts and lone.wait_ready())
    assert ask(lone, picture())["code"] == "OK"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--replicas=0", "--model_base_path=/tmp"], "--replicas: '0' is not a whole number from 1 to 64"),
        (["--replicas=2", "--model_base_path=/nowhere"], "/nowhere does not exist"),
        (["--replicas=2", "--cores=9999", "--model_base_path=/tmp"], "--cores names core 9999"),
        (["--behind_front", "--model_base_path=/tmp"], "--behind_front: the standard input is not a socket"),
    ],
)
def test_what_no_replica_could_do_is_refused_once_in_one_line(flags, text):
    done = run_server("--port", str(free_port()), *flags)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert text in done.stderr


def test_a_model_that_no_replica_can_load_ends_them_all_with_the_reason(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"garbage")
    done = run_server("--port", str(free_port()), "--replicas=2", "--model_base_path", str(tmp_path))
    assert done.returncode == 2
    assert "python -m serving: " in done.stderr
