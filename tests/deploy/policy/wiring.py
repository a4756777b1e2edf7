"""What has to fit together inside a workload: volumes, labels, ports, images, roll-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.deploy.policy.objects import Cluster, Object, flags, labels, main_container, pod_of, where

PORT_FLAGS = {"grpc": "port", "rest": "rest_api_port"}  # name of the port -> flag of the model server
MODEL_PORTS = {"grpc": 8500, "rest": 8501}
HTTP_PORT = 5051
PROGRAMS = {
    "pixelcost-serving": "python -m serving",
    "serving": "tensorflow_model_server",
}  # of images we know
# Name of a container -> the image that it has to run.
OURS = {name: f"pixelcost-{name}" for name in ("web", "model", "gateway", "fetch")}
OURS |= {"worker": "pixelcost-jobs"}
VERSIONED = {f"app.kubernetes.io/{key}" for key in ("version", "managed-by")} | {"helm.sh/chart"}
STEPS = ((0, 1), (1, 0))  # maxSurge, maxUnavailable: one pod at a time

Found = Iterator[tuple[str, str]]


def _mounts(cluster: Cluster) -> Found:
    claims = {
        each["metadata"]["name"]
        for workload in cluster.of("StatefulSet")
        for each in workload["spec"].get("volumeClaimTemplates", ())
    }
    for place, pod, container in cluster.containers():
        there = {each["name"] for each in pod.get("volumes", ())}
        there |= claims if place.startswith("StatefulSet/") else set()
        mounts = container.get("volumeMounts", ())
        for each in mounts:
            if each["name"] not in there:
                yield place, f"mounts the volume {each['name']}, which its pod lacks"
        if len({each["mountPath"] for each in mounts}) < len(mounts):
            yield place, "mounts two volumes at one path"


def _scratch(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        mounts = {each["mountPath"]: each for each in main_container(workload).get("volumeMounts", ())}
        if "/tmp" not in mounts or mounts["/tmp"].get("readOnly"):
            yield where(workload), "can't write to /tmp, and its root is read-only"


def _selectors(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        chosen = workload["spec"].get("selector", {})
        if chosen.keys() != {"matchLabels"} or cluster.selected(chosen["matchLabels"]) != [workload]:
            yield where(workload), "does not select its own pods, all of them and no others"
        carried = labels(pod_of(workload))
        if not {k: v for k, v in labels(workload).items() if k not in VERSIONED}.items() <= carried.items():
            yield where(workload), "its pods carry other labels than itself"
        if VERSIONED & carried.keys():
            yield where(workload), "each version of the chart would start its pods anew"


def _env_once(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        for name, count in Counter(each["name"] for each in container.get("env", ())).items():
            if count > 1:
                yield place, f"gives {name} {count} times; the last one counts"


def _ports(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        if _numbers(container) != MODEL_PORTS:
            yield where(workload), f"offers {_numbers(container)}, not {MODEL_PORTS}"
        for name, flag in PORT_FLAGS.items():
            if flags(container).get(flag) != str(MODEL_PORTS[name]):
                yield where(workload), f"--{flag} is not the port {name}, {MODEL_PORTS[name]}"
    for workload in cluster.workloads("web"):
        if _numbers(main_container(workload)) != {"http": HTTP_PORT}:
            yield where(workload), f"offers {_numbers(main_container(workload))}, not http at {HTTP_PORT}"


def _numbers(container: Object) -> dict[Any, Any]:
    """Ports by name, those of TCP only."""
    rows = container.get("ports", ())
    return {each.get("name"): each["containerPort"] for each in rows if each.get("protocol", "TCP") == "TCP"}


def _service_ports(cluster: Cluster) -> Found:
    for service in cluster.of("Service"):
        for port in service["spec"]["ports"]:
            if port.get("protocol", "TCP") != "TCP":
                yield where(service), f"the port {port['name']} takes {port['protocol']}"
            if port["name"] != port.get("targetPort"):
                yield where(service), f"the port {port['name']} leads to {port.get('targetPort')}"
            is_headless = service["spec"].get("clusterIP") == "None"
            if is_headless and MODEL_PORTS.get(port["name"], port["port"]) != port["port"]:
                yield where(service), f"{port['name']} is at {port['port']}; clients see the pods' own ports"
        if service["spec"].get("publishNotReadyAddresses"):
            yield where(service), "gives addresses of pods that aren't ready"


def _own_images(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        image = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0]
        command = container.get("command", ())
        program = " ".join(command[3:] if command[:2] == ["sh", "-c"] else command[:3])
        meant = OURS.get(container["name"])
        if meant and image != meant:
            yield place, f"runs {image}, not {meant}"
        if not meant and PROGRAMS.get(image, program) != program:
            yield place, f"the image {image} has no program `{program}`"


def _rollout(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if workload["spec"].get("replicas", 1) < 1:
            yield where(workload), "has no pod at all"
        if workload["kind"] == "StatefulSet":
            continue  # one pod at a time by itself
        strategy = workload["spec"].get("strategy", {})
        step = strategy.get("rollingUpdate", {})
        if (
            strategy.get("type") != "Recreate"
            and (step.get("maxSurge"), step.get("maxUnavailable")) not in STEPS
        ):
            yield where(workload), "its roll-out never begins, or takes all pods away at once"


RULES = {
    "mounts": _mounts,
    "scratch": _scratch,
    "selectors": _selectors,
    "env_once": _env_once,
    "ports": _ports,
    "service_ports": _service_ports,
    "own_images": _own_images,
    "rollout": _rollout,
}
