"""The same names, ports, users and paths wherever a deployment is described."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.policy.objects import Cluster, environment, flags, main_container, name_of, pod_of
from tests.support.deploy import manifests
from tests.support.deploy.helm_render import CHART, render
from webapp.config import Settings

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.fixture(scope="module", params=["k8s", "helm"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The objects of the manifests, and of the chart as it comes."""
    objects: Any = manifests.read() if request.param == "k8s" else render({"": {}})[""]
    return Cluster(objects)


def stage(name: str) -> str:
    """The instructions of one stage of the Dockerfile."""
    text = re.split(rf"^FROM .* AS {name}$", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)[1]
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[0].replace("\\\n", " ")


def test_pods_run_as_the_user_of_the_images(cluster: Cluster) -> None:
    for name in ("web", "serving"):
        (user,) = re.findall(r"^USER (\d+):(\d+)$", stage(name), re.MULTILINE)
        for each in cluster.workloads(name):
            context = pod_of(each)["spec"]["securityContext"]
            assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


def test_containers_open_the_ports_that_the_images_expose(cluster: Cluster) -> None:
    for name in ("web", "serving"):
        exposed = {
            int(port)
            for line in re.findall(r"^EXPOSE (.+)$", stage(name), re.MULTILINE)
            for port in line.split()
        }
        for each in cluster.workloads(name):
            assert {port["containerPort"] for port in main_container(each)["ports"]} == exposed


def test_the_web_pod_is_set_as_the_web_image_is(cluster: Cluster) -> None:
    (web,) = cluster.workloads("web")
    given = environment(main_container(web))
    for key in ("PIXELCOST_HOST", "PORT", "PIXELCOST_DATA_DIR"):
        assert f"{key}={given[key]}" in stage("web")


def test_the_model_has_its_default_name_and_the_folder_of_that_name(cluster: Cluster) -> None:
    name = Settings().model_name
    for each in cluster.workloads("serving"):
        given = flags(main_container(each))
        assert (given["model_name"], given["model_base_path"]) == (name, f"/models/{name}")


def test_ports_are_those_of_the_contract(cluster: Cluster) -> None:
    services = {name_of(each): each["spec"] for each in cluster.of("Service")}
    (page,) = services.pop("image-resizer")["ports"]
    assert (page["nodePort"], page["port"]) == (Settings().port, 5051)
    assert {tuple(port["port"] for port in each["ports"]) for each in services.values()} == {(8500, 8501)}
    assert services.keys() == {"tf-serving-gpu", "tf-serving-1cpu", "tf-serving-8cpu"}


def test_images_have_the_version_of_the_project(cluster: Cluster) -> None:
    images = {container["image"] for _, _, container in cluster.containers()}
    ours = {image for image in images if image.startswith("pixelcost-")}
    assert {image.rpartition(":")[2] for image in ours} == {VERSION}
    assert {image.partition(":")[0] for image in images - ours} == {
        "tensorflow/serving",
        "docker.io/tensorflow/serving",
    }


def test_the_chart_has_the_version_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
