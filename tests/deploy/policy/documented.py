"""What k8s/ and its components need beside them: what docs/kubernetes.md tells the reader to make.

These rules are for the manifests alone; the chart takes such names from its reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.policy.objects import Cluster, Object, main_container, pod_of, where

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "kubernetes.md"
CREATED = re.compile(r"create secret (?:generic|docker-registry) (\S+)(.*(?:\\\n.*)*)")
KEY = re.compile(r"--from-(?:literal|file)=([^=\s]+)=")
NODE_LABELS = {  # and their values
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
    "nvidia.com/gpu.present": "true",  # by GPU feature discovery, a part of NVIDIA's operator
}

Found = Iterator[tuple[str, str]]


def secrets(text: str) -> dict[str, set[str]]:
    """The Secrets that a document makes, by name, with their keys."""
    return {name: set(KEY.findall(rest)) for name, rest in CREATED.findall(text)}


def _secrets(cluster: Cluster) -> Found:
    made = secrets(DOCUMENT.read_text("utf-8"))
    for place, _, container in cluster.containers():
        for each in container.get("env", ()):
            asked = each.get("valueFrom", {}).get("secretKeyRef")
            if asked and asked["key"] not in made.get(asked["name"], ()):
                yield place, f"nobody makes the Secret {asked['name']} with the key {asked['key']}"
            if asked and asked.get("optional"):
                yield place, f"starts without {each['name']} if the Secret {asked['name']} is missing"
    for workload in cluster.workloads():
        for each in pod_of(workload)["spec"].get("imagePullSecrets", ()):
            if each["name"] not in made:
                yield where(workload), f"nobody makes the Secret {each['name']}"


def _node_labels(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if unknown := pod_of(workload)["spec"].get("nodeSelector", {}).items() - NODE_LABELS.items():
            yield where(workload), f"waits for a node with {dict(unknown)}, which nothing sets"


def _apart(cluster: Cluster) -> Found:
    """Kustomize's `images:` goes by the name: one entry must not reach the GPU's image and another."""
    names: dict[str, set[str]] = {}
    for workload in cluster.workloads("serving"):
        image = main_container(workload)["image"]
        name = re.sub(r"(:[^/@]*)?(@.*)?$", "", image)
        names.setdefault(name, set()).add("GPU" if _has_gpu(main_container(workload)) else "CPU")
    for name, devices in names.items():
        if len(devices) > 1:
            yield name, "an entry of `images:` for it would put the CPU image into the GPU server"


def _has_gpu(container: Object) -> bool:
    return "nvidia.com/gpu" in str(container.get("resources"))


RULES = {"documented_secrets": _secrets, "node_labels": _node_labels, "apart": _apart}
