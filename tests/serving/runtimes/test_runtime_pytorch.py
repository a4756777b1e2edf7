"""PyTorch: names of inputs and outputs, bf16, and files that could run code."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InvalidArgument, LoadFailed
from serving.runtimes import RUNTIMES
from serving.runtimes.base import Setting
from tests.support.models.runtime_models import ONE_THREAD, Case, pixels, probabilities, reference, require

require("pytorch")
import torch  # noqa: E402

from serving.runtimes.pytorch import load  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Sums(torch.nn.Module):
    """Two inputs with names, one with a default; the answer in the form that is asked for."""

    def __init__(self, form: str):
        super().__init__()
        self.form = form

    def forward(self, left, right):
        if self.form == "dict":
            return {"sum": left + right, "difference": left - right}
        return (left + right, left - right) if self.form == "tuple" else left + right


NAMES = {
    "tensor": ["output_0"],
    "tuple": ["output_0", "output_1"],
    "dict": ["sum", "difference"],
}
TWO = (torch.ones(2, 3), torch.ones(2, 3))


def scripted(form: str, path: Path) -> Path:
    torch.jit.save(torch.jit.trace(Sums(form), TWO, strict=False), str(path))
    return path


def exported(form: str, path: Path) -> Path:
    any_batch = {"left": {0: torch.export.Dim("n")}, "right": {0: torch.export.Dim("n")}}
    torch.export.save(torch.export.export(Sums(form), TWO, dynamic_shapes=any_batch), path)
    return path


@pytest.mark.parametrize("write", [scripted, exported])
@pytest.mark.parametrize("form", NAMES)
def test_names_come_from_forward_and_from_the_keys_of_its_dict(tmp_path, write, form):
    model = load(write(form, tmp_path / "model.pt"), ONE_THREAD)  # told apart by what is in it
    signature = model.signatures["serving_default"]
    assert list(signature.inputs) == ["left", "right"]
    sent = {"left": np.full((1, 3), 5, np.float32), "right": np.full((1, 3), 2, np.float32)}
    answer = model.infer("serving_default", sent)
    assert list(answer) == list(signature.outputs) == NAMES[form]
    assert [array[0, 0] for array in answer.values()] == [7, 3][: len(NAMES[form])]


def test_only_torch_export_knows_shapes(tmp_path):
    known = load(exported("tensor", tmp_path / "a.pt2"), ONE_THREAD).signatures["serving_default"]
    unknown = load(scripted("tensor", tmp_path / "a.pt"), ONE_THREAD).signatures["serving_default"]
    assert str(known.inputs["left"]) == "DT_FLOAT [?,3]"
    assert str(unknown.inputs["left"]) == "DT_FLOAT [...]"


def test_what_torchscript_can_not_compute_is_said_in_one_line(tmp_path):
    model = load(scripted("tensor", tmp_path / "a.pt"), ONE_THREAD)
    sent = {"left": np.ones((1, 3), np.float32), "right": np.ones((1, 4), np.float32)}
    with pytest.raises(InvalidArgument, match="must match the size") as refused:
        model.infer("serving_default", sent)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("pattern", ["*.pt", "*.pt2"])
def test_bf16_is_another_arithmetic_and_says_so(pattern):
    model = Case(RUNTIMES["pytorch"], pattern).load(setting=Setting(threads=1, precision="bf16"))
    assert model.about.precision == "bf16"
    answers = probabilities(model, pixels())
    assert answers.dtype == np.float32
    difference = np.abs(answers - reference()).max()
    assert 1e-5 < difference < 0.05  # not f32, and not nonsense


def test_half_precision_models_take_and_give_float32(tmp_path):
    program = torch.export.export(torch.nn.Linear(2, 2).bfloat16(), (torch.ones(1, 2, dtype=torch.bfloat16),))
    torch.export.save(program, tmp_path / "model.pt2")
    model = load(tmp_path / "model.pt2", ONE_THREAD)
    (answer,) = model.infer("serving_default", {"input": np.ones((1, 2), np.float32)}).values()
    assert answer.dtype == np.float32


def test_an_input_that_is_no_tensor_is_refused(tmp_path):
    class Powers(torch.nn.Module):
        def forward(self, x: torch.Tensor, power: int):
            return x**power

    torch.jit.script(Powers()).save(str(tmp_path / "model.pt"))
    with pytest.raises(LoadFailed, match="'power' of forward\\(\\) is int"):
        load(tmp_path / "model.pt", ONE_THREAD)


# Files that could run code: none may leave the mark that they try to leave.


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def saved(value: object, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


PICKLES = {
    "state dict": lambda trap: saved(torch.nn.Linear(2, 2).state_dict()),
    "whole module": lambda trap: saved(torch.nn.Linear(2, 2)),
    "trap": saved,
    "old format": lambda trap: saved(trap, _use_new_zipfile_serialization=False),
    "bare pickle": pickle.dumps,
}


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize("suffix", ["pt", "pth", "pt2"])
def test_pickles_are_refused_unread(tmp_path, name, suffix):
    mark, file = tmp_path / "mark", tmp_path / f"model.{suffix}"
    file.write_bytes(PICKLES[name](Trap(mark)))
    with pytest.raises(LoadFailed, match=r"is a pickle of torch\.save.*torch\.jit\.trace or torch\.export"):
        load(file, ONE_THREAD)
    assert not mark.exists()


def changed(source: Path, target: Path, changes: dict[str, bytes]) -> Path:
    """A copy of an archive with other members; a name that is new is added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        folder = old.namelist()[0].partition("/")[0]
        changes = {f"{folder}/{name}": data for name, data in changes.items()}
        for name in old.namelist():
            new.writestr(name, changes.pop(name, None) or old.read(name))
        for name, data in changes.items():
            new.writestr(name, data)
    return target


