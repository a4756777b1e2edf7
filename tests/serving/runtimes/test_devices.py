"""Which runtime can use a GPU, without one: the driver's file and PyTorch's answers are stand-ins."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from serving.machine import devices

H200 = SimpleNamespace(name="NVIDIA H200", total_memory=150_109_880_320)
PYTORCHS = {"name": H200.name, "memory_bytes": H200.total_memory}


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)


def pytorch(monkeypatch, cards: list[SimpleNamespace]) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: bool(cards),
        device_count=lambda: len(cards),
        get_device_properties=lambda at: cards[at],
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))


def gpus(runtime: str = "auto") -> list[dict[str, object]]:
    return [each for each in devices.look(runtime)["devices"] if each["type"] == "GPU"]


def test_pytorch_is_asked_where_tensorflow_can_not_use_the_gpu(driver, monkeypatch):
    pytorch(monkeypatch, [H200])
    monkeypatch.setitem(devices.GPUS_OF, "tensorflow", list)
    assert gpus() == [{"type": "GPU", **PYTORCHS, "runtime": "pytorch"}]
    assert devices.look()["no_gpu"] is None


def test_a_runtime_that_is_asked_about_is_the_only_one_that_counts(driver, monkeypatch):
    pytorch(monkeypatch, [H200])
    monkeypatch.setitem(devices.GPUS_OF, "tensorflow", list)
    assert gpus("pytorch") and not gpus("tensorflow")
    assert devices.look("tensorflow")["no_gpu"].startswith(
        "an NVIDIA device is present, but tensorflow can't use it."
    )


def test_tensorflow_comes_first(driver, monkeypatch):
    pytorch(monkeypatch, [H200])
    monkeypatch.setitem(devices.GPUS_OF, "tensorflow", lambda: [{"name": None, "memory_bytes": 1}])
    assert [each["runtime"] for each in gpus()] == ["tensorflow"]


def test_without_tensorflows_library_there_is_no_gpu_of_it(driver, monkeypatch):
    def no_library() -> list[object]:
        raise OSError("libtensorflow_cc.so.2: cannot open shared object file")

    monkeypatch.setattr("serving.tensorflow_c.session.devices", no_library)
    assert not gpus("tensorflow")


@pytest.mark.parametrize("has_pytorch", [True, False])
def test_where_none_can_use_it_both_remedies_are_named(driver, monkeypatch, has_pytorch):
    pytorch(monkeypatch, [])
    if not has_pytorch:
        monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(devices.GPUS_OF, "tensorflow", list)
    reason = devices.look()["no_gpu"]
    assert "neither tensorflow nor pytorch can use it" in reason
    assert "tensorflow[and-cuda]" in reason and "a PyTorch that has CUDA" in reason


@pytest.mark.parametrize("package", ["tensorflow-cpu", "tensorflow"])
def test_a_tensorflow_without_gpu_code_is_to_be_replaced_first(driver, monkeypatch, tmp_path, package):
    about = tmp_path / f"{package.replace('-', '_')}-2.21.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.21.0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setitem(devices.GPUS_OF, "tensorflow", list)
    reason = devices.look("tensorflow")["no_gpu"]
    assert ("`TENSORFLOW=tensorflow make run` replaces it" in reason) == (package == "tensorflow-cpu")
    assert "tensorflow[and-cuda]" in reason


def test_a_runtime_of_cpus_has_no_gpu(driver):
    assert not gpus("openvino")
