"""Mistakes in queue serving: what Cluster Serving's own set-up did, and what breaks the scaler."""

from __future__ import annotations

from typing import Any

from tests.deploy.mistakes import Objects, Table, main, pod
from tests.support.deploy.manifests import one

REDIS, WORKER, GATEWAY = "queue-redis", "queue-worker", "queue-gateway"


def redis(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "StatefulSet", REDIS)["spec"]
    return spec


def redis_args(objects: Objects) -> list[str]:
    arguments: list[str] = redis(objects)["template"]["spec"]["containers"][0]["args"]
    return arguments


def trigger(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = one(objects, "ScaledObject", WORKER)["spec"]["triggers"][0]["metadata"]
    return found


def nothing_on_the_disk(objects: Objects) -> None:
    """Cluster Serving's Redis."""
    redis_args(objects).remove("--appendonly=yes")


def may_evict(objects: Objects) -> None:
    arguments = redis_args(objects)
    arguments[arguments.index("--maxmemory-policy=noeviction")] = "--maxmemory-policy=allkeys-lru"


def more_memory_than_it_has(objects: Objects) -> None:
    arguments = redis_args(objects)
    arguments[arguments.index("--maxmemory=2gb")] = "--maxmemory=8gb"


def gone_with_its_pod(objects: Objects) -> None:
    del redis(objects)["volumeClaimTemplates"]
    redis(objects)["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {"sizeLimit": "10Gi"}}]


def by_lag(objects: Objects) -> None:
    """Zero while jobs run."""
    trigger(objects).update(consumerGroup="serving", lagCount="5")


def by_pending(objects: Objects) -> None:
    """Never wakes from zero."""
    trigger(objects).update(consumerGroup="serving", pendingEntriesCount="5")


def asks_another_redis(objects: Objects) -> None:
    trigger(objects)["address"] = "redis:6379"


def sleeps_at_once(objects: Objects) -> None:
    one(objects, "ScaledObject", WORKER)["spec"]["cooldownPeriod"] = 5


def keda_shut_out(objects: Objects) -> None:
    del one(objects, "NetworkPolicy", REDIS)["spec"]["ingress"][0]["from"][-1]


def worker_shut_out(objects: Objects) -> None:
    del one(objects, "NetworkPolicy", REDIS)["spec"]["ingress"][0]["from"][0]


def no_way_to_the_model(objects: Objects) -> None:
    del one(objects, "NetworkPolicy", "tf-serving-1cpu")["spec"]["ingress"][0]["from"][1]


def unknown_server(objects: Objects) -> None:
    arguments = main(objects, WORKER)["args"]
    arguments[arguments.index("--servers=1 CPU:tf-serving-1cpu:8500")] = "--servers=1 CPU:tf-1cpu:8500"


def killed_in_its_work(objects: Objects) -> None:
    pod(objects, WORKER)["terminationGracePeriodSeconds"] = 10


MISTAKES: Table = [
    (nothing_on_the_disk, "kept"),
    (may_evict, "kept"),
    (more_memory_than_it_has, "kept"),
    (gone_with_its_pod, "kept"),
    (by_lag, "sees_every_job"),
    (by_pending, "sees_every_job"),
    (asks_another_redis, "sees_every_job"),
    (sleeps_at_once, "sees_every_job"),
    (keda_shut_out, "sees_every_job"),
    (worker_shut_out, "queue_reached"),
    (no_way_to_the_model, "queue_reached"),
    (unknown_server, "queue_named"),
    (killed_in_its_work, "grace"),
]
