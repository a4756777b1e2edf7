"""The whole sweep on every runtime that is installed: the same answers, and the report says whose."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from serving.machine import isa
from serving.runtimes import RUNTIMES
from serving.runtimes.base import BF16
from tests.support.models.runtime_models import FORMAT_OF, default_formats_dir, is_there, is_written
from tests.support.processes.serving_process import ROOT

PHOTO = ROOT / "static" / "samples" / "cat.png"
PRESENT = [name for name, row in RUNTIMES.items() if is_there(row) and is_written(row.own_files[0])]
CLOSE = 0.002  # of a probability, between runtimes in f32


def plan_of_all() -> str:
    """One backend with one core for each runtime, and what else can stand beside it."""
    backends = [f"{name}:cpus=1,runtime={name}" for name in PRESENT]
    flags = isa.cpu_flags()
    if {"avx512_bf16", "amx_bf16"} & flags:
        backends.append(f"openvino in bf16:cpus=1,runtime=openvino,precision={BF16}")
    if "avx2" in flags:
        backends.append("tensorflow on avx2:cpus=1,isa=avx2")
    return ";".join(backends)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    """Of one run over all of them, by the command line."""
    folder = tmp_path_factory.mktemp("every-runtime")
    first = [RUNTIMES[name].own_files[0] for name in PRESENT]
    formats = [FORMAT_OF[pattern] for pattern in first if pattern in FORMAT_OF]
    environment = {
        **os.environ,
        "PIXELCOST_DATA_DIR": str(folder),
        "PIXELCOST_EMBEDDED": plan_of_all(),
        "MODEL_BASE_PATH": str(default_formats_dir(*formats).parent),
    }
    command = [sys.executable, "-m", "experiment", str(PHOTO), "--sizes", "256,128", "--repeats", "6"]
    command += ["--json", str(folder / "report.json")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((folder / "report.json").read_text("utf-8")))


def cells(report: dict, backend: str) -> dict[str, dict]:
    return {cell["variant_id"]: cell for cell in report["cells"] if cell["backend_name"] == backend}


def test_every_backend_answers_every_request(report):
    assert {cell["failures"] for cell in report["cells"]} == {0}
    assert {cell["count"] for cell in report["cells"]} == {6}


def test_the_report_says_which_runtime_answered(report):
    said = {backend["name"]: backend for backend in report["backends"] if backend["embedded"]}
    for name in PRESENT:
        runtime = said[name]["runtime"].replace(" ", "").lower()
        assert runtime.startswith(name.lower()), runtime
        assert said[name]["precision"] == "f32"
    if "openvino in bf16" in said:
        assert said["openvino in bf16"]["precision"] == BF16
    if "tensorflow on avx2" in said:
        assert said["tensorflow on avx2"]["isa"] == "avx2"


@pytest.mark.parametrize("name", [name for name in PRESENT if name != "tensorflow"])
def test_its_answers_are_those_of_tensorflow(report, name):
    theirs = cells(report, "tensorflow")
    ours = cells(report, name)
    assert ours.keys() == theirs.keys()
    for variant, cell in ours.items():
        assert cell["top"][0]["label"] == theirs[variant]["top"][0]["label"]
        assert abs(cell["top"][0]["score"] - theirs[variant]["top"][0]["score"]) < CLOSE


def test_decoding_is_told_apart_from_inference_on_every_runtime(report):
    for cell in report["cells"]:
        assert cell["server_ms"]["decode"] > 0 < cell["server_ms"]["inference"]
