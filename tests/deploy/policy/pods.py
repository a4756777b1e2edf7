"""Pods: the profile "restricted" of the Pod Security Standards, and what goes beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.deploy.policy.objects import Cluster, Object, only_serves, pod_of, where

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
TOPOLOGY = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
IMAGE = re.compile(r"[a-z0-9./:_-]+?(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]*)|@sha256:[0-9a-f]{64})")

Found = Iterator[tuple[str, str]]


def _security(pod: Object, container: Object, key: str) -> object:
    """A setting of the container, else of its pod."""
    own = container.get("securityContext", {})
    return own.get(key, pod.get("securityContext", {}).get(key))


def _non_root(cluster: Cluster) -> Found:
    for place, pod, container in cluster.containers():
        user = _security(pod, container, "runAsUser")
        if _security(pod, container, "runAsNonRoot") is not True or not isinstance(user, int) or user < 1:
            yield place, f"runs as user {user!r}, which is not known to be another than root"


def _escalation(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield place, "may gain privileges"


def _capabilities(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        rights = container.get("securityContext", {}).get("capabilities", {})
        if rights.get("drop") != ["ALL"] or rights.get("add"):
            yield place, "keeps capabilities"


def _seccomp(cluster: Cluster) -> Found:
    for place, pod, container in cluster.containers():
        profile = _security(pod, container, "seccompProfile")
        if not isinstance(profile, dict) or profile.get("type") not in {"RuntimeDefault", "Localhost"}:
            yield place, "has no seccomp profile"


def _host(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        pod = pod_of(workload)["spec"]
        shared = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
        shared += [
            "hostPort" for each in pod["containers"] for port in each.get("ports", ()) if "hostPort" in port
        ]
        if shared:
            yield where(workload), f"uses {', '.join(shared)}"


def _volumes(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        for volume in pod_of(workload)["spec"].get("volumes", ()):
            if surplus := volume.keys() - VOLUMES - {"name"}:
                yield where(workload), f"the volume {volume['name']} is a {', '.join(surplus)}"
            if volume.get("emptyDir", {"sizeLimit": 1}).keys() != {"sizeLimit"}:
                yield (
                    where(workload),
                    f"the volume {volume['name']} has no limit, or takes the memory of the pod",
                )


def _read_only(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield place, "may write to its image"


def _service_account(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if pod_of(workload)["spec"].get("automountServiceAccountToken") is not False:
            yield where(workload), "holds a token for the cluster's API, which it never calls"


def _service_links(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if pod_of(workload)["spec"].get("enableServiceLinks") is not False:
            yield where(workload), "gets a variable for each Service, which settings may be mixed up with"


def _limits(cluster: Cluster) -> Found:
    shared = may_share(cluster)
    for place, _, container in cluster.containers():
        resources = container.get("resources", {})
        requests, limits = resources.get("requests"), resources.get("limits", {})
        if place in shared:
            requests = {**(requests or {}), "cpu": limits.get("cpu")}
        if requests != limits or not {"cpu", "memory"} <= limits.keys():
            yield (
                place,
                f"requests {requests} but is limited to {limits}: not Guaranteed, so not alone on its cores",
            )


def may_share(cluster: Cluster) -> set[str]:
    """Places of the containers that need no cores of their own, as nobody measures them."""
    return {
        f"{where(each)}/{container['name']}"
        for each in cluster.workloads("serving")
        if only_serves(each)
        for container in pod_of(each)["spec"]["containers"]
    }


def _whole_cpus(cluster: Cluster) -> Found:
    shared = may_share(cluster)
    for place, _, container in cluster.containers():
        if place in shared:
            continue
        cpu = str(container.get("resources", {}).get("limits", {}).get("cpu", ""))
        if not cpu.isdigit() or int(cpu) < 1:
            yield place, f"has {cpu or 'no'} CPUs; only whole ones can be its own"


def _image(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        match = IMAGE.fullmatch(container.get("image", ""))
        if not match or match["tag"] == "latest":
            yield place, f"the image {container.get('image')!r} names no version"


def _probes(cluster: Cluster) -> Found:
    for place, pod, container in cluster.containers(with_init=False):
        way = "exec" if pod in databases(cluster) else "httpGet"
        for probe in PROBES:
            if way not in container.get(probe, {}):
                what = "asks over HTTP" if way == "httpGet" else "asks it with its own client"
                yield place, f"has no {probe} that {what}; an open port says nothing"


def databases(cluster: Cluster) -> list[Object]:
    """The pods that speak no HTTP: those that keep the queue."""
    return [pod_of(each)["spec"] for each in cluster.workloads("queue")]


def _spread(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        for spread in pod_of(workload)["spec"].get("topologySpreadConstraints", ()):
            is_wish = (
                spread["whenUnsatisfiable"] == "ScheduleAnyway"
            )  # else a small cluster could not hold them
            is_known = spread["topologyKey"] in TOPOLOGY  # a wish over nodes without the label is none
            if is_wish and is_known and workload in cluster.selected(spread["labelSelector"]["matchLabels"]):
                break
        else:
            yield where(workload), "its replicas may all be put on one node"


def _evictable(cluster: Cluster) -> Found:
    """cluster-autoscaler empties a node only if its pods name the local volumes that may go with them."""
    for workload in cluster.workloads():
        volumes = pod_of(workload)["spec"].get("volumes", ())
        local = {each["name"] for each in volumes if "emptyDir" in each}
        named = {*pod_of(workload)["metadata"].get("annotations", {}).get(EVICTABLE, "").split(",")} - {""}
        if "data" in local & named:
            yield where(workload), "may be moved at any time, and its runs are lost with its volume"
        if "data" not in local and not local <= named:
            yield where(workload), f"keeps its node from being emptied: {', '.join(sorted(local - named))}"


RULES = {
    "non_root": _non_root,
    "escalation": _escalation,
    "capabilities": _capabilities,
    "seccomp": _seccomp,
    "host": _host,
    "volumes": _volumes,
    "read_only": _read_only,
    "service_account": _service_account,
    "service_links": _service_links,
    "limits": _limits,
    "whole_cpus": _whole_cpus,
    "image": _image,
    "probes": _probes,
    "spread": _spread,
    "evictable": _evictable,
}
