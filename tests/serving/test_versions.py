"""Versions come and go under a running server: found, tried out, switched without a lost request."""

from __future__ import annotations

import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests

from tests.support.models.servables import place, version
from tests.support.processes.serving_client import Client, floats, predict_request, refused
from tests.support.processes.serving_process import MODEL, ServingProcess, start_server

from tensorflow.core.protobuf import saved_model_pb2  # isort: skip  # after what lets it load
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2  # isort: skip  # after what lets it load

SOON_S = 20.0
LOOKS = "--file_system_poll_wait_seconds=0.05"
RECORDED = Path("assets.extra") / "tf_serving_warmup_requests"


@pytest.fixture
def base(tmp_path) -> Path:
    """A base path with version 1 of half-plus-two."""
    place(version("half_plus_two"), tmp_path / "model", 1)
    return tmp_path / "model"


@pytest.fixture
def server(base) -> Iterator[ServingProcess]:
    with start_server(LOOKS, model_dir=base) as running:
        yield running


def ask(client: Client, x: float = 2.0, **asked) -> tuple[int, list[float]]:
    """Which version answered, and what."""
    inputs = {"x": floats(np.array([x], np.float32))}
    response = client.predict(signature="", inputs=inputs, **asked)
    return response.model_spec.version.value, list(response.outputs["y"].float_val)


def states(server: ServingProcess) -> dict[int, tuple[str, str]]:
    """Version to its state and the reason."""
    found = requests.get(server.rest_url, timeout=10).json()["model_version_status"]
    return {int(each["version"]): (each["state"], each["status"]["error_message"]) for each in found}


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def refused_reason(server: ServingProcess, number: int) -> str:
    """Why a version is not served, as soon as that is known."""
    until(lambda: states(server).get(number, ("", ""))[0] == "END")
    return states(server)[number][1]


@contextmanager
def asking(client: Client, callers: int = 4) -> Iterator[dict[str, list]]:
    """Callers that ask all the time; at the end, which versions answered and what failed."""
    seen: dict[str, list] = {"versions": [], "failures": []}
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                number, values = ask(client)
                seen["versions"].append(number)
                assert values == [3.0]
            except grpc.RpcError as problem:
                seen["failures"].append(problem.details())

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    yield seen
    stop.set()
    for thread in threads:
        thread.join()


def test_no_request_fails_while_twenty_versions_follow_each_other(server, base):
    client = Client(server.grpc_address)
    with asking(client) as seen:
        for number in range(2, 22):
            place(version("half_plus_two"), base, number)
            until(lambda number=number: number in seen["versions"])
    assert seen["failures"] == []
    assert set(seen["versions"]) == set(range(1, 22))
    until(lambda: all(states(server)[number][0] == "END" for number in range(1, 21)))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("not_a_number", "answers NaN in 'y'"),
        ("pairs", "would not fit the clients of version 1: output 'y' of 'serving_default' is"),
        ("truncated", "can't be loaded"),
        ("no_variables", "No signature answers a made-up request"),
        ("empty", "holds no model"),
    ],
)
def test_a_version_that_is_not_sane_gets_no_request(server, base, model, reason):
    client = Client(server.grpc_address)
    with asking(client, callers=1) as seen:
        until(lambda: len(seen["versions"]) > 0)
        place(version(model), base, 2)
        assert reason in refused_reason(server, 2)
    assert set(seen["versions"]) == {1}
    assert seen["failures"] == []
    with refused(grpc.StatusCode.NOT_FOUND, f"Specific({MODEL}, 2)"):
        ask(client, version=2)


def test_a_file_whose_name_is_not_utf_8_does_not_stop_the_status(server, base):
    (base / "2").mkdir()
    (base / "2" / os.fsdecode(b"gr\xfcn.bin")).write_bytes(b"")
    assert "holds no model" in refused_reason(server, 2)
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
    found = Client(server.grpc_address).model.GetModelStatus(request, timeout=10).model_version_status
    assert "gr\\udcfcn.bin" in found[0].status.error_message


def test_a_version_that_was_not_complete_is_served_when_it_is(server, base):
    place(version("no_variables"), base, 2)
    assert "No signature answers" in refused_reason(server, 2)
    shutil.copytree(version("half_plus_two") / "variables", base / "2" / "variables", dirs_exist_ok=True)
    until(lambda: states(server)[2][0] == "AVAILABLE")
    assert ask(Client(server.grpc_address))[0] == 2


