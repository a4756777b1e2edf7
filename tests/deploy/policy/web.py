"""The web tier: its settings, its folder, and how many of it there may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

from experiment.backends.addresses import parse_servers
from experiment.errors import ConfigRefused
from tests.deploy.policy.hardening import memory_mib
from tests.deploy.policy.objects import (
    Cluster,
    Object,
    environment,
    main_container,
    name_of,
    only_serves,
    pod_of,
    where,
)
from tests.deploy.policy.serving import GPU
from webapp.config import Settings, read_settings

SIGNATURES = (None, Settings().model_signature_name)  # of the image pixelcost-model
SETTINGS = {field.metadata["key"] for field in fields(Settings)}

CHECKED = SETTINGS - {"TF_SERVERS", "PIXELCOST_TOKEN_FILE"}  # that has a rule of its own; that is in the pod
SAMPLES = {"DATABASE_URL": "postgresql://a:b@c/d", "PIXELCOST_TOKEN": "0" * 16}  # for what a Secret holds

ROOM = ("PIXELCOST_KEEP_BYTES", "PIXELCOST_MAX_SET_BYTES", "PIXELCOST_QUEUE_LENGTH", "PIXELCOST_THREADS")
LOGS_MIB = 60  # the kubelet keeps five files of 10 MiB of a container's output, and counts them

Found = Iterator[tuple[str, str]]


def _settings(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        given = environment(main_container(workload))
        for unknown in given.keys() - SETTINGS:
            yield where(workload), f"{unknown} is no setting of the app"
        try:
            read_settings(
                {key: given[key] or SAMPLES.get(key, "") for key in given.keys() & CHECKED}, dotenv=None
            )
        except ConfigRefused as error:
            yield where(workload), error.message
        signature = given.get("MODEL_SIGNATURE_NAME")
        if given.get("MODEL_NAME") == Settings().model_name and signature not in SIGNATURES:
            yield where(workload), f"asks pixelcost-model's model for {signature}, not {SIGNATURES[1]}"
        ports = [each["containerPort"] for each in main_container(workload)["ports"]]
        families = [family for each in cluster.of("Service") for family in each["spec"].get("ipFamilies", ())]
        everywhere = "::" if "IPv6" in families else "0.0.0.0"
        if given.get("PORT") not in map(str, ports) or given.get("PIXELCOST_HOST") != everywhere:
            yield where(workload), "does not listen where the pod's port is"


def _servers(cluster: Cluster) -> Found:
    ports = {
        name_of(each): {port["name"]: port["port"] for port in each["spec"]["ports"]}
        for each in cluster.of("Service")
    }
    for workload in cluster.workloads("web"):
        try:
            infos = parse_servers(environment(main_container(workload)).get("TF_SERVERS") or "")
        except ConfigRefused as error:
            yield where(workload), error.message
            continue
        for info in infos:
            host, _, port = info.address.rpartition(":")
            if ports.get(host, {}).get(info.protocol) != int(port):
                yield where(workload), f"{info.name}: no Service {host} has {info.protocol} at {port}"
        asked = {info.address.rpartition(":")[0] for info in infos}
        for server in cluster.workloads("serving"):
            if only_serves(server) == (name_of(server) in asked):
                what = "asks" if only_serves(server) else "does not ask"
                yield where(workload), f"{what} {name_of(server)}"
        model = environment(main_container(workload)).get("MODEL_NAME")
        for server in cluster.workloads("serving"):
            mounts = [each["mountPath"] for each in main_container(server).get("volumeMounts", ())]
            if f"/models/{model}" not in mounts:
                yield where(server), f"serves another model than {model}, which the page asks for"


def _true_names(cluster: Cluster) -> Found:
    """A name such as "8 CPU" or "GPU" says what stands behind it; results are read by these names."""
    servers = {name_of(each): main_container(each) for each in cluster.workloads("serving")}
    for name, host in _named(cluster):
        limits = servers.get(host, {}).get("resources", {}).get("limits", {})
        said = re.match(r"(\d+) CPU\b", name)
        if limits and said and (said[1] != limits.get("cpu") or GPU in limits):
            yield f"Service/{host}", f"is called {name}, but has {limits}"
        if limits and name == "GPU" and GPU not in limits:
            yield f"Service/{host}", "is called GPU, but has none"


def _named(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Name and host of each entry of TF_SERVERS."""
    for workload in cluster.workloads("web"):
        for entry in (environment(main_container(workload)).get("TF_SERVERS") or "").split(";"):
            name, host, *_ = [*entry.split(":"), "", ""]
            yield name, host


