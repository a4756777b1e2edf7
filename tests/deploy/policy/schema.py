"""Objects are what today's API servers take, each once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import kubernetes_validate

from tests.deploy.policy.objects import Cluster, where

VERSIONS = (
    "1.30",
    kubernetes_validate.latest_version(),
)  # the oldest that docs/kubernetes.md names, and today's

# Kinds that come with other software; their schemas are not at hand, so only the version is checked.
ELSEWHERE = {
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "GRPCRoute": "gateway.networking.k8s.io/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "ScaledObject": "keda.sh/v1alpha1",
}


SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
WHOLE = {"Namespace"}  # kinds that are in no namespace


def _valid(cluster: Cluster) -> Iterator[tuple[str, str]]:
    for each in cluster.objects:
        if ELSEWHERE.get(str(each.get("kind"))) != each.get("apiVersion"):
            yield from ((where(each), text) for text in _refusals(json.dumps(each)))


@lru_cache(maxsize=1000)  # most objects are looked at again and again
def _refusals(text: str) -> tuple[str, ...]:
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(json.loads(text), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"Kubernetes {version} refuses it: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(error.message)
    return tuple(found)


def _unique(cluster: Cluster) -> Iterator[tuple[str, str]]:
    for name, count in Counter(where(each) for each in cluster.objects).items():
        if count > 1:
            yield name, f"is there {count} times"


def _namespace(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """What is applied together finds itself only in one namespace; none written is that of the caller."""
    found = [
        (each, each["metadata"].get("namespace")) for each in cluster.objects if each["kind"] not in WHOLE
    ]
    meant = Counter(namespace for _, namespace in found).most_common(1)
    for each, namespace in found:
        if namespace != meant[0][0]:
            yield where(each), f"is in the namespace {namespace}, the others are in {meant[0][0]}"


def _service_names(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """A rule of the API server that is not in its schemas."""
    for each in cluster.of("Service"):
        if not SERVICE_NAME.fullmatch(str(each["metadata"]["name"])):
            yield where(each), "is no name for a Service: those begin with a letter"


def _services(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """More rules of the API server: each port once, and as many families as the policy takes."""
    for each in cluster.of("Service"):
        spec = each["spec"]
        for (port, protocol), count in Counter(
            (row.get("port"), row.get("protocol", "TCP")) for row in spec.get("ports", [])
        ).items():
            if count > 1:
                yield where(each), f"has the port {port} {protocol} {count} times"
        if len(spec.get("ipFamilies", [])) > 1 and spec.get("ipFamilyPolicy") == "SingleStack":
            yield where(each), "has two families, but SingleStack takes one"


def _peers(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """And of policies: a peer is addresses or pods, never both."""
    for each in cluster.of("NetworkPolicy"):
        spec = each["spec"]
        for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
            for peer in [*(rule.get("from") or []), *(rule.get("to") or [])]:
                if "ipBlock" in peer and len(peer) > 1:
                    yield where(each), f"has the peer {peer}: addresses and pods at once are refused"


RULES = {
    "schema": _valid,
    "unique": _unique,
    "namespace": _namespace,
    "service_names": _service_names,
    "service_fields": _services,
    "peer_kinds": _peers,
}
