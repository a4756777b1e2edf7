"""Mistakes to make on purpose in what is deployed, and what they are made in.

A mistake is a function that changes one place; a table names the rule that has to find it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import yaml

from tests.deploy.policy.pods import EVICTABLE
from tests.support.deploy import manifests

COMPONENTS = manifests.ROOT / "deploy" / "kustomize" / "components"
SCALERS = COMPONENTS / "autoscaling" / "autoscalers.yaml"

Objects = list[dict[str, Any]]
Table = list[tuple[Callable[[Objects], None], str]]


def right() -> Objects:
    """k8s/ with the autoscaler of the 1-CPU server, and with the component `queue`."""
    objects = copy.deepcopy(manifests.read())
    objects.append(next(yaml.safe_load_all(SCALERS.read_text("utf-8"))))
    del manifests.one(objects, "Deployment", "tf-serving-1cpu")["spec"]["replicas"]
    return with_queue(objects)


def with_queue(objects: Objects) -> Objects:
    """`objects`, which are changed, with the component `queue`."""
    component = yaml.safe_load((COMPONENTS / "queue" / "kustomization.yaml").read_text("utf-8"))
    for patch in component["patches"]:
        _add(objects, patch["target"], yaml.safe_load(patch["patch"]))
    for file in component["resources"]:
        objects += yaml.safe_load_all((COMPONENTS / "queue" / file).read_text("utf-8"))
    return objects


def _add(objects: Objects, target: dict[str, str], patch: list[dict[str, Any]]) -> None:
    """A patch that only appends to lists, as kustomize makes it."""
    for found in objects:
        if found["kind"] == target["kind"] and re.fullmatch(target["name"], found["metadata"]["name"]):
            for step in patch:
                place: Any = found
                for part in step["path"].strip("/").split("/")[:-1]:
                    place = place[int(part)] if isinstance(place, list) else place[part]
                place.append(copy.deepcopy(step["value"]))


def deployment(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifests.one(objects, "Deployment", name)["spec"]
    return spec


def pod(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(objects, name)["template"]["spec"]
    return spec


def main(objects: Objects, name: str) -> dict[str, Any]:
    container: dict[str, Any] = pod(objects, name)["containers"][0]
    return container


def claimed(objects: Objects, name: str) -> None:
    """The page with its runs on this claim, as the component keep-runs has it."""
    pod(objects, "image-resizer")["volumes"][0] = {
        "name": "data",
        "persistentVolumeClaim": {"claimName": name},
    }
    metadata = deployment(objects, "image-resizer")["template"]["metadata"]
    metadata["annotations"] = {EVICTABLE: "tmp"}


def setting(objects: Objects, name: str) -> dict[str, Any]:
    """The row of a setting among the page's."""
    (row,) = [each for each in main(objects, "image-resizer")["env"] if each["name"] == name]
    return row
