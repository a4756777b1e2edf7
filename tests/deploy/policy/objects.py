"""Objects as the rules look at them: by kind, with the pods and containers that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
COMPONENT = "app.kubernetes.io/component"
MEASURE = "pixelcost/measure"  # "false" on pods that only serve: the page does not measure them


class Cluster:
    """What is applied together, in one namespace."""

    def __init__(self, objects: Iterable[Object]):
        self.objects = list(objects)

    def of(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [each for each in self.objects if each.get("kind") in kinds]

    def workloads(self, component: str = "") -> list[Object]:
        """What makes pods; all of it, or that of one component."""
        found = self.of(*WORKLOADS)
        return [each for each in found if component in {"", labels(pod_of(each)).get(COMPONENT)}]

    def containers(self, *, with_init: bool = True) -> Iterator[tuple[str, Object, Object]]:
        """Every container: where it is, the pod it belongs to, and itself."""
        for workload in self.workloads():
            spec = pod_of(workload)["spec"]
            rows = [*spec.get("containers", ())]
            rows += [each for each in spec.get("initContainers", ()) if with_init]
            for container in rows:
                yield f"{where(workload)}/{container['name']}", spec, container

    def selected(self, selector: Mapping[str, str]) -> list[Object]:
        """The workloads whose pods carry these labels."""
        return [each for each in self.workloads() if selector.items() <= labels(pod_of(each)).items()]


def where(found: Object) -> str:
    """ "Deployment/image-resizer"."""
    return f"{found.get('kind')}/{name_of(found)}"


def name_of(found: Object) -> str:
    return str(found.get("metadata", {}).get("name"))


def labels(found: Object) -> Mapping[str, str]:
    return found.get("metadata", {}).get("labels", {})


def only_serves(workload: Object) -> bool:
    """Whether the page must not measure it, so that it needs no cores of its own."""
    return labels(pod_of(workload)).get(MEASURE) == "false"


def pod_of(workload: Object) -> Object:
    """The template of the pods that a workload makes."""
    return workload["spec"]["template"]


def main_container(workload: Object) -> Object:
    return pod_of(workload)["spec"]["containers"][0]


def environment(container: Object) -> dict[str, str | None]:
    """Names and values; None for a value from a Secret."""
    return {each["name"]: each.get("value") for each in container.get("env", ())}


def flags(container: Object) -> dict[str, str]:
    """The arguments `--name=value` by name, without the dashes."""
    pairs = [str(each).lstrip("-").partition("=") for each in container.get("args", ())]
    return {name: value for name, _, value in pairs}