def _data(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        container = main_container(workload)
        writable = {
            each["mountPath"] for each in container.get("volumeMounts", ()) if not each.get("readOnly")
        }
        needed = {environment(container).get("PIXELCOST_DATA_DIR"), "/tmp"}
        if not needed <= writable:
            yield where(workload), f"can't write to {needed - writable}"


def _room(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        volumes = pod_of(workload)["spec"]["volumes"]
        local_mib = {
            each["name"]: memory_mib(each["emptyDir"].get("sizeLimit"))
            for each in volumes
            if "emptyDir" in each
        }
        limits_mib = local_mib | _claimed_mib(cluster, volumes)
        needed_mib = _data_bytes(main_container(workload)) / 2**20
        if limits_mib.get("data", needed_mib) < needed_mib:
            yield where(workload), f"its runs and photo sets need {needed_mib:.0f} MiB at /data"
        own = main_container(workload)["resources"]["limits"].get("ephemeral-storage")
        in_all_mib = sum(local_mib.values())
        if own and memory_mib(own) < in_all_mib + LOGS_MIB:
            yield (
                where(workload),
                f"is evicted before its volumes hold the {in_all_mib:.0f} MiB that they may",
            )


def _data_bytes(container: Object) -> int:
    """What the page accepts: runs, and photo sets that are measured, that wait and that are on their way."""
    given = {key: value for key, value in environment(container).items() if key in ROOM and value}
    settings = read_settings({key: str(value) for key, value in given.items()}, dotenv=None)
    sets = 1 + settings.queue_length + max(2, settings.threads // 4 + 1)
    return settings.keep_bytes + sets * settings.max_set_bytes


def _claimed_mib(cluster: Cluster, volumes: Iterable[Object]) -> dict[str, float]:
    """Sizes of the claims made together with the page, by the name of the volume."""
    claims = {name_of(each): each["spec"] for each in cluster.of("PersistentVolumeClaim")}
    rows = [(each["name"], each.get("persistentVolumeClaim", {}).get("claimName")) for each in volumes]
    return {
        name: memory_mib(claims[claim]["resources"]["requests"]["storage"])
        for name, claim in rows
        if claim in claims
    }


def _one_writer(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        if "DATABASE_URL" in environment(main_container(workload)):
            continue
        if workload["spec"].get("replicas") != 1 or workload["spec"]["strategy"]["type"] != "Recreate":
            yield where(workload), "two processes may come to share one SQLite file"


def _one_node(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        is_one = workload["spec"].get("replicas") == 1 and workload["spec"]["strategy"]["type"] == "Recreate"
        for volume in pod_of(workload)["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume and not is_one:
                yield where(workload), "a ReadWriteOnce volume can't be attached for pods on two nodes"


def _claims(cluster: Cluster) -> Found:
    there = {name_of(each): each for each in cluster.of("PersistentVolumeClaim")}
    for workload in cluster.workloads("web"):
        for volume in pod_of(workload)["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and there and claim not in there:
                yield where(workload), f"there is no claim {claim}"
            if claim in there and there[claim]["spec"]["accessModes"] != ["ReadWriteOncePod"]:
                yield f"PersistentVolumeClaim/{claim}", "two pods may come to share one SQLite file"


RULES = {
    "settings": _settings,
    "servers": _servers,
    "data": _data,
    "one_writer": _one_writer,
    "claims": _claims,
    "true_names": _true_names,
    "room": _room,
    "one_node": _one_node,
}
