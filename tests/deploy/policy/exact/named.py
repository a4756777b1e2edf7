"""Names and labels: what belongs together is called the same, and nothing stands in a list twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

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

PART_OF = "app.kubernetes.io/part-of"
COMPONENTS = {"web", "serving", "worker", "gateway", "queue", "monitoring"}
AROUND = ("Service", "PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler", "ScaledObject")
OF_SEVERAL = {"ServiceMonitor", "PrometheusRule", "ConfigMap"}  # kinds that may be about all servers
OF_A_NAMESPACE = {"default-deny"}  # policies that belong to no workload
NAMED_ONCE = (
    "containers",
    "initContainers",
    "volumes",
    "ports",
    "env",
    "tolerations",
    "topologySpreadConstraints",
)

Found = Iterator[tuple[str, str]]


def _named_after_a_workload(cluster: Cluster) -> Found:
    """What stands around a workload has its name and its labels, by which people find and remove it."""
    there = {name_of(each): each for each in cluster.workloads()}
    for each in cluster.of(*AROUND):
        if name_of(each) not in there.keys() | OF_A_NAMESPACE:
            yield where(each), "is named after nothing that runs here"
        for key, value in labels(there.get(name_of(each), {})).items():
            if labels(each).get(key) != value:
                yield where(each), f"its label {key} is {labels(each).get(key)}, its workload's is {value}"


def _labelled(cluster: Cluster) -> Found:
    """Every object but a namespace, and all that are named after no workload, says what it is a part of."""
    for each in cluster.objects:
        carried = labels(each)
        if each.get("kind") == "Namespace" or name_of(each) in OF_A_NAMESPACE:
            continue
        if carried.get(PART_OF) != "pixelcost" or carried.get(COMPONENT) not in COMPONENTS:
            yield where(each), f"is labelled {dict(carried)}"
        apps = {labels(found).get("app") for found in cluster.workloads()}
        if "app" in carried and each.get("kind") not in OF_SEVERAL and carried["app"] not in apps:
            yield where(each), f"carries the label app={carried['app']}, which no pod has"
        misspelt = [key for key in carried if key.startswith("app") and key not in _known_labels(cluster)]
        if misspelt:
            yield where(each), f"carries {', '.join(misspelt)}, which no pod has"


def _known_labels(cluster: Cluster) -> set[str]:
    return {key for each in cluster.workloads() for key in labels(each)}


def _said_once(cluster: Cluster) -> Found:
    """No list holds the same thing twice, or two of one name; the API server refuses most of these."""
    for each in cluster.objects:
        for path, rows in _lists(each):
            texts = Counter(json.dumps(row, sort_keys=True) for row in rows)
            if path != "command" and (again := [text for text, count in texts.items() if count > 1]):
                yield where(each), f"{path} holds {again[0]} twice"
            names = Counter(row["name"] for row in rows if isinstance(row, dict) and "name" in row)
            if path in NAMED_ONCE and (again := [name for name, count in names.items() if count > 1]):
                yield where(each), f"{path} holds two of the name {again[0]}"


def _lists(found: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    if isinstance(found, list):
        yield path, found
    for key, value in (
        found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    ):
        yield from _lists(value, key if isinstance(key, str) else path)


def _flags_once(cluster: Cluster) -> Found:
    for workload in cluster.workloads():
        given = Counter(str(arg).partition("=")[0] for arg in main_container(workload).get("args", ()))
        for flag, count in given.items():
            if flag.startswith("--") and count > 1:
                yield where(workload), f"gives {flag} {count} times; the last one counts"


def _spread(cluster: Cluster) -> Found:
    """A constraint counts the pods that it is about: some of ours, its own among them, one apart at most."""
    for workload in cluster.workloads():
        for each in pod_of(workload)["spec"].get("topologySpreadConstraints", ()):
            chosen = each.get("labelSelector", {}).get("matchLabels") or {}
            if not chosen or not chosen.items() <= labels(pod_of(workload)).items():
                yield where(workload), f"is spread apart from {chosen or 'all pods'}, not from its own kind"
            if each.get("maxSkew") != 1 or each.get("whenUnsatisfiable") != "ScheduleAnyway":
                yield where(workload), "is not spread one by one, or waits for a node for ever"


def _right_target(cluster: Cluster) -> Found:
    for scaler in cluster.of("HorizontalPodAutoscaler", "ScaledObject"):
        if name_of(scaler) != scaler["spec"]["scaleTargetRef"]["name"]:
            yield (
                where(scaler),
                f"scales {scaler['spec']['scaleTargetRef']['name']}, not what it is named after",
            )


def _own_selector(cluster: Cluster) -> Found:
    """A Service, a budget or a policy chooses the pods of the workload that it is named after."""
    for each in cluster.of("Service", "PodDisruptionBudget", "NetworkPolicy"):
        chosen = [name_of(found) for found in cluster.selected(_selector(each))]
        if chosen != [name_of(each)] and name_of(each) not in OF_A_NAMESPACE:
            yield where(each), f"chooses {_selector(each)}, which are not its own pods alone"


def _monitors(cluster: Cluster) -> Found:
    """A monitor chooses all of the component that its own labels name, and nothing else."""
    for monitor in cluster.of("ServiceMonitor"):
        found = cluster.selected(monitor["spec"]["selector"].get("matchLabels") or {"no": "selector"})
        if found != cluster.workloads(labels(monitor).get(COMPONENT, "none")) or not found:
            yield where(monitor), f"reads {[where(each) for each in found]}"


def _selector(found: Object) -> dict[str, str]:
    spec = found["spec"]
    selector = spec.get("podSelector", spec.get("selector", {}))
    chosen: dict[str, str] = selector if found["kind"] == "Service" else selector.get("matchLabels") or {}
    return chosen


RULES = {
    "named_after_a_workload": _named_after_a_workload,
    "labelled": _labelled,
    "said_once": _said_once,
    "flags_once": _flags_once,
    "spread": _spread,
    "right_target": _right_target,
    "own_selector": _own_selector,
    "monitors": _monitors,
}
