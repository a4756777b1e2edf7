"""Damaged models at the start, and TensorFlow Lite models, by tensorflow_model_server's flags."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.models.servables import servable
from tests.support.processes.model_server import model_server
from tests.support.processes.serving_process import run_server

M = "m"


@pytest.mark.parametrize("name", ["empty", "truncated", "no_variables"])
def test_a_start_with_a_damaged_model_is_refused_and_names_it(name):
    done = run_server(f"--model_base_path={servable(name)}", "--port=0", "--rest_api_port=1", "--device=cpu")
    assert done.returncode != 0
    assert str(servable(name) / "1") in done.stderr


def test_an_operation_that_is_not_in_the_library_is_named():
    done = run_server(
        f"--model_base_path={servable('unknown_operation')}", "--port=0", "--rest_api_port=1", "--device=cpu"
    )
    assert done.returncode != 0
    assert "Add_9" in done.stderr


needs_litert = pytest.mark.skipif(
    not (importlib.util.find_spec("ai_edge_litert") and importlib.util.find_spec("serving.runtimes.litert")),
    reason="ai-edge-litert is not installed",
)


@needs_litert
@pytest.mark.parametrize(
    "name", ["tflite_with_signature", "tflite_without_signature", "tflite_with_definition"]
)
@pytest.mark.parametrize("flag", ["--prefer_tflite_model=true", "--use_tflite_model=true"])
def test_a_tflite_model_is_served_over_both_protocols(name, flag):
    with model_server(f"--model_name={M}", f"--model_base_path={servable(name)}", flag) as server:
        response = server.predict(M)
        assert list(response.outputs["y"].float_val) == [3.0]
        assert list(server.predict(M, [2.0, 3.0, 4.0]).outputs["y"].float_val) == [3.0, 3.5, 4.0]
        spec = response.model_spec
        assert (spec.signature_name, spec.version.value) == ("serving_default", 123)
        assert server.post(f"{M}:predict", {"instances": [2.0]}).json() == {"predictions": [3.0]}