def test_a_version_with_an_odd_card_says_so_and_is_served_when_it_is_mended(server, base):
    """JSON nested so deeply that reading it is no ValueError."""
    directory = place(version("half_plus_two"), base, 2)
    card = directory / "assets.extra" / "pixelcost.json"
    card.parent.mkdir()
    card.write_text("[" * 100_000)
    (directory / "saved_model.pb").touch()
    assert str(card) in refused_reason(server, 2)
    card.write_text("{}")
    until(lambda: states(server)[2][0] == "AVAILABLE")
    assert ask(Client(server.grpc_address))[0] == 2


def test_outputs_of_another_shape_are_served_where_that_is_meant(base):
    with start_server(LOOKS, "--accept_changed_outputs", model_dir=base) as server:
        place(version("pairs"), base, 2)
        until(lambda: states(server).get(2, ("",))[0] == "AVAILABLE")


def test_when_the_newest_version_is_taken_away_the_one_before_comes_back(server, base):
    place(version("half_plus_two"), base, 2)
    until(lambda: states(server).get(2, ("",))[0] == "AVAILABLE")
    shutil.rmtree(base / "2")
    until(lambda: states(server)[1][0] == "AVAILABLE" and states(server)[2][0] == "END")
    assert ask(Client(server.grpc_address)) == (1, [3.0])


def test_a_model_whose_directory_vanishes_is_served_from_memory(server, base):
    shutil.rmtree(base)
    until(lambda: "can't be read" in server.log())
    assert ask(Client(server.grpc_address)) == (1, [3.0])


def test_a_missing_version_is_found_later_only_where_the_server_looks(base):
    with start_server("--file_system_poll_wait_seconds=0", model_dir=base) as server:
        place(version("half_plus_two"), base, 2)
        time.sleep(1.5)
        assert ask(Client(server.grpc_address)) == (1, [3.0])


def record(*requests_: object) -> bytes:
    """A TFRecord file of predict requests. The checksums are not looked at."""
    logs = [prediction_log_pb2.PredictionLog(predict_log={"request": each}) for each in requests_]
    texts = [log.SerializeToString() for log in logs]
    return b"".join(struct.pack("<QI", len(text), 0) + text + b"\0\0\0\0" for text in texts)


def with_recorded(base: Path, text: bytes) -> None:
    path = base / "1" / RECORDED
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text)


def x_request(value: float, signature: str = "serving_default"):
    return predict_request(signature=signature, inputs={"x": floats(np.array([value], np.float32))})


def test_recorded_requests_warm_the_model(base):
    with_recorded(base, record(x_request(1.0), x_request(2.0)))
    with start_server(model_dir=base) as server:
        assert ask(Client(server.grpc_address)) == (1, [3.0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (record(x_request(1.0))[:-9], "it ends within a record"),
        (b"not a record", "can't be read as warm-up requests"),
        (record(x_request(1.0, signature="nix")), "the model has no signature 'nix'"),
        (record(predict_request(signature="serving_default", inputs={})), "required: {x}"),
    ],
)
def test_recorded_requests_that_do_not_work_keep_a_version_from_being_served(base, text, reason):
    with_recorded(base, text)
    with start_server(model_dir=base, wait=False) as server:
        assert server.process.wait(60) == 2
        assert reason in server.log()


def test_a_model_that_takes_serialised_examples_only_is_served_cold(tmp_path):
    """As estimators were exported: what it takes can't be made up."""
    directory = place(version("half_plus_two"), tmp_path / "model", 1)
    saved_model = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    signatures = saved_model.meta_graphs[0].signature_def
    for name in set(signatures) - {"regress_x_to_y"}:
        del signatures[name]
    (directory / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with start_server(model_dir=tmp_path / "model") as server:
        assert "Not warmed up: regress_x_to_y" in server.log()
        assert states(server) == {1: ("AVAILABLE", "")}


def test_warming_can_be_switched_off(base):
    with_recorded(base, b"not a record")
    with start_server("--enable_model_warmup=false", model_dir=base) as server:
        assert ask(Client(server.grpc_address)) == (1, [3.0])
