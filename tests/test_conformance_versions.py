"""New, damaged and vanished versions under a running server, and TensorFlow Lite models."""

from __future__ import annotations

import importlib.util
import shutil

import grpc
import pytest

from tests.model_server import eventually, model_server
from tests.servables import place, servable, version
from tests.serving_client import refused
from tests.serving_process import run_server

M = "m"


@pytest.fixture
def base(tmp_path):
    """A base path with half-plus-two as version 1."""
    base = tmp_path / "model"
    place(version("rank_1"), base, 1)
    return base


@pytest.fixture
def server(base):
    """Looks for new versions all the time."""
    flags = (f"--model_name={M}", f"--model_base_path={base}", "--file_system_poll_wait_seconds=0.2")
    with model_server(*flags) as server:
        yield server


def ended(server, number: int) -> bool:
    return server.status(M).get(number) == "END"


def test_versions_that_fail_get_no_traffic_and_the_next_good_one_takes_over(server, base):
    broken = {2: "truncated", 3: "not_a_number", 4: "pairs", 5: "no_variables"}
    for number, name in broken.items():
        place(version(name), base, number)
        eventually(lambda number=number: ended(server, number), server)
        response = server.predict(M)
        assert (response.model_spec.version.value, list(response.outputs["y"].float_val)) == (1, [3.0])
    reasons = {
        each["version"]: each["status"]["error_message"]
        for each in server.get(M).json()["model_version_status"]
        if each["version"] != "1"
    }
    assert set(reasons) == {str(number) for number in broken}
    assert all(reasons.values())
    place(version("rank_1"), base, 6)
    eventually(lambda: server.predict(M).model_spec.version.value == 6, server)
    eventually(lambda: ended(server, 1), server)


def test_an_empty_directory_becomes_a_version_when_its_files_are_there(server, base):
    (base / "2").mkdir()
    assert server.predict(M).model_spec.version.value == 1
    (base / "2").rmdir()
    place(version("rank_1"), base, 2)
    eventually(lambda: server.predict(M).model_spec.version.value == 2, server)


def test_a_model_whose_directory_vanishes_is_still_served(server, base):
    shutil.rmtree(base)
    eventually(lambda: "can't be read" in server.log(), server)
    assert server.y(M) == [3.0]


def test_what_is_asked_for_by_its_number_when_it_is_gone_is_not_found(server, base):
    place(version("rank_1"), base, 2)
    eventually(lambda: ended(server, 1), server)
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(m, 1)"):
        server.predict(M, version=1)


@pytest.mark.parametrize("name", ["empty", "truncated", "no_variables"])
def test_a_start_with_a_damaged_model_is_refused_and_names_it(name):
    done = run_server(f"--model_base_path={servable(name)}", "--port=0", "--rest_api_port=1", "--device=cpu")
    assert done.returncode != 0
    assert str(servable(name) / "1") in done.stderr


# TensorFlow Lite

needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert is not installed"
)


@needs_litert
@pytest.mark.parametrize("name", ["tflite_with_signature", "tflite_without_signature"])
@pytest.mark.parametrize("flag", ["--prefer_tflite_model=true", "--use_tflite_model=true"])
def test_a_tflite_model_is_served_over_both_protocols(name, flag):
    with model_server(f"--model_name={M}", f"--model_base_path={servable(name)}", flag) as server:
        response = server.predict(M)
        assert list(response.outputs["y"].float_val) == [3.0]
        assert (response.model_spec.signature_name, response.model_spec.version.value) == (
            "serving_default",
            123,
        )
        assert server.post(f"{M}:predict", {"instances": [2.0, 3.0, 4.0]}).json() == {
            "predictions": [3.0, 3.5, 4.0]
        }
