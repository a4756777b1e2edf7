"""What no profile forbids, but nobody here needs: so it is a list of what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.deploy.policy.objects import Cluster, pod_of, where

POD_KEYS = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}
CONTAINER_KEYS = {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}
SECRETS = {
    "DATABASE_URL",
    "PIXELCOST_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "MODEL_AUTHORIZATION",
}  # a value in a manifest is read by whoever may read that
PLATFORM = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}  # of tensorflow/serving's images
LEAST_MEMORY_MIB = 256
UNITS_MIB = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}

Found = Iterator[tuple[str, str]]


def _security_keys(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if more := pod_of(workload)["spec"].get("securityContext", {}).keys() - POD_KEYS:
            yield where(workload), f"sets {', '.join(more)}, which nothing here needs"
    for place, _, container in cluster.containers():
        if more := container.get("securityContext", {}).keys() - CONTAINER_KEYS - {"runAsUser", "privileged"}:
            yield place, f"sets {', '.join(more)}, which nothing here needs"


def _owner(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        context = pod_of(workload)["spec"].get("securityContext", {})
        if context.get("fsGroup") is None or context.get("fsGroup") != context.get("runAsGroup"):
            yield where(workload), "a fresh volume belongs to root, who this is not"


def _secrets(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        for each in container.get("env", ()):
            if each["name"] in SECRETS and "value" in each:
                yield place, f"{each['name']} stands in the manifest, not in a Secret"


def _platform(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if not PLATFORM.items() <= pod_of(workload)["spec"].get("nodeSelector", {}).items():
            yield where(workload), "may be put on a node that can't run its image"


def _memory(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        if memory_mib(container.get("resources", {}).get("limits", {}).get("memory", "")) < LEAST_MEMORY_MIB:
            yield place, f"has less than {LEAST_MEMORY_MIB} MiB, in which nothing here starts"


def memory_mib(text: object) -> float:
    """An amount such as "4Gi" in MiB; 0 for what is none of ours ("4m" are thousandths of a byte)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Mi|Gi|Ti)", str(text))
    return float(match[1]) * UNITS_MIB[match[2]] if match else 0


RULES = {
    "security_keys": _security_keys,
    "owner": _owner,
    "secrets": _secrets,
    "platform": _platform,
    "memory": _memory,
}
