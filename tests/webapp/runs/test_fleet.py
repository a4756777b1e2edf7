"""The states of the backends: our own look, the supervisor's word, and silence while measuring."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from tests.support.processes.webapp_parts import NOWHERE, settings
from tests.support.scripted_server import always, good_answer, grpc_server, serving
from webapp.backends import BackendRegistry

LOADING = 20  # get_model_status.proto, ModelVersionStatus.State


def registry(folder: Path, is_measuring: bool = False, **changes: Any) -> BackendRegistry:
    return BackendRegistry(settings(folder, **changes), lambda: is_measuring)


def states(found: BackendRegistry) -> dict[str, str]:
    return {info.name: info.state for info in found.backends()}


def supervised(folder: Path, address: str, **changes: Any) -> str:
    """A supervisor's file with one embedded backend. Returns its path."""
    row = {"name": "1 CPU", "address": address, "embedded": True, "state": "ready", "detail": "1 core."}
    path = folder / "embedded.json"
    path.write_text(json.dumps({"model": {"name": "inception"}, "backends": [row | changes]}))
    return str(path)


def test_each_server_is_asked_how_it_is(tmp_path: Path) -> None:
    with grpc_server(always(good_answer())) as here, grpc_server(always(b""), state=LOADING) as soon:
        found = registry(tmp_path, tf_servers=f"Here:{here};Soon:{soon};Gone:{NOWHERE}")
        assert states(found) == {"Here": "ready", "Soon": "loading", "Gone": "down"}


def test_a_server_that_comes_up_is_noticed_at_the_next_look(tmp_path: Path) -> None:
    with grpc_server(always(good_answer())) as address:
        port = int(address.rpartition(":")[2])
    found = registry(tmp_path, tf_servers=f"Here:{address}")
    assert states(found) == {"Here": "down"}
    with grpc_server(always(good_answer()), port=port):
        assert states(found) == {"Here": "down"}  # asking again is the background's job
        found.refresh()
        assert states(found) == {"Here": "ready"}


def test_nobody_is_asked_while_something_is_measured(tmp_path: Path) -> None:
    with grpc_server(always(good_answer())) as address:
        assert states(registry(tmp_path, is_measuring=True, tf_servers=f"Here:{address}")) == {
            "Here": "unknown"
        }


def test_the_supervisor_knows_the_hardware_of_an_embedded_backend(tmp_path: Path) -> None:
    with grpc_server(always(good_answer())) as address:
        path = supervised(tmp_path, address)
        (info,) = registry(tmp_path, tf_servers="", embedded_state=path).backends()
        assert (info.state, info.detail) == ("ready", "1 core.")


def test_what_a_configured_server_tells_about_itself_is_kept(tmp_path: Path) -> None:
    told = '{"runtime":"OpenVINO 2026.4.1","precision":"bf16","replicas":2}'
    with grpc_server(always(good_answer()), about=told) as here:
        (info,) = registry(tmp_path, tf_servers=f"Here:{here}").backends()
    assert (info.runtime, info.precision, info.replicas) == ("OpenVINO 2026.4.1", "bf16", 2)


def test_an_embedded_backend_that_hangs_is_seen_though_its_supervisor_calls_it_ready(tmp_path: Path) -> None:
    path = supervised(tmp_path, NOWHERE)
    assert states(registry(tmp_path, tf_servers="", embedded_state=path)) == {"1 CPU": "down"}


def test_why_an_embedded_backend_is_not_ready_is_told_by_its_supervisor(tmp_path: Path) -> None:
    path = supervised(tmp_path, NOWHERE, state="loading", detail="It was restarted.")
    (info,) = registry(tmp_path, tf_servers="", embedded_state=path).backends()
    assert (info.state, info.detail) == ("loading", "It was restarted.")


def test_a_missing_state_file_means_no_backends_yet(tmp_path: Path) -> None:
    found = registry(tmp_path, tf_servers="", embedded_state=str(tmp_path / "none.json"))
    assert found.backends() == []
    assert found.model() == {"name": "inception"}


def test_who_asks_while_backends_are_asked_shares_the_answer(tmp_path: Path) -> None:
    asked = []

    def slowly(_request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(context.peer())
        time.sleep(0.5)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a stand-in")

    with serving({"/tensorflow.serving.ModelService/GetModelStatus": slowly}) as address:
        found = registry(tmp_path, tf_servers=f"Slow:{address}")
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: found.refresh(), range(20)))
        assert 1 <= len(asked) <= 3  # a thread that starts late may ask again
        assert found.backends()[0].state != "unknown"


def test_a_server_that_came_up_is_noticed_before_a_run_leaves_it_out(tmp_path: Path) -> None:
    with grpc_server(always(good_answer())) as address:
        port = int(address.rpartition(":")[2])
    found = registry(tmp_path, tf_servers=f"Here:{address};Gone:{NOWHERE}")
    assert states(found) == {"Here": "down", "Gone": "down"}
    with grpc_server(always(good_answer()), port=port):
        for _ in range(100):  # one look is short, and this machine may be busy
            found.look_again()
            if states(found)["Here"] == "ready":
                break
    assert states(found) == {"Here": "ready", "Gone": "down"}
