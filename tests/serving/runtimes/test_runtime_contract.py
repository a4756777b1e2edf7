"""What every runtime must do, asked of each that is installed with each kind of file that it reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InvalidArgument, LoadFailed
from serving.runtimes import RUNTIMES, load
from serving.runtimes.base import Setting
from tests.support.models.runtime_models import (
    Case,
    ask,
    cases,
    pixels,
    probabilities,
    reference,
    signature_of,
)
from tests.support.processes.serving_process import ROOT

CASES = cases()
FROM_FILES = [case for case in CASES if case.runtime.name != "tensorflow"]  # not from a folder


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request) -> Case:
    return request.param


@pytest.fixture(scope="module")
def model(case):
    """Loaded once for all tests that leave it as it was."""
    model = case.load()
    yield model
    model.close()


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_it_answers_as_tensorflow_does_for_any_batch_size(model, batch):
    answers = probabilities(model, pixels()[:batch])
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, reference()[:batch], atol=1e-3)


def test_the_reference_tells_the_images_apart():
    """Else the test above could not fail."""
    assert np.abs(reference()[:-1] - reference()[1:]).max(axis=1).min() > 0.01


def test_it_says_what_it_takes_and_gives(model):
    signature = signature_of(model)
    assert "probabilities" in signature.outputs
    for spec in (signature.inputs["pixels"], signature.outputs["probabilities"]):
        assert str(spec).startswith("DT_FLOAT")
        assert spec.shape is None or spec.shape[0] is None


def test_it_says_what_really_computes(model, case):
    assert any(character.isdigit() for character in model.about.runtime)
    assert (model.about.precision, model.about.device) == ("f32", "CPU")


@pytest.mark.parametrize("shape", [(1, 224, 224, 4), (224, 224, 3), (1, 5)])
def test_a_wrong_shape_is_the_clients_fault(model, shape):
    with pytest.raises(InvalidArgument):
        ask(model, {"pixels": np.zeros(shape, np.float32)})
    assert probabilities(model, pixels()[:1]).shape == (1, 1000)  # and it serves on


def test_an_array_that_can_not_be_written_is_read(model):
    frozen = np.frombuffer(pixels()[:1].tobytes(), np.float32).reshape(1, 224, 224, 3)
    np.testing.assert_allclose(probabilities(model, frozen), reference()[:1], atol=1e-3)


def test_four_threads_at_once_get_the_answers_to_their_own_questions(model):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: probabilities(model, pixels()[i % 8 : i % 8 + 1]), range(16)))
    np.testing.assert_allclose(np.concatenate(answers), np.tile(reference(), (2, 1)), atol=1e-3)


def test_an_answer_stays_as_it_is_when_the_next_one_is_computed(model):
    first = probabilities(model, pixels()[:1])
    probabilities(model, pixels()[1:2])
    np.testing.assert_allclose(first, reference()[:1], atol=1e-3)


def test_a_precision_that_a_runtime_lacks_is_refused_before_it_loads(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(LoadFailed, match="onnxruntime computes in f32, not in bf16"):
        load(tmp_path, "onnxruntime", Setting(precision="bf16"))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_close_gives_the_memory_back(case):
    """Six models that stay would be 110 MB of weights and more."""
    for round_ in range(9):
        model = case.load()
        probabilities(model, pixels()[:1])
        model.close()
        if round_ == 2:
            before = resident_mb()
    assert resident_mb() - before < 45


# In a process of its own: a library that crashes on a damaged file must fail one test, not end all.
DAMAGED = """
import json, sys
from pathlib import Path
from serving.errors import LoadFailed
from tests.support.models.runtime_models import cases

case = next(each for each in cases() if str(each) == sys.argv[1])
for name in sys.argv[2:]:
    print(name, flush=True)
    try:
        case.load(Path(name)).close()
        print(json.dumps(None), flush=True)
    except LoadFailed as problem:
        print(json.dumps(str(problem)), flush=True)
"""


def damaged_files(case: Case, folder: Path) -> list[Path]:
    """The case's file cut, emptied, or replaced by what a failed download leaves."""
    whole = case.file.read_bytes()
    contents = {
        "empty": b"",
        "one_byte": whole[:1],
        "start": whole[:100],
        "half": whole[: len(whole) // 2],
        "most": whole[:-1000],
        "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "html": b"<!doctype html><title>404 Not Found</title>" * 20,
        "zeros": bytes(5000),
        "tail": whole[100:],
    }
    paths = []
    for name, data in contents.items():
        path = folder / name / case.file.name
        path.parent.mkdir()
        path.write_bytes(data)
        for side in ("model.prototxt", "model.bin"):
            if (case.file.parent / side).is_file():
                (path.parent / side).symlink_to(case.file.parent / side)
        paths.append(path)
    return paths


@pytest.mark.parametrize("case", FROM_FILES, ids=str)
def test_a_damaged_file_is_refused_by_name_and_crashes_nothing(case, tmp_path):
    files = damaged_files(case, tmp_path)
    command = [sys.executable, "-c", DAMAGED, str(case), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.split("\n")
    assert done.returncode == 0, f"it crashed with {lines[-2:]}: {done.stderr[-2000:]}"
    for file, line in zip(lines[::2], lines[1::2], strict=False):
        message = json.loads(line)
        assert message, f"{file} was loaded"
        assert file in message


@pytest.mark.parametrize("name", sorted(RUNTIMES))
def test_a_runtime_that_is_not_installed_says_how_to_get_it(name, tmp_path, monkeypatch):
    install = RUNTIMES[name].install
    if not install:
        pytest.skip(f"{name} is always there")
    monkeypatch.setitem(sys.modules, f"serving.runtimes.{name}", None)  # imports of it fail
    (tmp_path / RUNTIMES[name].own_files[0].replace("*", "model")).write_bytes(b"x")
    with pytest.raises(LoadFailed) as refused:
        load(tmp_path, name, Setting())
    assert install in str(refused.value)
