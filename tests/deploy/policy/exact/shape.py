"""What a pod, a probe, a Service or a scaler may hold, and between which bounds: lists of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deploy.policy.hardening import memory_mib
from tests.deploy.policy.objects import COMPONENT, Cluster, labels, main_container, pod_of, where
from tests.deploy.policy.pods import PROBES

POD_KEYS = {
    *("affinity", "automountServiceAccountToken", "containers", "enableServiceLinks", "imagePullSecrets"),
    *("initContainers", "nodeSelector", "priorityClassName", "runtimeClassName", "securityContext"),
    *(
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    ),
    *("dnsConfig", "dnsPolicy"),
}
CONTAINER_KEYS = {
    *("args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name", "ports"),
    *("readinessProbe", "resources", "securityContext", "startupProbe", "volumeMounts"),
}
WORKLOAD_KEYS = {
    *("replicas", "selector", "strategy", "template", "revisionHistoryLimit", "minReadySeconds"),
    *("serviceName", "volumeClaimTemplates", "persistentVolumeClaimRetentionPolicy", "updateStrategy"),
}
SERVICE_KEYS = {
    "type",
    "selector",
    "ports",
    "clusterIP",
    "ipFamilyPolicy",
    "ipFamilies",
    "externalTrafficPolicy",
}
SERVICE_KEYS |= {"loadBalancerSourceRanges", "loadBalancerClass"}
APP_PROTOCOLS = {"grpc": "kubernetes.io/h2c", "rest": "http", "http": "http"}  # by name of the port
PULL = {"IfNotPresent", "Always"}
MOST_S = {"startupProbe": 600, "readinessProbe": 60, "livenessProbe": 120}  # then it is known to be dead
MOST_TIMEOUT_S = 10
LEAST_TMP_MIB, LEAST_MODEL_MIB = 64, 1024
MOST_GRACE_S = 300

Found = Iterator[tuple[str, str]]


def _pod_keys(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        spec = pod_of(workload)["spec"]
        rows = [(workload["spec"], WORKLOAD_KEYS), (spec, POD_KEYS)]
        rows += [(each, CONTAINER_KEYS) for each in (*spec["containers"], *spec.get("initContainers", ()))]
        for found, allowed in rows:
            if more := found.keys() - allowed:
                yield where(workload), f"sets {', '.join(sorted(more))}, which nothing here needs"
        if workload["spec"].get("minReadySeconds", 0) > MOST_GRACE_S:
            yield where(workload), "waits so long for each pod that a roll-out looks stuck"
        if spec.get("dnsPolicy", "ClusterFirst") not in {"ClusterFirst", "None"}:
            yield where(workload), "does not find the other Services by name"
        if not 0 < spec.get("terminationGracePeriodSeconds", 30) <= MOST_GRACE_S:
            yield where(workload), "takes minutes to end, and holds its node meanwhile"


def _pulled(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        if container.get("imagePullPolicy") not in PULL:
            yield place, f"its imagePullPolicy is {container.get('imagePullPolicy')}"


def _probe_bounds(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        for name in PROBES:
            probe = main_container(workload).get(name, {})
            period_s, tries = probe.get("periodSeconds", 10), probe.get("failureThreshold", 3)
            if period_s < 1 or not tries >= 1 or period_s * tries > MOST_S[name]:
                yield where(workload), f"its {name} asks every {period_s} s, {tries} times"
            if not 1 <= probe.get("timeoutSeconds", 1) <= MOST_TIMEOUT_S:
                yield where(workload), f"its {name} waits {probe.get('timeoutSeconds')} s for an answer"
            if probe.get("successThreshold", 1) != 1 or probe.get("initialDelaySeconds"):
                yield (
                    where(workload),
                    f"its {name} waits longer than it has to: a startup probe is there for that",
                )


def _volume_bounds(cluster: Cluster) -> Found:
    """Scratch room has an end, so that no pod can fill its node's disk, and is not too small."""
    for workload in cluster.workloads():
        for volume in pod_of(workload)["spec"].get("volumes", ()):
            if (
                "emptyDir" in volume
                and memory_mib((volume["emptyDir"] or {}).get("sizeLimit", "")) < LEAST_TMP_MIB
            ):
                yield (
                    where(workload),
                    f"its volume {volume['name']} has no end, or less than {LEAST_TMP_MIB} MiB",
                )
            room_mib = memory_mib((volume.get("emptyDir") or {}).get("sizeLimit", ""))
            if volume["name"] == "model" and "emptyDir" in volume and room_mib < LEAST_MODEL_MIB:
                yield where(workload), "has no room for a model while the next version of it is copied"
            for kind in ("secret", "configMap", "persistentVolumeClaim"):
                if (volume.get(kind) or {}).get("optional"):
                    yield where(workload), f"starts without its volume {volume['name']}"


