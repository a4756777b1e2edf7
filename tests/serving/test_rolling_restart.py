"""Two servers behind a TCP balancer, restarted one after the other under steady load: nothing gets lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import grpc
import numpy as np
import requests

from tests.support.models.servables import servable
from tests.support.processes.serving_client import floats, predict_request
from tests.support.processes.serving_process import MODEL, START_TIMEOUT_S, ServingProcess, start_server

from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub  # isort: skip

RESTARTS = int(os.environ.get("ROLLING_RESTARTS", "4"))
PAUSE_S = 0.01  # of a caller between two requests
ANSWER = [3.0]
POLICY = {"initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2}
POLICY |= {"maxAttempts": 3, "retryableStatusCodes": ["CANCELLED"]}
RETRY = {"methodConfig": [{"name": [{}], "retryPolicy": POLICY}]}


class Balancer:
    """Passes connections on to its targets in turn. Those there are stay; `targets` counts for new ones."""

    def __init__(self) -> None:
        self.targets: list[int] = []  # ports on 127.0.0.1
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        serving = asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        target = self.targets[self._turn % len(self.targets)]
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def grpc_caller(port: int) -> Callable[[], list[float]]:
    """A stub with the retry policy of docs/serving.md: gRPC itself cancels what comes in the very moment."""
    options = (("grpc.service_config", json.dumps(RETRY)),)
    stub = PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}", options))
    request = predict_request(signature="", inputs={"x": floats(np.array([2.0], np.float32))})
    return lambda: list(stub.Predict(request, timeout=10).outputs["y"].float_val)


def rest_caller(port: int) -> Callable[[], list[float]]:
    """Keeps its connection for as long as the server lets it."""
    session, url = requests.Session(), f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict"

    def ask() -> list[float]:
        answer = session.post(url, json={"inputs": [2.0]}, timeout=10)
        answer.raise_for_status()
        return answer.json()["outputs"]

    return ask


@contextmanager
def asking(callers: list[Callable[[], list[float]]]) -> Iterator[dict[str, list]]:
    """All ask all the time; at the end, what was answered and what failed."""
    seen: dict[str, list] = {"answers": [], "failures": []}
    stop = threading.Event()

    def call(ask: Callable[[], list[float]]) -> None:
        while not stop.wait(PAUSE_S):
            try:
                seen["answers"].append(ask())
            except (grpc.RpcError, requests.RequestException) as problem:
                seen["failures"].append(str(problem))

    threads = [threading.Thread(target=call, args=(ask,)) for ask in callers]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def ready_server() -> Iterator[ServingProcess]:
    with start_server(model_dir=servable("half_plus_two"), wait=False) as server:
        deadline = time.monotonic() + START_TIMEOUT_S
        while f"serving {MODEL}" not in server.log():
            assert server.process.poll() is None, f"the server ended:\n{server.log()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{server.log()}"
            time.sleep(0.05)
        yield server


def test_no_request_fails_while_two_servers_are_restarted_in_turn():
    """A run of 20: ROLLING_RESTARTS=20."""
    over_grpc, over_rest = Balancer(), Balancer()

    def is_ready(server: ServingProcess, ready: bool) -> None:
        for balancer, address in (
            (over_grpc, server.grpc_address),
            (over_rest, server.rest_url.split("/")[2]),
        ):
            change = balancer.targets.append if ready else balancer.targets.remove
            change(int(address.rpartition(":")[2]))

    with ExitStack() as stack:
        servers = [stack.enter_context(ready_server()) for _ in range(2)]
        for server in servers:
            is_ready(server, True)
        callers = [grpc_caller(over_grpc.port) for _ in range(3)]
        callers += [rest_caller(over_rest.port) for _ in range(3)]
        with asking(callers) as seen:
            for turn in range(RESTARTS):
                time.sleep(0.3)
                leaving = servers[turn % 2]
                is_ready(leaving, False)
                leaving.process.send_signal(signal.SIGTERM)
                assert leaving.process.wait(30) == 0
                servers[turn % 2] = stack.enter_context(ready_server())
                is_ready(servers[turn % 2], True)
    assert seen["failures"] == []
    assert len(seen["answers"]) > 100 * RESTARTS
    assert all(answer == ANSWER for answer in seen["answers"])
