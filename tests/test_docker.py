"""What can be checked of the Dockerfile without a Docker engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
TARGETS = ("web", "serving")


def stage(name: str) -> str:
    """The instructions of one stage, continuation lines joined."""
    text = re.split(rf"^FROM .* AS {name}$", DOCKERFILE, flags=re.MULTILINE)[1]
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[0].replace("\\\n", " ")


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_as_a_numeric_user_with_a_health_check_and_an_exec_command(target):
    text = stage(target)
    user = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert user and int(user[1]) > 0
    assert "HEALTHCHECK" in text
    assert re.search(r'^CMD \["', text, re.MULTILINE)


@pytest.mark.parametrize("target", ["environment", "web-environment", *TARGETS])
def test_everything_copied_from_the_project_exists_and_is_let_through_by_dockerignore(target):
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"
    }
    for source in re.findall(r"^COPY (?!--from)(\S+) ", stage(target), re.MULTILINE):
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed


def test_the_web_environment_locks_no_tensorflow():
    lock = (ROOT / "requirements" / "web.txt").read_text("utf-8")
    assert "tensorflow" not in lock
    assert "--hash=sha256:" in lock


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
import experiment.grpc_backend, experiment.probe
from experiment.protocol import predict_pb2, tensor_pb2
print(predict_pb2.__file__, tensor_pb2.__file__)
"""
    files = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environ, text=True).split()
    assert all(file.startswith(str(tmp_path)) for file in files)


def test_the_compose_file_joins_web_and_servers_at_the_published_ports():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    assert services["web"]["ports"] == ["30501:5051"]
    for name in ("serving-1cpu", "serving-8cpu"):
        assert f"{name}:8500" in services["web"]["environment"]["TF_SERVERS"]
        assert services["web"]["depends_on"][name] == {"condition": "service_healthy"}
