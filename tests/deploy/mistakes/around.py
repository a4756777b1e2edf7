"""Mistakes around workloads: network policies, Services, disruption budgets, autoscalers, monitors."""

from __future__ import annotations

from typing import Any

import yaml

from tests.deploy.mistakes import Objects, Table, setting
from tests.support.deploy import manifests
from tests.support.deploy.manifests import one

WEB, SERVER, SCALED = "image-resizer", "tf-serving-8cpu", "tf-serving-1cpu"
BOTH = [{"port": 8500, "protocol": "TCP"}, {"port": 8501, "protocol": "TCP"}]


def policy(objects: Objects, name: str, way: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = one(objects, "NetworkPolicy", name)["spec"][way]
    return rules


def service(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "Service", name)["spec"]
    return spec


def scaler(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "HorizontalPodAutoscaler", SCALED)["spec"]
    return spec


# --- network policies ---


def closed_page(objects: Objects) -> None:
    policy(objects, WEB, "ingress").clear()


def other_page_port(objects: Objects) -> None:
    policy(objects, WEB, "ingress")[0]["ports"][0]["port"] = 30501


def names_over_tcp_only(objects: Objects) -> None:
    policy(objects, WEB, "egress")[1]["ports"] = [{"port": 53, "protocol": "TCP"}]


def names_from_nowhere(objects: Objects) -> None:
    policy(objects, WEB, "egress")[1]["to"] = [
        {"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}
    ]


def page_calls_anybody(objects: Objects) -> None:
    policy(objects, WEB, "egress").append({"ports": [{"port": 443, "protocol": "TCP"}]})


def every_namespace(objects: Objects) -> None:
    policy(objects, SERVER, "ingress")[0]["from"].append({"namespaceSelector": {}})


def every_address(objects: Objects) -> None:
    policy(objects, SERVER, "ingress")[0]["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}})


def every_pod(objects: Objects) -> None:
    policy(objects, SERVER, "ingress")[0]["from"].append({"podSelector": {}})


def from_an_empty_list(objects: Objects) -> None:
    policy(objects, SERVER, "ingress").append({"from": [], "ports": BOTH[1:]})


def grpc_open_without_a_gateway(objects: Objects) -> None:
    policy(objects, SERVER, "ingress").append({"ports": BOTH[:1]})


def grpc_for_prometheus(objects: Objects) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    policy(objects, SERVER, "ingress").append({"from": [monitoring], "ports": BOTH})


def policy_over_udp(objects: Objects) -> None:
    for port in policy(objects, SERVER, "ingress")[0]["ports"]:
        port["protocol"] = "UDP"


def rest_shut(objects: Objects) -> None:
    policy(objects, SERVER, "ingress")[0]["ports"].pop()


def server_calls_out(objects: Objects) -> None:
    policy(objects, SERVER, "egress").append({"ports": [{"port": 53, "protocol": "UDP"}]})


def page_calls_any_address(objects: Objects) -> None:
    policy(objects, WEB, "egress").append(
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    )


def page_calls_every_namespace(objects: Objects) -> None:
    policy(objects, WEB, "egress")[0]["to"].append({"namespaceSelector": {}})


def page_calls_every_pod(objects: Objects) -> None:
    policy(objects, WEB, "egress")[0]["to"].append({"podSelector": {}})


def page_calls_the_whole_of_kube_system(objects: Objects) -> None:
    policy(objects, WEB, "egress")[1]["ports"].append({"port": 443, "protocol": "TCP"})


def others_may_call_out(objects: Objects) -> None:
    """The policy of k8s/namespace.yaml, without Egress."""
    text = (manifests.ROOT / "k8s" / "namespace.yaml").read_text("utf-8")
    found = next(each for each in yaml.safe_load_all(text) if each["kind"] == "NetworkPolicy")
    found["spec"]["policyTypes"] = ["Ingress"]
    del found["metadata"]["namespace"]
    objects.append(found)


def unseen_by_prometheus(objects: Objects) -> None:
    spec = {"selector": {"matchLabels": {"app": SERVER}}, "endpoints": [{"port": "rest"}]}
    monitor = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "m"}}
    objects.append({**monitor, "spec": spec})


# --- Services, budgets, autoscalers ---


def rest_leads_to_grpc(objects: Objects) -> None:
    service(objects, SERVER)["ports"][1]["targetPort"] = "grpc"


def service_over_udp(objects: Objects) -> None:
    service(objects, SERVER)["ports"][0]["protocol"] = "UDP"


def translated_port(objects: Objects) -> None:
    """Behind a headless Service nobody translates it."""
    service(objects, SERVER)["ports"][1]["port"] = 80


def not_ready_published(objects: Objects) -> None:
    service(objects, SERVER)["publishNotReadyAddresses"] = True


def only_on_its_own_node(objects: Objects) -> None:
    service(objects, WEB)["externalTrafficPolicy"] = "Local"


def found_on_its_own_node_alone(objects: Objects) -> None:
    service(objects, SERVER)["internalTrafficPolicy"] = "Local"


def asks_grpc_at_the_port_of_rest(objects: Objects) -> None:
    row = setting(objects, "TF_SERVERS")
    row["value"] = row["value"].replace("8cpu:8500", "8cpu:8501")


def asks_rest_at_the_port_of_grpc(objects: Objects) -> None:
    row = setting(objects, "TF_SERVERS")
    row["value"] = row["value"].replace("rest=8501", "rest=8500", 1)


def begins_with_a_digit(objects: Objects) -> None:
    copied = {**one(objects, "Service", SERVER), "metadata": {"name": "8cpu"}}
    objects.append(copied)


def one_port_twice(objects: Objects) -> None:
    ports = one(objects, "Service", SERVER)["spec"]["ports"]
    ports.append({**ports[0], "name": "again"})


def two_families_on_one_stack(objects: Objects) -> None:
    one(objects, "Service", SERVER)["spec"] |= {
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "SingleStack",
    }


def a_peer_of_addresses_and_pods(objects: Objects) -> None:
    rule = one(objects, "NetworkPolicy", SERVER)["spec"]["ingress"][0]
    rule["from"].append({"ipBlock": {"cidr": "10.0.0.1/32"}, "podSelector": {}})


def budget_for_all(objects: Objects) -> None:
    one(objects, "PodDisruptionBudget", SERVER)["spec"]["selector"] = {}


def scales_another_container(objects: Objects) -> None:
    scaler(objects)["metrics"][0]["containerResource"]["container"] = "tf"


def scales_another_kind(objects: Objects) -> None:
    scaler(objects)["scaleTargetRef"]["kind"] = "StatefulSet"


def least_above_most(objects: Objects) -> None:
    scaler(objects)["minReplicas"] = 9


def never_scales(objects: Objects) -> None:
    scaler(objects)["metrics"][0]["containerResource"]["target"]["averageUtilization"] = 700


def gives_away_at_once(objects: Objects) -> None:
    del scaler(objects)["behavior"]


def strange_labels(objects: Objects) -> None:
    one(objects, "Deployment", SERVER)["metadata"]["labels"]["app.kubernetes.io/component"] = "web"


MISTAKES: Table = [
    (closed_page, "open_page"),
    (other_page_port, "open_page"),
    (names_over_tcp_only, "names"),
    (names_from_nowhere, "names page_calls"),
    (page_calls_anybody, "page_calls"),
    (every_namespace, "quiet_servers"),
    (every_address, "quiet_servers"),
    (every_pod, "quiet_servers"),
    (from_an_empty_list, "quiet_servers"),
    (grpc_open_without_a_gateway, "quiet_servers"),
    (grpc_for_prometheus, "quiet_servers"),
    (page_calls_any_address, "page_calls"),
    (page_calls_every_namespace, "page_calls"),
    (page_calls_every_pod, "page_calls"),
    (page_calls_the_whole_of_kube_system, "page_calls"),
    (others_may_call_out, "isolated"),
    (policy_over_udp, "quiet_servers reach"),
    (rest_shut, "reach"),
    (server_calls_out, "quiet_servers"),
    (unseen_by_prometheus, "monitored"),
    (rest_leads_to_grpc, "service_ports"),
    (service_over_udp, "service_ports"),
    (translated_port, "service_ports servers"),
    (not_ready_published, "service_ports"),
    (only_on_its_own_node, "node_ports"),
    (found_on_its_own_node_alone, "headless"),
    (asks_grpc_at_the_port_of_rest, "servers"),
    (asks_rest_at_the_port_of_grpc, "servers"),
    (begins_with_a_digit, "service_names"),
    (one_port_twice, "service_fields service_ports"),
    (two_families_on_one_stack, "service_fields settings"),
    (a_peer_of_addresses_and_pods, "peer_kinds quiet_servers"),
    (budget_for_all, "budgets"),
    (scales_another_container, "load"),
    (scales_another_kind, "scalers"),
    (least_above_most, "scalers"),
    (never_scales, "load"),
    (gives_away_at_once, "load"),
    (strange_labels, "selectors"),
]
