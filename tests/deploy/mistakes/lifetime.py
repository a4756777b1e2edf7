"""Mistakes about how long a pod lives, and what goes with it: ends, evictions, volumes, claims."""

from __future__ import annotations

from typing import Any

from tests.deploy.mistakes import Objects, Table, claimed, deployment, main, pod
from tests.deploy.policy.pods import EVICTABLE
from tests.support.deploy.manifests import one

WEB, SERVER, GPU = "image-resizer", "tf-serving-8cpu", "tf-serving-gpu"


def volume(objects: Objects, workload: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in pod(objects, workload)["volumes"] if each["name"] == name]
    return found


def annotations(objects: Objects, workload: str) -> dict[str, str]:
    found: dict[str, str] = deployment(objects, workload)["template"]["metadata"].setdefault(
        "annotations", {}
    )
    return found


def claim(objects: Objects, access_mode: str, size: str) -> None:
    """The component keep-runs, with another claim."""
    claimed(objects, WEB)
    spec = {"accessModes": [access_mode], "resources": {"requests": {"storage": size}}}
    metadata = {"name": WEB}
    objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})


# --- ends ---


def page_killed_after_a_second(objects: Objects) -> None:
    pod(objects, WEB)["terminationGracePeriodSeconds"] = 6


def server_that_ignores_its_end(objects: Objects) -> None:
    """TensorFlow Serving has no handler for SIGTERM: each roll-out held the CPUs for a minute."""
    pod(objects, SERVER)["terminationGracePeriodSeconds"] = 60


def killed_at_the_first_slow_answer(objects: Objects) -> None:
    main(objects, WEB)["livenessProbe"] |= {"failureThreshold": 1, "periodSeconds": 30, "timeoutSeconds": 2}


# --- evictions ---


def too_small_for_the_photo_sets(objects: Objects) -> None:
    volume(objects, WEB, "data")["emptyDir"]["sizeLimit"] = "3Gi"


def more_sets_than_fit(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "PIXELCOST_QUEUE_LENGTH", "value": "8"})


def less_than_its_volumes(objects: Objects) -> None:
    for part in main(objects, WEB)["resources"].values():
        part["ephemeral-storage"] = "1Gi"


def small_claim(objects: Objects) -> None:
    claim(objects, "ReadWriteOncePod", "5Gi")


def scratch_in_memory(objects: Objects) -> None:
    volume(objects, WEB, "tmp")["emptyDir"]["medium"] = "Memory"


def scratch_without_a_limit(objects: Objects) -> None:
    del volume(objects, SERVER, "tmp")["emptyDir"]["sizeLimit"]


def node_that_is_never_emptied(objects: Objects) -> None:
    del deployment(objects, SERVER)["template"]["metadata"]["annotations"]


def runs_that_may_go(objects: Objects) -> None:
    annotations(objects, WEB)[EVICTABLE] = "data,tmp"


def broken_pods_that_block(objects: Objects) -> None:
    del one(objects, "PodDisruptionBudget", SERVER)["spec"]["unhealthyPodEvictionPolicy"]


# --- claims ---


def claim_for_one_node(objects: Objects) -> None:
    """Two pods of one node may share it."""
    claim(objects, "ReadWriteOnce", "10Gi")


def claim_for_many(objects: Objects) -> None:
    claim(objects, "ReadWriteMany", "10Gi")


def models_attached_for_writing(objects: Objects) -> None:
    del pod(objects, SERVER)["initContainers"]
    pod(objects, SERVER)["volumes"][0] = {"name": "model", "persistentVolumeClaim": {"claimName": "models"}}


MISTAKES: Table = [
    (page_killed_after_a_second, "drain"),
    (server_that_ignores_its_end, "drain"),
    (killed_at_the_first_slow_answer, "patience"),
    (too_small_for_the_photo_sets, "room"),
    (more_sets_than_fit, "room"),
    (less_than_its_volumes, "room"),
    (small_claim, "room"),
    (scratch_in_memory, "volumes"),
    (scratch_without_a_limit, "volumes"),
    (node_that_is_never_emptied, "evictable"),
    (runs_that_may_go, "evictable"),
    (broken_pods_that_block, "budgets"),
    (claim_for_one_node, "claims"),
    (claim_for_many, "claims"),
    (models_attached_for_writing, "model"),
]
