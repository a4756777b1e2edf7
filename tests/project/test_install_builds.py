"""Which build of TensorFlow `make` installs: real virtual environments, real pip, stand-ins for the wheels.

Both stand-ins fill the folder tensorflow/, as the real ones do: installing one over the other breaks it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest

from serving.machine import devices

ROOT = Path(__file__).resolve().parents[2]
BUILDS = ("tensorflow", "tensorflow-cpu")
LOCKS = {path.stem: path.read_text("utf-8") for path in (ROOT / "requirements").glob("*.txt")}
FROM_OUTSIDE = {"PIP", "TENSORFLOW", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
X86, DARWIN = "Linux x86_64", "Darwin arm64"


def wheel(folder: Path, package: str, files: dict[str, str], requires: str = "") -> str:
    """Writes a wheel of version 1.0; gives its line in a lock."""
    name = package.replace("-", "_")
    about = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{requires}"
    tag = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {**files, f"{about}/METADATA": metadata, f"{about}/WHEEL": tag}
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
            archive.writestr(inside, text)
    return f"{package}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Checkout:
    """The project's Makefile over small locks, and an index that is a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.index = folder / "index"
        self.gpu = folder / "nvidia0"  # what plays the driver's file

    def write(self) -> None:
        locks = self.folder / "requirements"
        locks.mkdir()
        self.index.mkdir()
        (self.folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
        api = wheel(self.index, "tensorflow-serving-api", {}, "Requires-Dist: tensorflow\n")
        for build in BUILDS:
            files = {"tensorflow/__init__.py": f"BUILD = {build!r}\n", f"tensorflow/only_{build}": "x"}
            (locks / f"{build}.txt").write_text(wheel(self.index, build, files) + api)
        (locks / "run.txt").write_text(wheel(self.index, "small-one", {"small_one.py": ""}))

    def make(self, *words: str, platform: str = X86, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if key.split("_")[0] not in FROM_OUTSIDE}
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "PIP_CONFIG_FILE": os.devnull}
        variables = [f"PYTHON={sys.executable}", f"PLATFORM={platform}", f"GPU_DEVICES={self.gpu}"]
        return subprocess.run(
            ["make", *(words or (".venv/run.stamp",)), *variables],
            cwd=self.folder,
            env=clean | pip | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def made(self, **how: str) -> list[str]:
        """The builds that are there after `make`."""
        done = self.make(**how)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.builds()

    def builds(self) -> list[str]:
        """The builds that are installed; the one whose files lie there is checked to be a whole one."""
        packages = next(self.folder.glob(".venv/lib/python3*/site-packages"))
        names = sorted(each.name for each in distributions(path=[str(packages)]))
        assert {"small-one", "tensorflow-serving-api"} <= set(names)
        found = [name for name in names if name in BUILDS]
        for name in found:
            assert (packages / "tensorflow" / "__init__.py").read_text() == f"BUILD = {name!r}\n"
            assert {each.name for each in packages.glob("tensorflow/only_*")} == {f"only_{name}"}
        return found

    def pip(self, *words: str) -> None:
        command = [".venv/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """After its first `make`, on a machine without a driver."""
    checkout = Checkout(tmp_path_factory.mktemp("first"))
    checkout.write()
    checkout.made()
    return checkout


@pytest.fixture
def checkout(first: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it."""
    shutil.copytree(first.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Checkout(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path)
    checkout.write()
    return checkout


def test_without_a_driver_the_build_without_gpu_code_is_installed_once(first):
    assert first.builds() == ["tensorflow-cpu"]
    assert "pip" not in first.make().stdout


def test_a_driver_that_appears_or_goes_replaces_the_build_as_a_whole(checkout):
    checkout.gpu.touch()
    assert checkout.made() == ["tensorflow"]
    assert "pip" not in checkout.make().stdout
    checkout.gpu.unlink()
    assert checkout.made() == ["tensorflow-cpu"]


def test_an_environment_from_before_there_were_two_builds_gets_the_right_one(checkout):
    for stamp in checkout.folder.glob(".venv/tensorflow*.stamp"):
        stamp.unlink()
    checkout.pip("uninstall", "--yes", "tensorflow-cpu")
    checkout.pip(
        "install", "--no-index", "--no-deps", str(checkout.index / "tensorflow-1.0-py3-none-any.whl")
    )
    assert checkout.builds() == ["tensorflow"]
    assert checkout.made() == ["tensorflow-cpu"]


def test_the_variable_outranks_what_the_machine_has(checkout):
    assert checkout.made(TENSORFLOW="tensorflow") == ["tensorflow"]
    checkout.gpu.touch()
    assert checkout.made(TENSORFLOW="tensorflow-cpu") == ["tensorflow-cpu"]
    assert checkout.made(TENSORFLOW="") == ["tensorflow"]


def test_a_build_that_can_not_be_fetched_leaves_the_one_that_is_there(checkout):
    wanted = checkout.index / "tensorflow-1.0-py3-none-any.whl"
    wanted.rename(checkout.folder / "elsewhere.whl")
    assert checkout.make(TENSORFLOW="tensorflow").returncode != 0
    assert checkout.made() == ["tensorflow-cpu"]
    (checkout.folder / "elsewhere.whl").rename(wanted)
    assert checkout.made(TENSORFLOW="tensorflow") == ["tensorflow"]


def test_a_file_that_is_not_the_locked_one_is_not_installed(fresh):
    wheel(fresh.index, "tensorflow-cpu", {"tensorflow/__init__.py": "another = 1\n"})
    done = fresh.make()
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_other_platforms_get_the_one_build_that_there_is_for_them(fresh):
    assert ".venv/tensorflow.stamp" in fresh.make("-n", ".venv/run.stamp", platform=DARWIN).stdout
    assert ".venv/tensorflow.stamp" in fresh.make("-n", ".venv/run.stamp", platform="Linux aarch64").stdout


def test_a_build_that_does_not_exist_is_refused_before_anything_is_installed(fresh):
    done = fresh.make(TENSORFLOW="gpu")
    assert done.returncode == 2
    assert "TENSORFLOW=gpu is no build of TensorFlow. Write tensorflow-cpu, or tensorflow for" in done.stderr
    assert not (fresh.folder / ".venv").exists()


def test_make_and_the_model_server_take_the_same_files_for_a_gpu():
    line = re.search(r"^GPU_DEVICES := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert line
    assert line[1].split() == [f"/dev/{pattern}" for pattern in devices.GPU_DEVICE_FILES]


def test_each_build_has_a_lock_of_its_own_and_no_other_lock_holds_one():
    pinned = {
        name: dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)) for name, text in LOCKS.items()
    }
    for build in BUILDS:
        assert set(pinned[build]) == {build, "tensorflow-serving-api"}
    assert pinned["tensorflow"]["tensorflow"] == pinned["tensorflow-cpu"]["tensorflow-cpu"]
    for name in set(pinned) - set(BUILDS):
        assert not {package for package in pinned[name] if package.startswith("tensorflow")}, name


def test_the_environment_lacks_nothing_but_what_is_left_out_on_purpose():
    """What is installed without its dependencies is checked here in pip's place."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    lacking = {line.rpartition(" requires ")[2] for line in done.stdout.splitlines() if " requires " in line}
    left_out = {"tensorflow", "libclang", "opencv-python", "kafka-python"}  # the last two: of clients.in
    assert lacking <= {f"{name}, which is not installed." for name in left_out}
    assert len([each for each in distributions() if each.name.replace("_", "-") in BUILDS]) == 1


def test_tensorflow_imports_nothing_of_libclang_which_is_left_out():
    package = Path(str(distribution("tensorflow-serving-api").locate_file("tensorflow")))
    pattern = re.compile(rb"^\s*(import|from) clang\b", re.MULTILINE)
    assert not [path for path in package.rglob("*.py") if pattern.search(path.read_bytes())]
