"""`pip install .`: the wheel is built and installed, and its commands run far from the checkout.

The environment it is installed into sees the packages of this one, but not the checkout. In the folder that
the commands run in, and beside the installed package, lie packages that have the names of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement

from tests.support.processes.app_process import CAT, running_app

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = (
    "common",
    "experiment",
    "gateway",
    "httpserver",
    "jobs",
    "loadtest",
    "models",
    "serving",
    "webapp",
)
BUILT_FROM = (
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "pixelcost",
    "static",
    "templates",
)
COMMANDS = (
    "pixelcost",
    *(f"pixelcost-{name}" for name in PACKAGES if name not in {"common", "httpserver", "webapp"}),
)


def project_files() -> list[str]:
    """What the package is built from, without what earlier builds left."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *BUILT_FROM, *PACKAGES]
    names = subprocess.check_output(listed, cwd=ROOT, text=True).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    for name in project_files():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "source" / name)
    build = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        folder,
        folder / "source",
    ]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "these.pth").write_text(sysconfig.get_path("purelib"))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "install",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, "--no-compile", wheel], check=True, capture_output=True)
    put_others_packages(packages)
    return folder / "bin"


def put_others_packages(folder: Path) -> None:
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('this package is not one of Pixelcost')")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that somebody stands in."""
    put_others_packages(tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody without settings, whose data folder is `tmp_path/share/pixelcost`."""
    ours = ("PIXELCOST", "PYTHON", "MODEL", "TF_", "DATABASE_URL", "PORT")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return clean | {"XDG_DATA_HOME": str(tmp_path / "share")}


def test_the_wheel_holds_every_file_of_the_packages_and_adds_one_name(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in held if ".dist-info/" in name}
    code = {name for name in project_files() if name.split("/")[0] in (*PACKAGES, "static", "templates")}
    assert held - about == {f"pixelcost/_app/{name}" for name in code} | {
        "pixelcost/__init__.py",
        "pixelcost/commands.py",
    }
    assert any(name.endswith("licenses/LICENSE") for name in about)


def test_every_command_says_its_own_name(installed: Path, elsewhere: Path, home: dict[str, str]) -> None:
    assert sorted(path.name for path in installed.glob("pixelcost*")) == sorted(COMMANDS)
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    asked = {
        name: subprocess.Popen([installed / name, "--help"], cwd=elsewhere, env=home, **pipe)
        for name in COMMANDS
    }
    for name, process in asked.items():
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert re.match(rf"usage: {name} ", said), said
        assert "python -m " not in said.partition("\n")[0]


def test_the_installed_page_starts_its_servers_and_classifies_a_photo(
    installed: Path, elsewhere: Path, home: dict[str, str], default_model: Path, tmp_path: Path
) -> None:
    (elsewhere / ".env").write_text(
        f"MODEL_BASE_PATH={default_model}\nPIXELCOST_EMBEDDED=1 CPU:cpus=1\nDATABASE_URL=sqlite:///runs.db\n"
    )
    environ = {"XDG_DATA_HOME": home["XDG_DATA_HOME"], "PIXELCOST_DATA_DIR": "", "PYTHONUNBUFFERED": "1"}
    with running_app(tmp_path, [str(installed / "pixelcost")], elsewhere, **environ) as app:
        assert "<title>" in requests.get(app.url, timeout=30).text
        assert requests.get(f"{app.url}/static/samples/cat.png", timeout=30).content == CAT.read_bytes()
        answer = requests.post(f"{app.url}/api/classify", files={"file": CAT.read_bytes()}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert "cat" in answer.json()["top"][0]["label"].lower()
        measure = [installed / "pixelcost-experiment", CAT, "--sizes", "64", "--repeats", "2"]
        done = subprocess.run(measure, cwd=elsewhere, env=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "1 CPU" in done.stdout
    assert (tmp_path / "share" / "pixelcost" / "in-use-by").is_file()
    assert {path.name for path in elsewhere.iterdir()} == {*PACKAGES, ".env", "runs.db", "runs.db-reserve"}
    assert not list(installed.parent.rglob("runs.db"))


def test_what_is_wrong_is_said_with_the_commands_that_are_there(
    installed: Path, elsewhere: Path, home: dict[str, str]
) -> None:
    wrong = {
        "pixelcost": ["PIXELCOST_HOST=192.0.2.1", "for example PORT=30502 pixelcost."],
        "pixelcost-models export nothing --out x": ["", "pixelcost-models: "],
        "pixelcost-serving --no_such_flag": ["", "`pixelcost-serving --help` lists"],
    }
    for typed, (setting, said) in wrong.items():
        command, *arguments = typed.split()
        environ = home | dict([setting.split("=")] if setting else [])
        done = subprocess.run(
            [installed / command, *arguments],
            cwd=elsewhere,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
        assert said in done.stderr


def test_a_script_imports_the_packages_after_pixelcost(
    installed: Path, home: dict[str, str], tmp_path: Path
) -> None:
    script = "import pixelcost, experiment; from jobs.client import InputQueue; print(experiment.__version__)"
    run = [installed / "python", "-c", script]
    done = subprocess.run(run, cwd=tmp_path, env=home, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == PROJECT["version"], done.stderr


def requirements(name: str) -> set[str]:
    found: set[str] = set()
    for line in (ROOT / "requirements" / f"{name}.in").read_text("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found |= requirements(text[3:].removesuffix(".in"))
        elif text:
            found.add(str(Requirement(text)))
    return found


def test_the_package_asks_for_what_the_requirements_files_name() -> None:
    default = {str(Requirement(line)) for line in PROJECT["dependencies"]}
    # Of the two builds of TensorFlow the one that tensorflow-serving-api asks for by name.
    assert default == {line for line in requirements("run") if not line.startswith("tensorflow-cpu")}
    extras = dict(PROJECT["optional-dependencies"])
    assert extras.pop("all") == [f"pixelcost[{','.join(sorted(extras))}]"]
    # Whoever installed the package has no requirements/ folder: what code or docs call optional is an extra.
    assert {"locust", "ray", "remote", "runtimes", "spark", "tracing"} <= set(extras)
    for name, lines in extras.items():
        asked = {str(Requirement(line)) for line in lines}
        assert asked | default >= {
            line for line in requirements(name) if not line.startswith("tensorflow-cpu")
        }
        assert asked <= requirements(name)
