"""What the chart renders, without what only a chart has: hooks, and labels that name the release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHART_LABELS = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "version", "managed-by")} | {
    "helm.sh/chart"
}

Objects = list[dict[str, Any]]


def applied(objects: Sequence[dict[str, Any]]) -> Objects:
    """Those of an installation: without those of `helm test`."""
    return [each for each in objects if "helm.sh/hook" not in each["metadata"].get("annotations", {})]


def plain(objects: Sequence[dict[str, Any]]) -> Objects:
    """As a manifest without Helm would hold them."""
    return [_without_labels(each) for each in applied(objects)]


def _without_labels(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_labels(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _without_labels(value) for key, value in part.items()}
    if isinstance(kept.get("labels"), dict):
        kept["labels"] = {key: value for key, value in kept["labels"].items() if key not in CHART_LABELS}
    return kept
