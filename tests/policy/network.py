"""Who reaches whom, what finds what, and what may be taken away at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.policy.objects import COMPONENT, Cluster, Object, labels, main_container, name_of, pod_of, where

MODEL_PORTS = {8500, 8501}
NODE_PORTS = range(30000, 32768)

Found = Iterator[tuple[str, str]]


def _services(cluster: Cluster) -> Found:
    for service in cluster.of("Service"):
        found = cluster.selected(service["spec"].get("selector", {"no": "selector"}))
        if not found:
            yield where(service), "selects no pod"
        for workload in found:
            names = {each["name"] for each in main_container(workload).get("ports", ())}
            for port in service["spec"]["ports"]:
                if port.get("targetPort") not in names:
                    yield (
                        where(service),
                        f"leads to the port {port.get('targetPort')}, which {where(workload)} lacks",
                    )


def _headless(cluster: Cluster) -> Found:
    for service in cluster.of("Service"):
        if labels(service).get(COMPONENT) == "serving" and service["spec"].get("clusterIP") != "None":
            yield where(service), "has one address, behind which a kept-open gRPC channel stays on one pod"


def _node_ports(cluster: Cluster) -> Found:
    used = [port.get("nodePort") for each in cluster.of("Service") for port in each["spec"]["ports"]]
    for number, count in Counter(filter(None, used)).items():
        if count > 1 or number not in NODE_PORTS:
            yield f"NodePort {number}", f"is used {count} times, or is none of 30000 to 32767"
    for service in cluster.of("Service"):
        if service["spec"].get("type") == "NodePort" and service["spec"]["ports"][0].get("nodePort") != 30501:
            yield where(service), "is not on 30501, where everything else says that the page is"


def _policies_of(cluster: Cluster, workload: Object) -> list[Object]:
    return [
        each
        for each in cluster.of("NetworkPolicy")
        if workload in cluster.selected(each["spec"]["podSelector"].get("matchLabels", {}))
    ]


def _isolated(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        policies = _policies_of(cluster, workload)
        kinds = {kind for each in policies for kind in each["spec"]["policyTypes"]}
        if kinds != {"Ingress", "Egress"}:
            yield where(workload), "is not shut off in both directions"
        rules = [
            rule for each in policies for way in ("ingress", "egress") for rule in each["spec"].get(way, ())
        ]
        if any(not rule.get("ports") for rule in rules):
            yield where(workload), "is open on every port"


def _quiet_servers(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        for policy in _policies_of(cluster, workload):
            if policy["spec"].get("egress"):
                yield where(policy), "a model server calls nobody"
            for rule in policy["spec"].get("ingress", ()):
                if "from" not in rule and _ports(rule) != {8500}:  # 8500 alone: opened for a gateway
                    yield where(policy), "everybody may ask the model servers"


def _reach(cluster: Cluster) -> Found:
    for web in cluster.workloads("web"):
        out = [rule for each in _policies_of(cluster, web) for rule in each["spec"].get("egress", ())]
        if not any(53 in _ports(rule) for rule in out):
            yield where(web), "can't ask for names"
        for server in cluster.workloads("serving"):
            sent = {port for rule in out if _meets(rule.get("to", ()), server) for port in _ports(rule)}
            rules = [
                rule for each in _policies_of(cluster, server) for rule in each["spec"].get("ingress", ())
            ]
            taken = {port for rule in rules if _meets(rule.get("from", ()), web) for port in _ports(rule)}
            if not sent & taken >= MODEL_PORTS:
                yield (
                    where(server),
                    f"{where(web)} can't reach its ports {sorted(MODEL_PORTS - (sent & taken))}",
                )


def _meets(peers: Any, workload: Object) -> bool:
    carried = labels(pod_of(workload)).items()
    return any(
        each["podSelector"].get("matchLabels", {}).items() <= carried
        for each in peers
        if "podSelector" in each
    )


def _ports(rule: Mapping[str, Any]) -> set[int]:
    return {each["port"] for each in rule.get("ports", ())}


def _budgets(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        found = [
            each
            for each in cluster.of("PodDisruptionBudget")
            if workload in cluster.selected(each["spec"]["selector"]["matchLabels"])
        ]
        if len(found) != 1:
            yield where(workload), f"has {len(found)} PodDisruptionBudgets"
        for each in found:
            if each["spec"].get("maxUnavailable") != 1:
                yield where(each), "one replica could never be moved, or all of them at once"


def _scalers(cluster: Cluster) -> Found:
    for scaler in cluster.of("HorizontalPodAutoscaler", "ScaledObject"):
        name = scaler["spec"]["scaleTargetRef"]["name"]
        found = [each for each in cluster.workloads() if name_of(each) == name]
        if not found:
            yield where(scaler), f"scales {name}, which is not there"
        if any("replicas" in each["spec"] for each in found):
            yield where(scaler), f"each `apply` would set {name} back to the replicas of its manifest"
        if scaler["kind"] == "HorizontalPodAutoscaler" and not scaler["spec"].get("behavior", {}).get(
            "scaleDown"
        ):
            yield where(scaler), "gives pods away at the first quiet moment"


def _fronts(cluster: Cluster) -> Found:
    web, servers = ({name_of(each) for each in cluster.workloads(part)} for part in ("web", "serving"))
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                if path["backend"]["service"]["name"] not in web:
                    yield where(ingress), "speaks HTTP to something that is no web server"
    for kind, allowed in (("HTTPRoute", web), ("GRPCRoute", servers)):
        for route in cluster.of(kind):
            names = {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]}
            if not names <= allowed:
                yield (
                    where(route),
                    f"leads to {', '.join(names - allowed)}, which does not speak its protocol",
                )


RULES = {
    "services": _services,
    "headless": _headless,
    "node_ports": _node_ports,
    "isolated": _isolated,
    "quiet_servers": _quiet_servers,
    "reach": _reach,
    "budgets": _budgets,
    "scalers": _scalers,
    "fronts": _fronts,
}
