"""docs/migrating.md: the objects of 2018 and ours, in one cluster at the same time."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, KUBECTL, find
from tests.support.deploy.helm_render import ROOT, Objects, read_objects, render

DOCUMENT = ROOT / "docs" / "migrating.md"
# What the manifests of 2018 make, in the namespace `default`: (kind, name), and ports of every node.
OLD_NAMES = {
    *(("Service", f"tf-serving-{name}") for name in ("1cpu", "8cpu", "gpu")),
    *(("Deployment", f"tf-serving-{name}") for name in ("1cpu", "8cpu", "gpu")),
    ("Service", "tf-resizer"),
    ("Deployment", "tf-image-resizer"),
}
OLD_NODE_PORTS = {30501}


def documented(key: str) -> dict[str, Any]:
    """The YAML of the document that has this key at its top."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (found,) = [each for each in map(yaml.safe_load, blocks) if key in each]
    return dict(found)


def built(folder: Path, more: dict[str, Any]) -> Objects:
    """What `mine` with this in it would apply."""
    kubectl = find(KUBECTL) or pytest.skip(HOW_TO_GET_THEM)
    resources = [os.path.relpath(ROOT / "k8s", folder)]
    kind = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({**kind, "resources": resources, **more}))
    return read_objects(subprocess.check_output([kubectl, "kustomize", str(folder)], text=True, timeout=60))


def node_ports(objects: Iterable[dict[str, Any]]) -> set[int]:
    ports = [port for each in objects if each["kind"] == "Service" for port in each["spec"]["ports"]]
    return {port["nodePort"] for port in ports if "nodePort" in port}


def in_the_way(objects: Objects) -> set[object]:
    """What of the old objects ours would take the place of."""
    ours = {
        (each["kind"], each["metadata"]["name"])
        for each in objects
        if each["metadata"].get("namespace", "default") == "default"
    }
    return (ours & OLD_NAMES) | (node_ports(objects) & OLD_NODE_PORTS)


def test_the_manifests_live_beside_those_of_2018_with_the_documented_patch(tmp_path: Path) -> None:
    objects = built(tmp_path, documented("patches"))
    assert in_the_way(objects) == set()
    assert node_ports(objects) == {30502}
    assert {each["metadata"]["name"] for each in objects} & {name for _, name in OLD_NAMES}


def test_without_the_patch_the_nodes_port_is_in_the_way(tmp_path: Path) -> None:
    assert in_the_way(built(tmp_path, {})) == OLD_NODE_PORTS


def test_the_chart_lives_beside_them_and_answers_old_clients_at_their_port() -> None:
    objects = render({"": documented("serving")})[""]
    assert not isinstance(objects, str), objects
    namespaced = [
        {**each, "metadata": {"namespace": "pixelcost", **each["metadata"]}} for each in objects
    ]  # as `--namespace pixelcost` installs them
    assert in_the_way(namespaced) == set()
    services = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Service"}
    assert [port["port"] for port in services["classifier"]["ports"]] == [9000]
    commands = DOCUMENT.read_text("utf-8")
    assert "--external-name=classifier.pixelcost.svc.cluster.local" in commands
