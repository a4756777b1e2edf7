"""What is changed: k8s/ and every overlay as kubectl builds them, and the chart as Helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from tests.deploy.generated.places import Objects
from tests.support.deploy.cluster_programs import KUBECTL, find, helms
from tests.support.deploy.helm_render import RELEASE, ROOT, read_objects, run

KUSTOMIZATIONS = (ROOT / "k8s", *sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir()))
CPU = {"name": "4 CPU", "service": "tf-serving-4cpu", "device": "cpu", "cpu": 4, "memory": "4Gi"}
GATEWAY = {"enabled": True, "parentRefs": [{"name": "front", "namespace": "gateways"}]}
PROMETHEUS = "http://prometheus:9090"
VALUES: Mapping[str, Mapping[str, Any]] = {
    "chart": {},
    "chart, gateway": {
        "host": "pixelcost.example.org",
        "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "grpc.example.org"}},
    },
    "chart, ingress": {
        "host": "pixelcost.example.org",
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
        "web": {"service": {"type": "ClusterIP"}, "tokenSecret": "pixelcost-token"},
    },
    "chart, keda": {
        "monitoring": {"enabled": True},
        "backends": [{**CPU, "autoscaling": {"kind": "keda", "max": 4, "prometheus": PROMETHEUS}}],
    },
    "chart, claim": {
        "model": {
            "source": "claim",
            "claim": {"name": "models"},
            "versions": [1, 2],
            "labels": {"stable": 1},
        },
        "web": {"persistence": {"enabled": True}},
        "networkPolicy": {"defaultDeny": True},
    },
    "chart, queue": {"queue": {"enabled": True}, "monitoring": {"enabled": True}},
}


def subjects() -> dict[str, Objects]:
    """Objects by the name of what makes them. Needs Helm and kubectl."""
    kubectl, helm = find(KUBECTL), helms()
    assert kubectl and helm, "needs kubectl and Helm"
    found = {
        folder.name: read_objects(subprocess.check_output([kubectl, "kustomize", folder], text=True))
        for folder in KUSTOMIZATIONS
    }
    for name, values in VALUES.items():
        done = run(helm[0], "template", *RELEASE, "--values=-", values=values)
        assert done.returncode == 0, done.stderr
        found[name] = [each for each in read_objects(done.stdout) if not _is_of_a_test(each)]
    return found


def _is_of_a_test(found: Mapping[str, Any]) -> bool:
    """Whether `helm test` makes use of it alone: it is about no pod that stays."""
    metadata = found["metadata"]
    return "helm.sh/hook" in metadata.get("annotations", {}) or metadata["name"].endswith("-test")
