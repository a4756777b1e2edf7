"""Network policies once more: every rule of every policy is one of a few kinds, whoever's it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deploy.policy.objects import COMPONENT, Cluster, main_container, name_of, where
from tests.deploy.policy.traffic import DNS, NAME, rules_of

PART_OF = "app.kubernetes.io/part-of"
DATABASE = ("TCP", 5432)

Found = Iterator[tuple[str, str]]


def _exact_ports(cluster: Cluster) -> Found:
    """A rule lets in where a container listens, or out to where one does, to DNS or to the database."""
    listening = {name_of(each): _ports_of(each) for each in cluster.workloads()}
    anywhere = set().union(*listening.values()) if listening else set()
    for workload in cluster.workloads():
        for way in ("ingress", "egress"):
            for rule in rules_of(cluster, workload, way):
                ports = {(each.get("protocol", "TCP"), each.get("port")) for each in rule.get("ports") or ()}
                own = (
                    listening[name_of(workload)]
                    if way == "ingress"
                    else anywhere | {DATABASE} | PORTS_OF_SERVERS
                )
                if not ports <= own and ports != DNS:
                    yield (
                        where(workload),
                        f"its {way} names ports that nobody listens at: {sorted(ports - own, key=str)}",
                    )


PORTS_OF_SERVERS = {("TCP", 8500), ("TCP", 8501)}  # also where the page is applied alone


def _ports_of(workload: Mapping[str, Any]) -> set[tuple[str, Any]]:
    rows = main_container(workload).get("ports", ())
    return {(each.get("protocol", "TCP"), each["containerPort"]) for each in rows}


def _known_peers(cluster: Cluster) -> Found:
    """A peer is a component of ours, a namespace by its name, or single addresses outside."""
    for policy in cluster.of("NetworkPolicy"):
        if len(set(policy["spec"]["policyTypes"])) != 2:
            yield where(policy), f"is a policy for {policy['spec']['policyTypes']} only"
        for way, key in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(way) or ():
                for peer in rule.get(key) or ():
                    if not _is_known(cluster, peer, way):
                        yield where(policy), f"{way} names {peer}"


def _is_known(cluster: Cluster, peer: Mapping[str, Any], way: str) -> bool:
    pods = (peer.get("podSelector") or {}).get("matchLabels") or {}
    spaces = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
    if "ipBlock" in peer:
        return way == "ingress" or str(peer["ipBlock"]["cidr"]).endswith(("/32", "/128"))
    if "podSelector" in peer and pods.get(PART_OF) == "pixelcost":
        return (
            pods.keys() <= {PART_OF, COMPONENT, "app"} and len(pods) > 1 and "namespaceSelector" not in peer
        )
    return spaces.keys() == {NAME}


def _calls_of_the_queue(cluster: Cluster) -> Found:
    """Workers and gateway find names and nobody calls whom it does not need."""
    for component in ("worker", "gateway"):
        for user in cluster.workloads(component):
            rules = rules_of(cluster, user, "egress")
            if any(not rule.get("to") for rule in rules):
                yield where(user), "may call anybody"
            asks = [rule for rule in rules if {("UDP", 53), ("TCP", 53)} & _ports(rule)]
            if not any(_ports(rule) == DNS and _is_system(rule) for rule in asks):
                yield where(user), "can't ask the cluster's DNS for names, over UDP and TCP"
    for queue in cluster.workloads("queue"):
        if rules_of(cluster, queue, "egress"):
            yield where(queue), "a queue calls nobody"
        if any(not rule.get("from") for rule in rules_of(cluster, queue, "ingress")):
            yield where(queue), "anybody may read and write the queue"


def _ports(rule: Mapping[str, Any]) -> set[tuple[str, Any]]:
    return {(each.get("protocol", "TCP"), each.get("port")) for each in rule.get("ports") or ()}


def _is_system(rule: Mapping[str, Any]) -> bool:
    return any(
        (peer.get("namespaceSelector") or {}).get("matchLabels") == {NAME: "kube-system"}
        for peer in rule.get("to", ())
    )


RULES = {
    "exact_ports": _exact_ports,
    "known_peers": _known_peers,
    "calls_of_the_queue": _calls_of_the_queue,
}
