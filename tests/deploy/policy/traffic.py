"""Network policies: who may talk to whom, as a list of what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.deploy.policy.objects import (
    COMPONENT,
    Cluster,
    Object,
    environment,
    labels,
    main_container,
    name_of,
    pod_of,
    where,
)

NAME = "kubernetes.io/metadata.name"  # the label that every namespace carries by itself
WEB_PORT, GRPC, REST, DNS = ("TCP", 5051), ("TCP", 8500), ("TCP", 8501), {("UDP", 53), ("TCP", 53)}
DNS_NAMESPACE = {"namespaceSelector": {"matchLabels": {NAME: "kube-system"}}}

# OpenShift: its pods that know names listen elsewhere than their Service.
DNS_PODS = ({"namespaceSelector": {"matchLabels": {NAME: "openshift-dns"}}},)
DNS_BEHIND = {("UDP", 5353), ("TCP", 5353)}
PART_OF = "app.kubernetes.io/part-of"
ASKED = {"serving": {GRPC, REST}, "queue": {("TCP", 6379)}}  # by component: what the page may call

CLIENTS = ("web", "worker", "gateway")  # components that ask model servers

Found = Iterator[tuple[str, str]]
Port = tuple[str, Any]


def _policies_of(cluster: Cluster, workload: Object) -> list[Object]:
    carried = labels(pod_of(workload)).items()
    found = cluster.of("NetworkPolicy")
    return [each for each in found if _chosen(each["spec"]["podSelector"]).items() <= carried]


def rules_of(cluster: Cluster, workload: Object, way: str) -> list[Mapping[str, Any]]:
    """The rules of all policies of a workload; `way` is "ingress" or "egress"."""
    return [rule for each in _policies_of(cluster, workload) for rule in each["spec"].get(way) or ()]


def _isolated(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        policies = _policies_of(cluster, workload)
        if {kind for each in policies for kind in each["spec"]["policyTypes"]} != {"Ingress", "Egress"}:
            yield where(workload), "is not shut off in both directions"
        rules = [rule for way in ("ingress", "egress") for rule in rules_of(cluster, workload, way)]
        if any(not rule.get("ports") for rule in rules):
            yield where(workload), "is open on every port"
    for policy in cluster.of("NetworkPolicy"):
        spec = policy["spec"]
        is_whole = set(spec["policyTypes"]) == {"Ingress", "Egress"} and not spec.keys() & {
            "ingress",
            "egress",
        }
        if not _chosen(spec["podSelector"]) and not is_whole:
            yield where(policy), "does not shut off the other pods of the namespace in both directions"


def _quiet_servers(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        yield from _calls(cluster, workload)
        for rule in rules_of(cluster, workload, "ingress"):
            for peer in rule.get("from") or ({},):
                if not _ports(rule) <= _allowed(cluster, workload, peer):
                    yield where(workload), f"{peer or 'everybody'} may ask its ports {sorted(_ports(rule))}"


def _calls(cluster: Cluster, server: Object) -> Found:
    """A model server calls nobody, unless its init container fetches the model: names, a port of a store."""
    commands = [each.get("command", ()) for each in pod_of(server)["spec"].get("initContainers", ())]
    fetches = any("models.remote" in command for command in commands)
    rules = rules_of(cluster, server, "egress")
    stores = [rule for rule in rules if _ports(rule) not in (DNS, DNS_BEHIND)]
    if rules and not fetches:
        yield where(server), "a model server calls nobody"
    elif fetches and (len(stores) != 1 or len(rules) != 2 or len(_ports(stores[0])) != 1):
        yield where(server), "fetches its model: it needs names and one port of the store, and nothing else"


def _allowed(cluster: Cluster, server: Object, peer: Mapping[str, Any]) -> set[Port]:
    """The ports at which a peer may ask a model server; a peer without keys is everybody."""
    clients = [each for component in CLIENTS for each in cluster.workloads(component)]
    if any(_meets([peer], client) for client in clients) or _is_client(peer):
        return {GRPC, REST}
    offered = _exposed(cluster, server)
    if peer.keys() == {"namespaceSelector"} and _chosen(peer["namespaceSelector"]).keys() == {NAME}:
        # Prometheus, which reads the metrics there, or a gateway, whose pods are in a namespace of their own
        return {REST, *offered} | ({GRPC} if _has_route(cluster, server) else set())
    return offered if peer and all(peer.values()) else set()


def _exposed(cluster: Cluster, server: Object) -> set[Port]:
    """The ports at which a Service for other clients leads to a model server."""
    found = [each for each in cluster.of("Service") if labels(each).get(COMPONENT) == "expose"]
    numbers = {"grpc": GRPC, "rest": REST}
    return {
        numbers[port["name"]]
        for each in found
        if server in cluster.selected(each["spec"]["selector"])
        for port in each["spec"]["ports"]
    }


def _is_client(peer: Mapping[str, Any]) -> bool:
    """The pods of the page, the workers and the gateway, also where a server is applied alone."""
    chosen = _chosen(peer.get("podSelector", {}))
    return peer.keys() == {"podSelector"} and chosen.get(COMPONENT) in CLIENTS


def _has_route(cluster: Cluster, server: Object) -> bool:
    """Whether a gateway leads to a server."""
    rules = [rule for route in cluster.of("GRPCRoute") for rule in route["spec"]["rules"]]
    return name_of(server) in {ref["name"] for rule in rules for ref in rule["backendRefs"]}


def _reach(cluster: Cluster) -> Found:
    for web in cluster.workloads("web"):
        for server in cluster.workloads("serving"):
            sent = met(rules_of(cluster, web, "egress"), "to", server)
            taken = met(rules_of(cluster, server, "ingress"), "from", web)
            if missing := {GRPC, REST} - (sent & taken):
                yield where(server), f"{where(web)} can't reach its ports {sorted(missing)}"


def met(rules: Iterable[Mapping[str, Any]], key: str, workload: Object) -> set[Port]:
    return {port for rule in rules if _meets(rule.get(key) or (), workload) for port in _ports(rule)}


def _names(cluster: Cluster) -> Found:
    for web in cluster.workloads("web"):
        ways = ((DNS_NAMESPACE, DNS), *((pods, DNS_BEHIND) for pods in DNS_PODS))
        rules = rules_of(cluster, web, "egress")
        if not any(
            peer in (rule.get("to") or ()) and _ports(rule) >= ports for rule in rules for peer, ports in ways
        ):
            yield where(web), "can't ask the cluster's DNS for names, over UDP and TCP"


def _open_page(cluster: Cluster) -> Found:
    for web in cluster.workloads("web"):
        taken = [_ports(rule) for rule in rules_of(cluster, web, "ingress")]
        if not taken or set().union(*taken) != {WEB_PORT}:
            yield where(web), f"is reached at {taken}, not at {WEB_PORT} alone"


def _page_calls(cluster: Cluster) -> Found:
    for web in cluster.workloads("web"):
        has_database = "DATABASE_URL" in environment(main_container(web))
        for rule in rules_of(cluster, web, "egress"):
            for peer in rule.get("to") or ({},):
                is_database = not peer and has_database and len(_ports(rule)) == 1
                if not is_database and not _ports(rule) <= _askable(peer):
                    yield where(web), f"may call {peer or 'anybody'} at {sorted(_ports(rule))}"


def _askable(peer: Mapping[str, Any]) -> set[Port]:
    """The ports at which the page asks a peer: servers, the queue, and whoever knows names."""
    if peer.keys() == {"podSelector"}:
        chosen = _chosen(peer["podSelector"])
        return ASKED.get(chosen.get(COMPONENT, ""), set()) if chosen.get(PART_OF) == "pixelcost" else set()
    if peer in DNS_PODS:
        return DNS_BEHIND
    is_one = peer.keys() == {"ipBlock"} and peer["ipBlock"]["cidr"].endswith(("/32", "/128"))
    return DNS if peer == DNS_NAMESPACE or is_one else set()


def _monitored(cluster: Cluster) -> Found:
    for monitor in cluster.of("ServiceMonitor"):
        for workload in cluster.selected(monitor["spec"]["selector"]["matchLabels"]):
            numbers = {each["name"]: each["containerPort"] for each in main_container(workload)["ports"]}
            wanted = {("TCP", numbers.get(each["port"])) for each in monitor["spec"]["endpoints"]}
            policies, rules = _policies_of(cluster, workload), rules_of(cluster, workload, "ingress")
            taken = {port for rule in rules if _from_elsewhere(rule) for port in _ports(rule)}
            if policies and not wanted <= taken:
                yield where(monitor), f"Prometheus can't reach {where(workload)}"


def _from_elsewhere(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets pods of another namespace in."""
    return not rule.get("from") or any("namespaceSelector" in peer for peer in rule["from"])


def _chosen(selector: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of a selector. It must have no other way to choose."""
    assert selector.keys() <= {"matchLabels"}, f"matchExpressions are not looked at here: {selector}"
    found: Mapping[str, str] = selector.get("matchLabels") or {}
    return found


def _meets(peers: Iterable[Mapping[str, Any]], workload: Object) -> bool:
    carried = labels(pod_of(workload)).items()
    own = [each["podSelector"] for each in peers if each.keys() == {"podSelector"}]
    return any(_chosen(each) and _chosen(each).items() <= carried for each in own)


def _ports(rule: Mapping[str, Any]) -> set[Port]:
    """Protocol and number; a rule without ports is none of these."""
    return {(each.get("protocol", "TCP"), each.get("port")) for each in rule.get("ports") or ()}


RULES = {
    "isolated": _isolated,
    "quiet_servers": _quiet_servers,
    "reach": _reach,
    "names": _names,
    "open_page": _open_page,
    "page_calls": _page_calls,
    "monitored": _monitored,
}
