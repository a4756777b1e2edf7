"""From start to stop: real server processes that are refused, watched while loading, pinned and ended."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from experiment.protocol import get_model_status_pb2
from serving.errors import LoadFailed
from serving.models.loading import Loader
from serving.runtimes.base import Setting
from tests.support.processes.app_process import children_of, free_port, is_alive
from tests.support.processes.serving_client import Client
from tests.support.processes.serving_process import (
    MODEL,
    ROOT,
    default_model_dir,
    picture,
    run_server,
    start_server,
)

State = get_model_status_pb2.ModelVersionStatus
HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))


def state_of(client: Client) -> int:
    """Waits for the port, then asks; the port opens a moment before the versions have been looked for."""
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
    give_up = time.monotonic() + 60
    while True:
        try:
            answer = client.model.GetModelStatus(request, timeout=60, wait_for_ready=True)
            return answer.model_version_status[0].state
        except grpc.RpcError as problem:
            if problem.code() != grpc.StatusCode.NOT_FOUND or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def health_of(client: Client) -> int:
    stub = health_pb2_grpc.HealthStub(client.channel)
    return stub.Check(health_pb2.HealthCheckRequest(), timeout=60, wait_for_ready=True).status


def test_while_loading_it_says_so_and_takes_no_requests():
    with start_server(wait=False) as server:
        client = Client(server.grpc_address)
        assert state_of(client) in {State.START, State.LOADING}
        assert health_of(client) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as caught:
            client.predict(picture())
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "still loading" in caught.value.details()
        server.wait_ready()
        assert state_of(client) == State.AVAILABLE
        assert health_of(client) == health_pb2.HealthCheckResponse.SERVING


def cores_of_every_thread(pid: int) -> set[str]:
    lines = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return {line.split()[1] for line in lines.splitlines() if line.startswith("Cpus_allowed_list")}


def test_a_one_cpu_server_keeps_every_thread_on_one_core():
    with start_server("--cpus", "1") as server:
        Client(server.grpc_address).predict(picture())
        (cores,) = cores_of_every_thread(server.pid)
        assert cores.isdigit()
        assert f"cores {cores}\n" in server.log()


def test_the_cores_can_be_named_and_the_ones_that_lack_are_told():
    last = max(os.sched_getaffinity(0))
    with start_server("--cores", str(last), "--cpus", "8") as server:
        assert cores_of_every_thread(server.pid) == {str(last)}
        assert f"cores {last} (8 wanted, 1 on this machine)" in server.log()


def test_the_highest_numbered_version_is_served(tmp_path):
    for name in ("2", "10"):
        (tmp_path / name).symlink_to(default_model_dir() / "1")
    (tmp_path / "99.tmp").mkdir()
    (tmp_path / "notes.txt").write_text("not a version")
    with start_server(model_dir=tmp_path) as server:
        assert Client(server.grpc_address).predict(picture()).model_spec.version.value == 10


def test_rest_is_off_when_its_port_is_0():
    with start_server("--rest_api_port=0") as server:
        assert "rest off" in server.log()
        with pytest.raises(requests.ConnectionError):
            requests.get(server.rest_url, timeout=5)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--platform_config_file=x"], "Unknown flag --platform_config_file."),
        (["--replicas=2"], "--replicas is no longer a flag. Start one server for each port"),
        (["--model_base_path=/tmp", "8500"], "'8500' is not a flag"),
        ([], "--model_base_path is missing"),
        (["--port=abc"], "--port: 'abc' is not a whole number"),
        (["--port=70000"], "--port: '70000' is not a whole number from 0 to 65535"),
        (["--exit_with_parent=perhaps"], "'perhaps' is not true or false"),
        (["--cores=0-x"], "'0-x' is not a list of cores"),
        (["--cpus=0"], "--cpus: '0'"),
        (["--port=0", "--model_base_path=/tmp"], "the server could not be reached"),
        (["--port=9", "--rest_api_port=9", "--model_base_path=/tmp"], "must differ"),
        (["--cores=9999", "--model_base_path=/tmp"], "--cores names core 9999, but this process may use"),
        (["--model_base_path=/nowhere"], "/nowhere does not exist"),
        (["--host=256.0.0.1", "--model_base_path=/tmp"], "can't listen on 256.0.0.1"),
    ],
)
def test_a_start_that_can_not_work_is_refused_in_one_line(flags, text):
    done = run_server("--port", str(free_port()), *flags)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert text in done.stderr


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_taken_port_is_named(flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = {"--port": str(free_port()), "--rest_api_port": "0", flag: port}
        command = [part for pair in flags.items() for part in pair]
        done = run_server("--host=127.0.0.1", "--model_base_path=/tmp", *command)
    assert done.returncode == 2
    assert f"{flag} {port}: something listens on 127.0.0.1:{port} already" in done.stderr


def test_a_directory_without_versions_is_refused_with_what_was_found(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    done = run_server("--port", str(free_port()), "--model_base_path", str(tmp_path))
    assert done.returncode == 2
    assert f"looked for {tmp_path / '1' / 'saved_model.pb'}, found notes.txt" in done.stderr


def test_a_version_directory_given_for_its_parent_is_recognised():
    done = run_server("--port", str(free_port()), "--model_base_path", str(default_model_dir() / "1"))
    assert "is itself a model" in done.stderr


def test_a_damaged_model_ends_the_server_with_the_reason(tmp_path):
    (tmp_path / "1").mkdir()
    whole = (default_model_dir() / "1" / "saved_model.pb").read_bytes()
    (tmp_path / "1" / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    done = run_server("--port", str(free_port()), "--device=cpu", "--model_base_path", str(tmp_path))
    assert done.returncode == 2
    assert "saved_model.pb can't be loaded: " in done.stderr.splitlines()[-1]


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_without_a_gpu_the_devices_say_so_and_a_gpu_server_is_refused():
    devices = json.loads(run_server("--list_devices").stdout)
    assert devices["devices"] == [{"type": "CPU", "cores": sorted(os.sched_getaffinity(0))}]
    assert devices["no_gpu"] == "no NVIDIA device on this machine"
    base = str(default_model_dir())
    done = run_server("--device=gpu", "--port", str(free_port()), "--model_base_path", base)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--device gpu: no NVIDIA device on this machine" in done.stderr


def test_ctrl_c_ends_it_with_exit_code_0():
    with start_server() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0


STOP_HEARD_BY_ANOTHER_THREAD = """
import signal, threading
from serving.__main__ import Stop
stop = Stop()
stop.is_serving = True
signal.signal(signal.SIGTERM, stop)
threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
stop.wait()
"""


def test_a_signal_that_another_thread_got_ends_it_too():
    subprocess.run([sys.executable, "-c", STOP_HEARD_BY_ANOTHER_THREAD], cwd=ROOT, check=True, timeout=60)


def test_a_signal_while_loading_ends_it_at_once():
    with start_server(wait=False) as server:
        state_of(Client(server.grpc_address))
        assert server.stop() == 0


def ask_until_stopped(address: str, url: str, over_rest: bool) -> str:
    """Ask again and again; the outcome of the last request, which must come soon."""
    client = Client(address)
    photo = picture("JPEG", (1000, 800))
    body = {"inputs": [{"b64": base64.b64encode(photo).decode()}]}
    while True:
        try:
            if over_rest:
                requests.post(f"{url}:predict", json=body, timeout=30)
            else:
                client.predict(photo, timeout_s=30)
        except grpc.RpcError as problem:
            return problem.code().name
        except requests.RequestException as problem:
            return type(problem).__name__


def test_a_stop_under_load_leaves_no_request_hanging():
    with start_server() as server, ThreadPoolExecutor(8) as pool:
        ask = (ask_until_stopped, server.grpc_address, server.rest_url)
        asking = [pool.submit(*ask, over_rest) for over_rest in [False] * 6 + [True] * 2]
        time.sleep(1)
        assert server.stop() == 0
        outcomes = {future.result(timeout=30) for future in asking}
    # None timed out, none was broken off. CANCELLED is gRPC's own, for calls that come in that very moment.
    assert outcomes <= {"UNAVAILABLE", "CANCELLED", "ConnectionError"}


LAUNCHER = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"


def test_it_ends_when_the_process_that_started_it_is_killed():
    launcher = (sys.executable, "-c", LAUNCHER)
    with start_server("--exit_with_parent", launcher=launcher) as parent:
        (child,) = children_of(parent.pid)
        parent.process.kill()
        deadline = time.monotonic() + 30
        while is_alive(child):
            assert time.monotonic() < deadline, "the server outlived its parent"
            time.sleep(0.05)


def test_a_second_server_on_the_same_port_is_refused(default_server):
    port = default_server.grpc_address.rpartition(":")[2]
    done = run_server("--host=127.0.0.1", "--port", port, "--model_base_path", str(default_model_dir()))
    assert done.returncode == 2
    assert f"--port {port}: something listens" in done.stderr


def test_listing_devices_loads_no_runtime():
    code = (
        "import sys, serving.machine.devices as d; d.look(); "
        "print('serving.tensorflow_c.library' in sys.modules or 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_model_that_ends_up_on_the_cpu_is_not_served_as_a_gpus():
    load = Loader("tensorflow", Setting(), needs_gpu=True)
    with pytest.raises(LoadFailed, match=r"--device gpu: TensorFlow .* can't use a GPU here\. .*Its CUDA"):
        load(default_model_dir() / "1")
