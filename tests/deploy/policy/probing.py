"""Probes: that they ask the right thing, at a port that is there, with enough patience."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deploy.policy.objects import Cluster, main_container, where
from tests.deploy.policy.pods import PROBES

PORTS = {
    "web": "http",
    "serving": "rest",
    "worker": "http",
    "gateway": "http",
}  # by component: the only port that answers HTTP
ALIVE = "/healthz"  # asks the app alone and needs no token; /readyz asks the model servers
LEAST_S = {
    "web": {"startupProbe": 60, "livenessProbe": 30},
    "serving": {"startupProbe": 300, "livenessProbe": 30},
    "worker": {"startupProbe": 60, "livenessProbe": 30},
    "gateway": {"startupProbe": 60, "livenessProbe": 30},
}

LEAST_TRIES = 3  # of liveness, before a pod is killed

Found = Iterator[tuple[str, str]]


def _asked(cluster: Cluster) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Where, component, name of the probe, and itself, for each that asks over HTTP."""
    for component in PORTS:
        for workload in cluster.workloads(component):
            for name in PROBES:
                probe = main_container(workload).get(name, {})
                if "httpGet" in probe:
                    yield where(workload), component, name, probe


def _probe_ports(cluster: Cluster) -> Found:
    for place, component, name, probe in _asked(cluster):
        if probe["httpGet"].get("port") != PORTS[component]:
            yield place, f"its {name} asks the port {probe['httpGet'].get('port')}, not {PORTS[component]}"
        if more := probe["httpGet"].keys() - {"path", "port"}:
            yield place, f"its {name} has {', '.join(more)}: it must ask this pod, in plain HTTP"


def _probe_web(cluster: Cluster) -> Found:
    for place, component, name, probe in _asked(cluster):
        if component == "web" and probe["httpGet"].get("path") != ALIVE:
            yield place, f"its {name} asks {probe['httpGet'].get('path')}, not {ALIVE}"


def _patience(cluster: Cluster) -> Found:
    for place, component, name, probe in _asked(cluster):
        waits_s = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
        if waits_s < LEAST_S[component].get(name, 0):
            yield place, f"its {name} gives up after {waits_s} s"
        is_once = name == "livenessProbe" and probe.get("failureThreshold", 3) < LEAST_TRIES
        if probe.get("timeoutSeconds", 1) < 2 or is_once:
            yield place, f"its {name} takes a busy moment for death"


RULES = {"probe_ports": _probe_ports, "probe_web": _probe_web, "patience": _patience}
