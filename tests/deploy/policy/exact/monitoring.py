"""Alerts, and the labels that every object of one release shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.deploy.policy.objects import Cluster, labels, where

ALERTS = Path(__file__).resolve().parents[4] / "deploy" / "monitoring" / "alerts.yaml"
OF_A_RELEASE = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"}
OF_A_RELEASE |= {"app.kubernetes.io/version", "helm.sh/chart"}

Found = Iterator[tuple[str, str]]


def _alerts(cluster: Cluster) -> Found:
    """The chart's alerts are those of deploy/monitoring, which have tests of their own."""
    for each in cluster.of("PrometheusRule"):
        if each["spec"] != yaml.safe_load(ALERTS.read_text("utf-8")):
            yield where(each), f"holds other alerts than {ALERTS.name}"


def _release_labels(cluster: Cluster) -> Found:
    """A label that most objects carry to say whose they are is on all of them, with one value."""
    found = [each for each in cluster.objects if each.get("kind") != "Namespace"]
    for key in OF_A_RELEASE:
        values = Counter(labels(each).get(key) for each in found)
        usual, _ = values.most_common(1)[0]
        for each in found:
            if usual is not None and labels(each).get(key) != usual:
                yield where(each), f"its label {key} is {labels(each).get(key)}, that of others {usual}"


def _secrets_needed(cluster: Cluster) -> Found:
    """Without its token the page would be open, and without its database it would begin anew."""
    for place, _, container in cluster.containers():
        for each in container.get("env", ()):
            if each.get("valueFrom", {}).get("secretKeyRef", {}).get("optional"):
                yield place, f"starts without {each['name']} if its Secret is missing"


def _scrapes(cluster: Cluster) -> Found:
    for monitor in cluster.of("ServiceMonitor"):
        rows = monitor["spec"]["endpoints"]
        if not rows or any(each.get("interval") not in {"15s", "30s", "60s"} for each in rows):
            yield where(monitor), "is read never, or at other times than the alerts and scalers expect"


RULES = {
    "alerts": _alerts,
    "release_labels": _release_labels,
    "secrets_needed": _secrets_needed,
    "scrapes": _scrapes,
}
