"""The web tier: its settings, its folder, and how many of it there may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from experiment.errors import ConfigRefused
from experiment.servers import parse_servers
from tests.policy.objects import Cluster, environment, main_container, name_of, pod_of, where
from webapp.config import Settings

SETTINGS = {field.metadata["key"] for field in fields(Settings)}

Found = Iterator[tuple[str, str]]


def _settings(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        given = environment(main_container(workload))
        for unknown in given.keys() - SETTINGS:
            yield where(workload), f"{unknown} is no setting of the app"
        ports = [each["containerPort"] for each in main_container(workload)["ports"]]
        if given.get("PORT") not in map(str, ports) or given.get("PIXELCOST_HOST") != "0.0.0.0":
            yield where(workload), "does not listen where the pod's port is"


def _servers(cluster: Cluster) -> Found:
    ports = {
        name_of(each): {port["port"] for port in each["spec"]["ports"]} for each in cluster.of("Service")
    }
    for workload in cluster.workloads("web"):
        try:
            infos = parse_servers(environment(main_container(workload)).get("TF_SERVERS") or "")
        except ConfigRefused as error:
            yield where(workload), error.message
            continue
        for info in infos:
            host, _, port = info.address.rpartition(":")
            if int(port) not in ports.get(host, ()):
                yield where(workload), f"{info.name}: no Service {host} has the port {port}"
        model = environment(main_container(workload)).get("MODEL_NAME")
        for server in cluster.workloads("serving"):
            mounts = [each["mountPath"] for each in main_container(server).get("volumeMounts", ())]
            if f"/models/{model}" not in mounts:
                yield where(server), f"serves another model than {model}, which the page asks for"


def _data(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        container = main_container(workload)
        writable = {
            each["mountPath"] for each in container.get("volumeMounts", ()) if not each.get("readOnly")
        }
        needed = {environment(container).get("PIXELCOST_DATA_DIR"), "/tmp"}
        if not needed <= writable:
            yield where(workload), f"can't write to {needed - writable}"


def _one_writer(cluster: Cluster) -> Found:
    for workload in cluster.workloads("web"):
        if "DATABASE_URL" in environment(main_container(workload)):
            continue
        if workload["spec"].get("replicas") != 1 or workload["spec"]["strategy"]["type"] != "Recreate":
            yield where(workload), "two processes may come to share one SQLite file"


def _claims(cluster: Cluster) -> Found:
    there = {name_of(each) for each in cluster.of("PersistentVolumeClaim")}
    for workload in cluster.workloads("web"):
        for volume in pod_of(workload)["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and there and claim not in there:
                yield where(workload), f"there is no claim {claim}"


RULES = {
    "settings": _settings,
    "servers": _servers,
    "data": _data,
    "one_writer": _one_writer,
    "claims": _claims,
}
