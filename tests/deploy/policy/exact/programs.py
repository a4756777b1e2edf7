"""How programs are started, asked and replaced: gateway and workers as much as page and servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.deploy.policy.objects import (
    Cluster,
    environment,
    flags,
    labels,
    main_container,
    name_of,
    pod_of,
    where,
)
from tests.deploy.policy.pods import PROBES

PATHS = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
PORTS = {"gateway": {"http": 4343, "front": 10020}, "worker": {"http": 8080}}
PORT_FLAGS = {"gateway": ("frontend_port", "front"), "worker": ("health_port", "http")}
FLAGS = {  # what docs/queue.md starts them with, and no other
    "gateway": {"redis_url", "frontend_port", "tf_servers"},
    "worker": {"serve", "redis", "servers", "workers", "shared_name", "health_port"},
}
SETTINGS = {"PIXELCOST_ALLOWED_HOSTS", "PIXELCOST_TOKEN", "PIXELCOST_TOKEN_FILE"}
INSTALL = ["python", "-m", "models.install", "/model"]
COMMANDS = (["python", "-m", "serving"], ["tensorflow_model_server"], [])
PERIODS_S = {"startupProbe": range(1, 6), "readinessProbe": range(1, 10), "livenessProbe": range(10, 31)}
IMAGES = {"tensorflow/serving", "valkey/valkey"} | {
    f"pixelcost-{name}" for name in ("web", "serving", "model", "gateway", "jobs")
}
REST_TIMEOUT_MS = "60000"
METADATA = {"name", "namespace", "labels", "annotations"}
NEED_APP = {"Ingress", "HTTPRoute", "GRPCRoute", "PersistentVolumeClaim"}
POLICED = ("app.kubernetes.io/part-of", "pixelcost")
NAMESPACE_LABELS = {
    ("pod-security.kubernetes.io/enforce", "restricted"),
    ("pod-security.kubernetes.io/enforce-version", "latest"),
    ("pod-security.kubernetes.io/warn", "restricted"),
}
OURS_USER = 10001  # as in the Dockerfile
LEAST_PRESTOP_S = 3
MOST_REPLICAS = 10
MOST_PRESTOP_S = 30

Found = Iterator[tuple[str, str]]


def _started(cluster: Cluster) -> Found:
    for component, known in FLAGS.items():
        for workload in cluster.workloads(component):
            given = {name.replace("-", "_"): value for name, value in flags(main_container(workload)).items()}
            if more := (given.keys() - {"stream"}) ^ known:
                yield where(workload), f"is started with other flags than it has: {sorted(more)}"
            ports = {
                each.get("name"): each["containerPort"] for each in main_container(workload).get("ports", ())
            }
            flag, port = PORT_FLAGS[component]
            if ports != PORTS[component] or given.get(flag) != str(PORTS[component][port]):
                yield where(workload), f"listens at {given.get(flag)} and offers {ports}"
            if more := environment(main_container(workload)).keys() - SETTINGS:
                yield where(workload), f"{', '.join(more)} is no setting of it"
    for workload in cluster.workloads("worker"):
        given = flags(main_container(workload))
        if given.get("workers") != "1" or given.get("shared-name") != "worker":
            yield where(workload), "is not one worker of those that share the jobs: KEDA counts pods"


def _asked_right(cluster: Cluster) -> Found:
    for component in FLAGS:
        for workload in cluster.workloads(component):
            for name, path in PATHS.items():
                if main_container(workload).get(name, {}).get("httpGet", {}).get("path") != path:
                    yield where(workload), f"its {name} does not ask {path}"
    for workload in cluster.workloads():
        for name in PROBES:
            probe = main_container(workload).get(name, {})
            if probe and "exec" not in probe and probe.get("periodSeconds") not in PERIODS_S[name]:
                yield where(workload), f"its {name} asks every {probe.get('periodSeconds')} s"
            if "exec" in probe and len(probe["exec"]["command"]) != 3:
                yield where(workload), f"its {name} runs {probe['exec']['command']}"
        if main_container(workload).get("startupProbe", {}).get("failureThreshold", 3) < 10:
            yield where(workload), "is given up before it has had time to start"


def _commands(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        for each in pod_of(workload)["spec"].get("initContainers", ()):
            path = next((mount["mountPath"] for mount in each.get("volumeMounts", ())), None)
            if each["name"] == "model" and each.get("command") != [*INSTALL, path]:
                yield where(workload), f"fills its model by {each.get('command')}"
        command = main_container(workload).get("command", [])
        if command[:2] != ["sh", "-c"] and command not in COMMANDS:
            yield where(workload), f"starts {command}"


def _scratch_everywhere(cluster: Cluster) -> Found:
    for component in (*FLAGS, "web", "serving"):
        for workload in cluster.workloads(component):
            mounts = {each["mountPath"] for each in main_container(workload).get("volumeMounts", ())}
            if "/tmp" not in mounts:
                yield where(workload), "can't write to /tmp, and its root is read-only"
    for place, pod, _ in cluster.containers():
        for volume in pod.get("volumes", ()):
            if not volume.keys() - {"name"}:
                yield place, f"its volume {volume['name']} is scratch without an end"


def _in_turn(cluster: Cluster) -> Found:
    for workload in cluster.of("Deployment"):
        kind = workload["spec"].get("strategy", {}).get("type")
        if kind not in {"Recreate", "RollingUpdate"}:
            yield where(workload), f"is replaced by {kind}"
        # A second model server needs cores or a GPU that may not be there; all others have room for one more.
        step = workload["spec"].get("strategy", {}).get("rollingUpdate", {})
        first = workload in cluster.workloads("serving")
        if kind == "RollingUpdate" and (step.get("maxSurge"), step.get("maxUnavailable")) != (
            (0, 1) if first else (1, 0)
        ):
            yield where(workload), f"is replaced in steps of {step}"
        if workload["spec"].get("replicas", 1) > MOST_REPLICAS:
            yield where(workload), f"has {workload['spec']['replicas']} pods"


def _ends_softly(cluster: Cluster) -> Found:
    for component in ("web", "serving", "gateway"):
        for workload in cluster.workloads(component):
            stop = main_container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
            if not LEAST_PRESTOP_S <= stop.get("seconds", 0) <= MOST_PRESTOP_S:
                yield where(workload), f"stops {stop.get('seconds', 0)} s after it is told to"
            if (
                pod_of(workload)["spec"].get("terminationGracePeriodSeconds", 30)
                <= stop.get("seconds", 0) + 4
            ):
                yield where(workload), "is killed before it has ended"


def _spread_at_all(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        rows = pod_of(workload)["spec"].get("topologySpreadConstraints", ())
        if not any(each.get("topologyKey") == "kubernetes.io/hostname" for each in rows):
            yield where(workload), "may have all its pods on one node"


def _config_follows(cluster: Cluster) -> Found:
    """A pod that reads a ConfigMap starts anew when that changes."""
    for workload in cluster.workloads():
        configs = [
            each["configMap"]["name"]
            for each in pod_of(workload)["spec"].get("volumes", ())
            if "configMap" in each
        ]
        there = {name_of(each) for each in cluster.of("ConfigMap")}
        if missing := set(configs) - there:
            yield where(workload), f"there is no ConfigMap {', '.join(missing)}"
        sum_of = pod_of(workload)["metadata"].get("annotations", {}).get("checksum/config", "")
        if configs and len(sum_of) < 63:
            yield where(workload), "keeps its old settings when the ConfigMap changes"


def _one_checksum(cluster: Cluster) -> Found:
    rows = [pod_of(each)["metadata"].get("annotations", {}) for each in cluster.workloads("serving")]
    if len({row["checksum/config"] for row in rows if "checksum/config" in row}) > 1:
        yield "all model servers", "have several sums of one ConfigMap"


def _routes(cluster: Cluster) -> Found:
    ports = {name_of(each): {row["port"] for row in each["spec"]["ports"]} for each in cluster.of("Service")}
    for route in cluster.of("HTTPRoute", "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            for ref in rule["backendRefs"]:
                if ref.get("port") not in ports.get(ref["name"], ()) or (route["kind"] == "GRPCRoute") != (
                    ref["port"] == 8500
                ):
                    yield where(route), f"leads to the port {ref.get('port')} of {ref['name']}"
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                if path.get("pathType") != "Prefix" or path.get("path") != "/":
                    yield where(ingress), f"leads on {path.get('path')} only, as {path.get('pathType')}"


def _monitored_right(cluster: Cluster) -> Found:
    paths = {
        "web": "/metrics",
        "serving": "/monitoring/prometheus/metrics",
        "gateway": "/metrics",
        "worker": "/metrics",
    }
    for monitor in cluster.of("ServiceMonitor"):
        wanted = paths.get(labels(monitor).get("app.kubernetes.io/component", ""))
        for each in monitor["spec"]["endpoints"]:
            if each.get("path") != wanted:
                yield where(monitor), f"reads {each.get('path')}, where no metrics are"
        if (
            monitor["spec"]["selector"]["matchLabels"].get("app.kubernetes.io/part-of", "pixelcost")
            != "pixelcost"
        ):
            yield where(monitor), "reads another's pods"


def _triggers(cluster: Cluster) -> Found:
    wanted: dict[str, set[str]] = {
        "prometheus": {"serverAddress", "query", "threshold"},
        "redis-streams": {"address", "stream", "streamLength"},
    }
    for scaler in cluster.of("ScaledObject"):
        for each in scaler["spec"]["triggers"]:
            given: dict[str, Any] = each["metadata"]
            if wanted[each["type"]] - given.keys():
                yield where(scaler), f"its trigger lacks {sorted(wanted[each['type']] - given.keys())}"


def _images_known(cluster: Cluster) -> Found:
    for place, _, container in cluster.containers():
        image = container["image"].partition("@")[0].rpartition(":")[0].removeprefix("docker.io/")
        if image not in IMAGES:
            yield place, f"runs {image}, which nobody publishes"


def _same_model(cluster: Cluster) -> Found:
    """A server's name for its model is that of the page, and it waits for an answer as long."""
    asked = {environment(main_container(each)).get("MODEL_NAME") for each in cluster.workloads("web")}
    for workload in cluster.workloads("serving"):
        given = flags(main_container(workload))
        if "model_name" in given and {given["model_name"]} != asked:
            yield where(workload), f"calls its model {given['model_name']}, the page asks for {asked}"
        if given.get("rest_api_timeout_in_ms") != REST_TIMEOUT_MS:
            yield (
                where(workload),
                f"gives up after {given.get('rest_api_timeout_in_ms')} ms, the page after 60 s",
            )
        for flag in ("file_system_poll_wait_seconds", "model_config_file_poll_wait_seconds"):
            if not 5 <= int(given.get(flag, "10")) <= 60:
                yield where(workload), f"--{flag} is {given[flag]} s"