def graph_of(source: Path) -> str:
    with zipfile.ZipFile(source) as archive:
        name = next(name for name in archive.namelist() if name.endswith("models/model.json"))
        return archive.read(name).decode()


def poisoned(source: Path, where: str, mark: Path) -> dict[str, bytes]:
    """Members that make `torch.export.load` or the first run touch `mark`."""
    trap = pickle.dumps(Trap(mark))
    constants = {"config": {"evil": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}}}
    graph = json.loads(graph_of(source))
    if where == "size":
        for value in graph["graph_module"]["graph"]["tensor_values"].values():
            for size in value["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    elif where == "target":
        graph["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.getcwd"
    members = {
        "constant": {
            "data/constants/opaque_obj_0": trap,
            "data/constants/model_constants_config.json": json.dumps(constants).encode(),
        },
        "native code": {"data/aotinductor/model/model.so": b"\x7fELF"},
    }
    return members.get(where) or {"models/model.json": json.dumps(graph).encode()}


@pytest.mark.parametrize("where", ["constant", "native code", "size", "target"])
def test_torch_export_files_that_bring_code_are_refused(tmp_path, where):
    whole, mark = exported("dict", tmp_path / "whole.pt2"), tmp_path / "mark"
    file = changed(whole, tmp_path / "model.pt2", poisoned(whole, where, mark))
    with pytest.raises(LoadFailed, match="could run code when it is loaded"):
        load(file, ONE_THREAD)
    assert not mark.exists()


def test_pickled_weights_of_torch_export_are_read_without_running_code(tmp_path):
    whole, mark = exported("dict", tmp_path / "whole.pt2"), tmp_path / "mark"
    file = changed(whole, tmp_path / "model.pt2", {"data/sample_inputs/model.pt": saved(Trap(mark))})
    with pytest.raises(LoadFailed):
        load(file, ONE_THREAD)
    assert not mark.exists()


def test_the_trap_works(tmp_path):
    """Else the tests above could not fail."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()
