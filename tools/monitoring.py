"""Copy the alerts and the dashboard of deploy/monitoring to where Helm and kustomize can read them.

python -m tools.monitoring. A chart may read no file outside of its folder, nor may a kustomization. The tests
compare the copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "deploy" / "monitoring"
CHART = ROOT / "deploy" / "helm" / "pixelcost" / "files"
COMPONENT = ROOT / "deploy" / "kustomize" / "components" / "monitoring"
MADE = "# Made by python -m tools.monitoring from deploy/monitoring/alerts.yaml.\n"
RULE = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: pixelcost
  labels: {app.kubernetes.io/part-of: pixelcost}
spec:
"""


def copies() -> Mapping[Path, str]:
    """Each file and what it must hold."""
    alerts = (SOURCE / "alerts.yaml").read_text("utf-8")
    groups = "groups:\n" + alerts.partition("groups:\n")[2]
    indented = "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))
    dashboard = (SOURCE / "dashboard.json").read_text("utf-8")
    return {
        CHART / "alerts.yaml": MADE + groups,
        CHART / "dashboard.json": dashboard,
        COMPONENT / "alerts.yaml": MADE + RULE + indented,
        COMPONENT / "dashboard.json": dashboard,
    }


def main() -> None:
    """Write them."""
    for path, text in copies().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
