"""What the Dockerfile promises, read from it. test_container_images.py builds and runs it without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.deploy.dockerfile import API_PATH, PATH, all_stages, pairs, read_stages
from tests.support.deploy.image_builder import is_let_through
from tests.support.imports import python_imports

ROOT = Path(__file__).resolve().parents[3]
STAGES = all_stages()
IMAGES = ("web", "serving", "model", "load", "jobs", "gateway", "api")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LABELS = ("title", "description", "licenses", "version", "revision", "source")


def hadolint(path: Path) -> str:
    """What hadolint says of a Dockerfile, one line for each finding; empty: nothing."""
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert found, "hadolint is missing from the environment: make test installs it"
    done = subprocess.run([found, "--no-color", str(path)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", [PATH, API_PATH], ids=["all", "api"])
def test_hadolint_finds_nothing(path):
    assert hadolint(path) == ""


def test_the_api_has_the_environment_and_the_base_of_the_other_images():
    of_api = read_stages(API_PATH)
    assert list(of_api) == ["environment", "api"]  # the last one is what is built without --target
    assert of_api["environment"] == read_stages()["environment"]


def test_the_api_image_holds_what_it_imports_and_what_convert_reads():
    copied = {source for line in STAGES["api"].all("COPY") for source in line.split()[:-1]}
    imports = python_imports(ROOT, ["gateway", "models", "serving"])
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    wanted = {other.partition(".")[0] for others in imports.values() for other in others} & packages
    assert wanted <= copied
    assert {"static", "templates"} <= copied


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("DL3006", "FROM ${PYTHON_IMAGE} AS web-packages", "FROM python AS web-packages"),
        ("DL3007", "FROM ${PYTHON_IMAGE} AS web-packages", "FROM python:latest AS web-packages"),
        ("DL3042", "install --no-cache-dir --no-compile", "install --no-compile"),
        ("DL3045", "WORKDIR /app\nCOPY --from=web-environment /venv /venv\n", ""),
        (
            "DL3025",
            'CMD ["gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()"]',
            "CMD gunicorn",
        ),
        ("DL3002", "USER 10001:10001\nEXPOSE 5051", "USER root\nEXPOSE 5051"),
    ],
)
def test_hadolint_would_find_a_mistake(tmp_path, rule, old, new):
    text = PATH.read_text("utf-8")
    assert old in text
    (tmp_path / "Dockerfile").write_text(text.replace(old, new))
    assert rule in hadolint(tmp_path / "Dockerfile")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_numeric_user_with_an_exec_command_and_says_what_it_is(image):
    stage = STAGES[image]
    assert stage.last("USER") == "10001:10001"
    assert stage.command("CMD") or stage.command("ENTRYPOINT")
    assert stage.last("HEALTHCHECK") == "NONE" or stage.command("HEALTHCHECK")
    labels = {key.rpartition(".")[2]: value for key, value in pairs(stage.last("LABEL")).items()}
    assert tuple(labels) == LABELS
    assert (labels["title"], labels["licenses"]) == (f"pixelcost-{image}", PROJECT["license"])


def test_the_images_carry_the_projects_version():
    for path in (PATH, API_PATH):
        assert f"ARG VERSION={PROJECT['version']}\n" in path.read_text("utf-8")


def loose(text: str) -> list[str]:
    """What a build of this Dockerfile would take as it happens to be on that day."""
    lines = text.replace("\\\n", " ").splitlines()
    installs = [
        part for line in lines for part in re.split(r"&&|;", line) if re.search(r"\bpip\b.* install ", part)
    ]
    return [line for line in lines if line.startswith("# syntax=") and "@sha256:" not in line] + [
        part.strip() for part in installs if "--require-hashes" not in part
    ]


@pytest.mark.parametrize(
    "path", [PATH, API_PATH, ROOT / "deploy" / "ray" / "Dockerfile"], ids=["all", "api", "ray"]
)
def test_a_build_takes_packages_by_their_hashes_and_no_parser_that_changes(path):
    assert loose(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "# syntax=docker/dockerfile:1\n"),
        ("--require-hashes -r /requirements/web.txt", "-r /requirements/web.txt"),
        ("--require-hashes -r /requirements/jobs.txt", "-r /requirements/jobs.txt"),
    ],
)
def test_a_package_without_a_hash_and_a_floating_parser_would_be_found(old, new):
    text = PATH.read_text("utf-8")
    assert old in text
    assert len(loose(text.replace(old, new, 1))) == 1


def test_every_base_image_is_pinned_by_its_digest():
    bases = {stage.base for stage in STAGES.values()} - set(STAGES)
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base) for base in bases), bases


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_everything_copied_from_the_project_exists_and_is_let_through_by_dockerignore(stage):
    for copied in stage.all("COPY"):
        if "--from" not in copied:
            for source in copied.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert is_let_through(source), source


@pytest.mark.parametrize(
    ("stage", "packages", "also"),
    [("web-environment", {"webapp"}, "loadtest"), ("jobs-environment", {"jobs", "gateway"}, "httpserver")],
)
def test_an_image_holds_every_package_of_the_project_that_its_program_imports(stage, packages, also):
    everything = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    imports = python_imports(ROOT, sorted(everything - {"tests"}))
    wanted = {
        other.partition(".")[0]
        for file, others in imports.items()
        if file.partition(".")[0] in packages
        for other in others
    }
    copied = {source for line in STAGES[stage].all("COPY") for source in line.split()[:-1]}
    assert also in wanted
    assert wanted <= copied


def test_the_web_environment_locks_no_tensorflow():
    lock = (ROOT / "requirements" / "web.txt").read_text("utf-8")
    assert not re.search("^(keras|tensorflow)", lock, re.MULTILINE)
    assert "--hash=sha256:" in lock


def test_the_load_image_locks_locust_and_what_grpc_needs_and_no_tensorflow():
    (line,) = STAGES["load-packages"].all("RUN")
    assert "--require-hashes -r /requirements/locust.txt" in line
    lock = (ROOT / "requirements" / "locust.txt").read_text("utf-8")
    names = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert {"locust", "grpcio", "protobuf", "aiohttp", "numpy"} <= names
    assert not {"tensorflow", "keras"} & names


def test_the_load_image_runs_the_users_unless_another_command_is_named():
    stage = STAGES["load"]
    assert stage.command("ENTRYPOINT") == ["python", "-m", "loadtest"]
    assert stage.command("CMD") == ["users"]
    assert stage.last("WORKDIR") == stage.last("VOLUME") == "/data"  # results go below the working folder


@pytest.mark.parametrize(("machine", "build"), [("x86_64", "tensorflow-cpu"), ("aarch64", "tensorflow")])
def test_the_images_take_tensorflow_without_gpu_code_where_there_is_a_build_without(tmp_path, machine, build):
    """The stage's own line, with stand-ins for its programs. No GPU is looked for: images run elsewhere."""
    (line,) = STAGES["environment"].all("RUN")
    said = tmp_path / "said"
    for name, script in {"python": ":", "uname": f"echo {machine}", "pip": f'echo "$@" >> {said}'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    headers = tmp_path / "lib" / "python3.11" / "site-packages" / "tensorflow" / "include"
    headers.mkdir(parents=True)
    line = line.replace("/venv", str(tmp_path))
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", line], env=environ, check=True)
    everything, tensorflow = said.read_text().splitlines()
    assert everything.endswith("--require-hashes -r /requirements/run.txt")
    assert tensorflow.endswith(f"--no-deps --require-hashes -r /requirements/{build}.txt")
    assert not headers.exists()


def test_the_copied_messages_are_all_that_the_protocol_needs(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tools.protocol_files", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True)
    code = f"""
import importlib.util, importlib.machinery, sys
class OnlyCopied:  # what is left of TensorFlow in the web image
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "tensorflow_serving"):
            return importlib.machinery.PathFinder.find_spec(name, [{str(tmp_path)!r}])
sys.meta_path.insert(0, OnlyCopied())
import experiment.backends.grpc, experiment.backends.probe
from experiment.protocol import predict_pb2, tensor_pb2
print(predict_pb2.__file__, tensor_pb2.__file__)
"""
    files = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environ, text=True).split()
    assert all(file.startswith(str(tmp_path)) for file in files)
