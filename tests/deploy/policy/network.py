"""What finds what, what leads where, and what may be taken away at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.deploy.policy.objects import (
    COMPONENT,
    Cluster,
    Object,
    labels,
    main_container,
    name_of,
    pod_of,
    where,
)
from tests.deploy.policy.traffic import rules_of

NODE_PORTS = range(30000, 32768)
TARGETS = range(10, 100)  # percent of the CPUs requested, which are also the limit

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
        if service["spec"].get("internalTrafficPolicy", "Cluster") != "Cluster":
            yield where(service), "is found only by pods on its own nodes"


def _node_ports(cluster: Cluster) -> Found:
    used = [port.get("nodePort") for each in cluster.of("Service") for port in each["spec"]["ports"]]
    for number, count in Counter(filter(None, used)).items():
        if count > 1 or number not in NODE_PORTS:
            yield f"NodePort {number}", f"is used {count} times, or is none of 30000 to 32767"
    for service in cluster.of("Service"):
        is_page = labels(service).get(COMPONENT) != "expose"
        is_open = is_page and service["spec"].get("type") == "NodePort"
        if is_open and service["spec"]["ports"][0].get("nodePort") != 30501:
            yield where(service), "is not on 30501, where everything else says that the page is"
        from_outside = service["spec"].get("type", "ClusterIP") != "ClusterIP"
        is_local = service["spec"].get("externalTrafficPolicy", "Cluster") != "Cluster"
        by_address = any(
            "ipBlock" in peer
            for workload in cluster.selected(service["spec"].get("selector", {"no": "selector"}))
            for rule in rules_of(cluster, workload, "ingress")
            for peer in rule.get("from") or ()
        )
        if is_local and not by_address:
            yield where(service), "answers only on nodes that have one of its pods"
        if by_address and from_outside and not is_local:
            yield where(service), "hides the addresses of clients, by which its policy lets them in"


def _budgets(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        found = [
            each
            for each in cluster.of("PodDisruptionBudget")
            if workload in cluster.selected(each["spec"].get("selector", {}).get("matchLabels", {}))
        ]
        if len(found) != 1:
            yield where(workload), f"has {len(found)} PodDisruptionBudgets"
        for each in found:
            if each["spec"].get("maxUnavailable") != 1:
                yield where(each), "one replica could never be moved, or all of them at once"
            if each["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
                yield where(each), "two broken pods of three could never be moved"


def _scalers(cluster: Cluster) -> Found:
    for scaler in cluster.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        wanted = (target.get("kind", "Deployment"), target["name"])
        found = [each for each in cluster.workloads() if (each["kind"], name_of(each)) == wanted]
        if not found:
            yield where(scaler), f"scales {'/'.join(wanted)}, which is not there"
        if any("replicas" in each["spec"] for each in found):
            yield where(scaler), f"each `apply` would set {wanted[1]} back to the replicas of its manifest"
        # A queue keeps what comes while nothing runs; what is asked directly must be there.
        of_queue = {each["type"] for each in scaler["spec"].get("triggers", ())} == {"redis-streams"}
        if not (0 if of_queue else 1) <= _bound(scaler, "min") <= _bound(scaler, "max"):
            yield where(scaler), "its least replicas are above its most, or none"


def _bound(scaler: Object, which: str) -> int:
    spec = scaler["spec"]
    return int(spec.get(f"{which}Replicas", spec.get(f"{which}ReplicaCount", 1)))


def _load(cluster: Cluster) -> Found:
    for scaler in cluster.of("HorizontalPodAutoscaler"):
        found = [
            each for each in cluster.workloads() if name_of(each) == scaler["spec"]["scaleTargetRef"]["name"]
        ]
        there = {container["name"] for each in found for container in pod_of(each)["spec"]["containers"]}
        for metric in scaler["spec"]["metrics"]:
            if metric.get("containerResource", {}).get("container") not in there:
                yield where(scaler), "looks at a container that is not there, or at all of a pod"
            share = metric.get("containerResource", {}).get("target", {}).get("averageUtilization", 0)
            if share not in TARGETS:
                yield where(scaler), f"scales at {share} % of what a limit allows: always, or never"
        if not scaler["spec"].get("behavior", {}).get("scaleDown"):
            yield where(scaler), "gives pods away at the first quiet moment"


def _fronts(cluster: Cluster) -> Found:
    web, servers = (
        {name_of(each) for each in cluster.workloads(part)} | _exposing(cluster, port)
        for part, port in (("web", "rest"), ("serving", "grpc"))
    )
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                asked = path["backend"]["service"]
                by_grpc = asked["port"].get("name") == "grpc"
                if asked["name"] not in (_exposing(cluster, "grpc") if by_grpc else web):
                    yield where(ingress), "speaks HTTP to something that is no web server"
                if asked["port"].get("name") not in _port_names(cluster, asked["name"]):
                    yield where(ingress), f"{asked['name']} has no port {asked['port']}"
    for kind, allowed in (("HTTPRoute", web), ("GRPCRoute", servers)):
        for route in cluster.of(kind):
            names = {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]}
            if not names <= allowed:
                yield (
                    where(route),
                    f"leads to {', '.join(names - allowed)}, which does not speak its protocol",
                )


def _exposing(cluster: Cluster, port: str) -> set[str]:
    """Services for other clients that offer a port."""
    found = [each for each in cluster.of("Service") if labels(each).get(COMPONENT) == "expose"]
    return {name_of(each) for each in found if port in _port_names(cluster, name_of(each))}


def _port_names(cluster: Cluster, service: str) -> set[str]:
    found = [each for each in cluster.of("Service") if name_of(each) == service]
    return {port["name"] for each in found for port in each["spec"]["ports"]}


RULES = {
    "services": _services,
    "headless": _headless,
    "node_ports": _node_ports,
    "budgets": _budgets,
    "scalers": _scalers,
    "load": _load,
    "fronts": _fronts,
}