def _metadata(cluster: Cluster) -> Found:
    for each in cluster.objects:
        found = each["metadata"]
        if "name" not in found or found.keys() - METADATA:
            yield where(each), f"has no name, or more than that: {sorted(found.keys() - METADATA)}"
        elif each["kind"] == "Namespace" and set(found["labels"].items()) - {POLICED} != NAMESPACE_LABELS:
            yield where(each), f"does not hold its pods to the profile restricted: {found['labels']}"
        elif each["kind"] in NEED_APP and "app" not in found.get("labels", {}):
            yield where(each), "lacks the label app"


def _our_user(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        if pod_of(workload)["spec"]["securityContext"].get("runAsUser") != OURS_USER and (
            workload not in cluster.workloads("queue")
        ):
            yield where(workload), f"does not run as {OURS_USER}, who owns the files of its image"


def _reached(cluster: Cluster) -> Found:
    for service in cluster.of("Service"):
        if service["spec"].get("type", "ClusterIP") not in {"ClusterIP", "NodePort"}:
            yield where(service), "opens an address on the internet"
    for scaler in cluster.of("ScaledObject"):
        for each in scaler["spec"]["triggers"]:
            if not 1 <= int(each["metadata"].get("streamLength", 1)) <= 20:
                yield where(scaler), "lets tens of jobs wait for each worker, or starts one for each job"


RULES = {
    "started": _started,
    "asked_right": _asked_right,
    "commands": _commands,
    "scratch_everywhere": _scratch_everywhere,
    "in_turn": _in_turn,
    "ends_softly": _ends_softly,
    "spread_at_all": _spread_at_all,
    "config_follows": _config_follows,
    "one_checksum": _one_checksum,
    "routes": _routes,
    "monitored_right": _monitored_right,
    "triggers": _triggers,
    "images_known": _images_known,
    "same_model": _same_model,
    "metadata": _metadata,
    "our_user": _our_user,
    "reached": _reached,
}
