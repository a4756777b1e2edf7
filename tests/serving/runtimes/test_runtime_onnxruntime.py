"""ONNX Runtime: what only its files have."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InvalidArgument, LoadFailed
from serving.runtimes.base import Setting
from tests.support.models.runtime_models import ONE_THREAD, require
from tests.support.models.wire import block, number, numbers

require("onnxruntime")
from serving.runtimes.onnxruntime import load  # noqa: E402

FLOAT, INT64, STRING = 1, 7, 8


def value(name: str, element: int, *sizes: int | str) -> bytes:
    dims = [block(1, block(2, size) if isinstance(size, str) else number(1, size)) for size in sizes]
    tensor = number(1, element) + block(2, b"".join(dims))
    return block(1, name) + block(2, block(1, tensor))


def node(operator: str, inputs: list[str], output: str) -> bytes:
    return b"".join(block(1, name) for name in inputs) + block(2, output) + block(4, operator)


def model_bytes(nodes: list[bytes], inputs: list[bytes], outputs: list[bytes]) -> bytes:
    """A model without weights."""
    parts = [(1, nodes), (2, [b"g"]), (11, inputs), (12, outputs)]
    graph = b"".join(block(field, each) for field, values in parts for each in values)
    return number(1, 8) + block(7, graph) + block(8, number(2, 13))


def add_model(left: bytes, right: bytes, total: bytes) -> bytes:
    return model_bytes([node("Add", ["a", "b"], "sum")], [left, right], [total])


@pytest.fixture
def write(tmp_path):
    def written(data: bytes):
        path = tmp_path / "model.onnx"
        path.write_bytes(data)
        return path

    return written


def test_inputs_and_outputs_keep_their_names_types_and_open_sizes(write):
    file = write(add_model(value("a", INT64, "n", 2), value("b", INT64, "n", 2), value("sum", INT64, "n", 2)))
    signature = load(file, ONE_THREAD).signatures["serving_default"]
    assert {name: str(spec) for name, spec in signature.inputs.items()} == {
        "a": "DT_INT64 [?,2]",
        "b": "DT_INT64 [?,2]",
    }
    assert str(signature.outputs["sum"]) == "DT_INT64 [?,2]"


def test_sizes_that_do_not_go_together_are_the_clients_fault(write):
    """Each input fits its own open sizes; only the runtime sees that the two don't fit each other."""
    file = write(
        add_model(value("a", FLOAT, "n", "m"), value("b", FLOAT, "n", "m"), value("sum", FLOAT, "n", "m"))
    )
    model = load(file, ONE_THREAD)
    with pytest.raises(InvalidArgument, match="ONNX Runtime"):
        model.infer("serving_default", {"a": np.zeros((1, 2), np.float32), "b": np.zeros((1, 3), np.float32)})


def test_strings_are_refused_when_the_model_is_loaded(write):
    file = write(
        model_bytes([node("Identity", ["t"], "u")], [value("t", STRING, "n")], [value("u", STRING, "n")])
    )
    with pytest.raises(LoadFailed, match="'t' holds strings"):
        load(file, ONE_THREAD)


def test_weights_that_lie_in_a_missing_file_are_asked_for(write):
    entry = block(1, "location") + block(2, "model.onnx.data")
    weight = numbers(1, (2,)) + number(2, FLOAT) + block(8, "b") + block(13, entry) + number(14, 1)
    graph = (
        block(1, node("Add", ["a", "b"], "sum"))
        + block(2, b"g")
        + block(5, weight)
        + block(11, value("a", FLOAT, 2))
        + block(12, value("sum", FLOAT, 2))
    )
    file = write(number(1, 8) + block(7, graph) + block(8, number(2, 13)))
    with pytest.raises(LoadFailed, match="external data beside it"):
        load(file, ONE_THREAD)


def threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


def test_its_threads_stay_on_the_cores_of_this_process_and_do_not_spin(write):
    file = write(add_model(value("a", FLOAT, "n"), value("b", FLOAT, "n"), value("sum", FLOAT, "n")))
    before = threads()
    model = load(file, Setting(threads=3))
    ours = threads() - before
    assert len(ours) == 2  # the third is the one that asks
    assert all(os.sched_getaffinity(int(thread)) == os.sched_getaffinity(0) for thread in ours)
    big = np.zeros(1 << 20, np.float32)
    model.infer("serving_default", {"a": big, "b": big})
    idle_from = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - idle_from < 0.1