def _mounted_whole(cluster: Cluster) -> Found:
    """A volume is mounted as it is; only a claim, which others fill, has a folder for us."""
    for place, pod, container in cluster.containers():
        claims = {each["name"] for each in pod.get("volumes", ()) if "persistentVolumeClaim" in each}
        configs = {each["name"] for each in pod.get("volumes", ()) if "configMap" in each or "secret" in each}
        for mount in container.get("volumeMounts", ()):
            if mount.get("subPath") and mount["name"] not in claims:
                yield place, f"sees only the folder {mount['subPath']} of its volume {mount['name']}"
            if mount["name"] in configs and not mount.get("readOnly"):
                yield place, f"may write to its volume {mount['name']}"
            if mount["name"] in {"tmp", "data"} and mount.get("readOnly"):
                yield place, f"can't write to {mount['mountPath']}"
            if mount["name"] == "tmp" and mount["mountPath"] != "/tmp":
                yield place, f"has its room for temporary files at {mount['mountPath']}"


def _service_keys(cluster: Cluster) -> Found:
    for service in cluster.of("Service"):
        if more := service["spec"].keys() - SERVICE_KEYS:
            yield where(service), f"sets {', '.join(sorted(more))}, which nothing here needs"
        if "clusterIP" in service["spec"] and service["spec"]["clusterIP"] != "None":
            yield where(service), "asks for one certain address"
        for port in service["spec"]["ports"]:
            if port.get("appProtocol") != APP_PROTOCOLS.get(port["name"], port.get("appProtocol")):
                yield where(service), f"its port {port['name']} speaks {port.get('appProtocol')}"
            for workload in cluster.selected(service["spec"].get("selector", {"no": "selector"})):
                numbers = {
                    each.get("name"): each["containerPort"] for each in main_container(workload)["ports"]
                }
                if numbers.get(port.get("targetPort"), port["port"]) != port["port"]:
                    yield where(service), f"{port['name']} is at {port['port']}, in its pods at another port"


def _users(cluster: Cluster) -> Found:
    """All images of ours have one user; another's has its own."""
    users = {
        (pod_of(each)["spec"]["securityContext"].get("runAsUser"), labels(each).get(COMPONENT))
        for each in cluster.workloads()
        if labels(each).get(COMPONENT) != "queue"
    }
    if len({user for user, _ in users}) > 1:
        yield "all workloads", f"have several users: {sorted(users, key=str)}"
    for workload in cluster.workloads():
        profile = pod_of(workload)["spec"].get("securityContext", {}).get("seccompProfile", {})
        if profile.get("type") != "RuntimeDefault":
            yield where(workload), f"needs a seccomp profile {profile} that nobody brings to its nodes"


def _kept_in_turn(cluster: Cluster) -> Found:
    """Model servers, workers and gateways are replaced one by one: Recreate takes all of them away."""
    for component in ("serving", "worker", "gateway"):
        for workload in cluster.workloads(component):
            if workload["spec"].get("strategy", {}).get("type") == "Recreate":
                yield where(workload), "has no pod while it is updated"


def _scaling_bounds(cluster: Cluster) -> Found:
    for scaler in cluster.of("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            target = (metric.get("containerResource") or {}).get("target", {})
            if target.get("type") != "Utilization" or not 30 <= target.get("averageUtilization", 0) <= 95:
                yield where(scaler), f"its target is {target}"
        for way in ("scaleUp", "scaleDown"):
            rows = scaler["spec"].get("behavior", {}).get(way, {}).get("policies", ())
            if not rows or any(_outside(row) for row in rows):
                yield where(scaler), f"its {way} has no step, or one that never comes"
    for scaler in cluster.of("ScaledObject"):
        spec = scaler["spec"]
        if not 30 <= spec.get("cooldownPeriod", 300) <= 900 or not 5 <= spec.get("pollingInterval", 30) <= 60:
            yield where(scaler), "looks too seldom or too often, or gives pods away too late"


def _outside(row: Mapping[str, Any]) -> bool:
    return (
        row.get("value", 0) < 1 or not 15 <= row.get("periodSeconds", 0) <= 600 or row.get("type") != "Pods"
    )


RULES = {
    "pod_keys": _pod_keys,
    "pulled": _pulled,
    "probe_bounds": _probe_bounds,
    "volume_bounds": _volume_bounds,
    "mounted_whole": _mounted_whole,
    "service_keys": _service_keys,
    "users": _users,
    "kept_in_turn": _kept_in_turn,
    "scaling_bounds": _scaling_bounds,
}
