"""deploy/ray: what can be checked without KubeRay. Its own schema is not at hand, that of its pods is."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from jobs.commands.serve import add_arguments

ROOT = Path(__file__).resolve().parents[2]
SPEC = yaml.safe_load((ROOT / "deploy/ray/rayjob.yaml").read_text("utf-8"))["spec"]
CLUSTER = SPEC["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]


@pytest.mark.parametrize("group", GROUPS, ids=["head", "workers"])
def test_its_pods_are_what_kubernetes_takes(group):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": group["template"]["spec"]}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("group", GROUPS, ids=["head", "workers"])
def test_what_ray_is_told_are_texts(group):
    assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_its_command_is_one_that_jobs_understands():
    python, dash_m, package, command, *rest = shlex.split(SPEC["entrypoint"])
    assert (python, dash_m, package, command) == ("python", "-m", "jobs", "serve")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args(rest)
    assert options.engine == "ray"
    free = sum(int(each["rayStartParams"]["num-cpus"]) * each["replicas"] for each in GROUPS[1:])
    assert options.workers <= free, "each worker takes a CPU"


def test_ray_is_the_version_of_the_lock_everywhere():
    locked = re.search(r"^ray==(\S+)", (ROOT / "requirements/ray.txt").read_text("utf-8"), re.MULTILINE)[1]
    assert CLUSTER["rayVersion"] == locked
    dockerfile = (ROOT / "deploy/ray/Dockerfile").read_text("utf-8")
    assert re.search(r"rayproject/ray:(\S+)-py311", dockerfile)[1] == locked
