"""Mistakes to make on purpose in what is deployed, and what they are made in.

A mistake is a function that changes one place; a table names the rule that has to find it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import yaml

from tests.support.deploy import manifests

SCALERS = manifests.ROOT / "deploy" / "kustomize" / "components" / "autoscaling" / "autoscalers.yaml"

Objects = list[dict[str, Any]]
Table = list[tuple[Callable[[Objects], None], str]]


def right() -> Objects:
    """k8s/ with the autoscaler of the 1-CPU server."""
    objects = copy.deepcopy(manifests.read())
    objects.append(next(yaml.safe_load_all(SCALERS.read_text("utf-8"))))
    del manifests.one(objects, "Deployment", "tf-serving-1cpu")["spec"]["replicas"]
    return objects


def deployment(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifests.one(objects, "Deployment", name)["spec"]
    return spec


def pod(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(objects, name)["template"]["spec"]
    return spec


def main(objects: Objects, name: str) -> dict[str, Any]:
    container: dict[str, Any] = pod(objects, name)["containers"][0]
    return container


def setting(objects: Objects, name: str) -> dict[str, Any]:
    """The row of a setting among the page's."""
    (row,) = [each for each in main(objects, "image-resizer")["env"] if each["name"] == name]
    return row
