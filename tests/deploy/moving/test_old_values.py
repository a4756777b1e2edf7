"""From the systems before this one: old values translated, old names beside ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.deploy.helm_render import ROOT, Objects, render

# What the chart of 2017 shipped, in its own form.
OLD_VALUES: dict[str, Any] = {
    "global": {"imagePullPolicy": "IfNotPresent", "services": {"aws": {"region": "us-east-1"}}},
    "storage": {
        "name": "tensorflow-fs",
        "accessMode": "ReadWriteMany",
        "pv": {"capacity": "900Gi"},
        "pvc": {"name": "tensorflow-fs", "request": "750Gi"},
    },
    "tfCluster": {"deploy": True, "settings": {"jobs": {"ps": 1, "worker": 2}}},
    "evaluating": {"deploy": True, "replicaCount": 1},
    "tensorboard": {"deploy": True, "settings": None},
    "serving": {
        "deploy": True,
        "replicaCount": 3,
        "image": {"repo": "samnco", "name": "tf-models", "dockerTag": "serving-1.0.2"},
        "service": {
            "name": "serving",
            "dns": "inception.madeden.net",
            "type": "ClusterIP",
            "externalPort": 8500,
            "internalPort": 8500,
            "command": '[ "/serve.sh" ]',
        },
        "settings": {"dataset": "imagenet"},
        "resources": {
            "requests": {"cpu": "50m", "memory": "256Mi"},
            "limits": {"cpu": "200m", "memory": "512Mi"},
        },
    },
}


def translated(folder: Path, old: Any, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "values.yaml"
    path.write_text(old if isinstance(old, str) else yaml.safe_dump(old), "utf-8")
    command = [sys.executable, "-m", "tools.old_values", str(path), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def rendered(values: dict[str, Any]) -> Objects:
    objects = render({"old": values})["old"]
    assert not isinstance(objects, str), objects
    return objects


def of(objects: Objects, kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def test_the_old_charts_values_serve_three_replicas_without_the_page(tmp_path: Path) -> None:
    done = translated(tmp_path, OLD_VALUES)
    assert (done.returncode, done.stderr) == (0, "")
    objects = rendered(yaml.safe_load(done.stdout))
    deployments = of(objects, "Deployment")
    assert deployments.keys() == {"tf-serving"}
    spec = deployments["tf-serving"]["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    assert spec["replicas"] == 3
    assert container["image"].startswith("tensorflow/serving:")
    assert {key: container["resources"][key]["cpu"] for key in ("requests", "limits")} == {
        "requests": "50m",
        "limits": "200m",
    }
    claims = [each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert [claim["claimName"] for claim in claims] == ["tensorflow-fs"]
    ports = {each["name"]: each["port"] for each in of(objects, "Service")["serving"]["spec"]["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}


def test_what_the_old_values_lose_is_named_with_its_reason(tmp_path: Path) -> None:
    said = translated(tmp_path, OLD_VALUES | {"seving": {"replicaCount": 3}}).stdout
    dropped = dict(re.findall(r"^# ([\w.]+): dropped: (\S.*)$", said, re.MULTILINE))
    assert dropped.keys() == {
        "global",
        "storage.name",
        "storage.accessMode",
        "storage.pv",
        "storage.pvc.request",
        "tfCluster",
        "evaluating",
        "tensorboard",
        "serving.deploy",
        "serving.image",
        "serving.service.command",
        "serving.service.internalPort",
        "serving.service.dns",
        "serving.resources.requests.memory",
        "seving.replicaCount",
    }
    assert "no such value" in dropped["seving.replicaCount"]


def test_the_old_image_its_command_its_dns_name_and_its_clients_can_be_kept(tmp_path: Path) -> None:
    options = ("--keep-image", "--ingress-class=nginx", "--clients=shop", "--clients=ingress-nginx")
    objects = rendered(yaml.safe_load(translated(tmp_path, OLD_VALUES, *options).stdout))
    container = of(objects, "Deployment")["tf-serving"]["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["command"]) == ("samnco/tf-models:serving-1.0.2", ["/serve.sh"])
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "PORT": "8500",
        "MODEL_NAME": "inception",
        "MODEL_PATH": "/models/inception",
        "BATCHING": "--enable_batching",
    }
    (ingress,) = of(objects, "Ingress").values()
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["inception.madeden.net"]
    rules = of(objects, "NetworkPolicy")["tf-serving"]["spec"]["ingress"]
    selectors = [peer.get("namespaceSelector") for rule in rules for peer in rule["from"]]
    names = [each["matchLabels"]["kubernetes.io/metadata.name"] for each in selectors if each]
    assert names == ["shop", "ingress-nginx"]


def test_old_clients_of_any_port_find_it_beside_rest(tmp_path: Path) -> None:
    for port in (9000, 8501):
        service = OLD_VALUES["serving"]["service"] | {"externalPort": port}
        old = {"serving": OLD_VALUES["serving"] | {"service": service}}
        objects = rendered(yaml.safe_load(translated(tmp_path, old).stdout))
        ports = {each["name"]: each["port"] for each in of(objects, "Service")["serving"]["spec"]["ports"]}
        assert ports["grpc"] == port != ports["rest"]


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("", "holds no values"),
        ("{", "can't be translated"),
        ({"tensorboard": {}}, "no `serving:`"),
        ({"serving": {"resources": {"limits": {"cpu": "fast"}}}}, "200m or 0.2"),
        ({"serving": {"service": {"type": "Headless"}}}, "Types are ClusterIP"),
        ({"serving": {"service": "x"}}, "not a group of values"),
    ],
)
def test_values_that_cant_be_translated_are_refused_with_one_sentence(
    tmp_path: Path, old: Any, said: str
) -> None:
    done = translated(tmp_path, old)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.old_values", str(tmp_path / "none.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        f"{tmp_path / 'none.yaml'} can't be translated: No such file or directory\n",
    )
