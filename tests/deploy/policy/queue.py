"""Queue serving: what was accepted is kept, workers reach what they need, and the scaler sees every job."""

from __future__ import annotations

from collections.abc import Iterator

from tests.deploy.policy.hardening import memory_mib
from tests.deploy.policy.objects import Cluster, Object, flags, main_container, name_of, pod_of, where
from tests.deploy.policy.traffic import GRPC, met, rules_of

REDIS = ("TCP", 6379)
KEEPS = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
USERS = ("worker", "gateway")  # components that talk to the queue
OTHER_MODES = {"consumerGroup", "lagCount", "pendingEntriesCount"}  # they miss jobs that wait, or that run
LEAST_GRACE_S = 60  # for the jobs that a worker has claimed
LEAST_COOLDOWN_S = 60

Found = Iterator[tuple[str, str]]


def _kept(cluster: Cluster) -> Found:
    for workload in cluster.workloads("queue"):
        container = main_container(workload)
        given = flags(container)
        for flag, value in KEEPS.items():
            if given.get(flag) != value:
                yield where(workload), f"--{flag} is {given.get(flag)}, not {value}: jobs could be lost"
        limit_mib = memory_mib(container["resources"]["limits"]["memory"])
        most_mib = memory_mib(given.get("maxmemory", "").replace("gb", "Gi").replace("mb", "Mi"))
        if not 0 < most_mib <= 0.75 * limit_mib:
            yield where(workload), "would be killed before it reaches its own maxmemory, or has none"
        if not workload["spec"].get("volumeClaimTemplates") or workload["spec"].get("replicas") != 1:
            yield where(workload), "is not one server on a volume that outlives its pod"


def _queue_reached(cluster: Cluster) -> Found:
    for component in USERS:
        for user in cluster.workloads(component):
            for queue in cluster.workloads("queue"):
                sent = met(rules_of(cluster, user, "egress"), "to", queue)
                if REDIS not in sent & met(rules_of(cluster, queue, "ingress"), "from", user):
                    yield where(user), f"can't reach {where(queue)}"
            hosts = _servers_of(user)
            for server in cluster.workloads("serving"):
                sent = met(rules_of(cluster, user, "egress"), "to", server)
                taken = met(rules_of(cluster, server, "ingress"), "from", user)
                if name_of(server) in hosts and GRPC not in sent & taken:
                    yield where(user), f"can't reach {where(server)}"


def _servers_of(user: Object) -> set[str]:
    """Hosts of its --servers or --tf_servers, as in TF_SERVERS."""
    given = flags(main_container(user))
    entries = given.get("servers", given.get("tf_servers", "")).split(";")
    return {entry.split(":")[1] for entry in entries if entry.count(":") >= 2}


def _queue_named(cluster: Cluster) -> Found:
    services = {name_of(each) for each in cluster.of("Service")}
    for component in USERS:
        for user in cluster.workloads(component):
            given = flags(main_container(user))
            host = given.get("redis", given.get("redis_url", "")).rpartition("//")[2].partition(":")[0]
            for missing in ({host} | _servers_of(user)) - services:
                yield where(user), f"there is no Service {missing}"


def _sees_every_job(cluster: Cluster) -> Found:
    for scaler in cluster.of("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            if trigger["type"] != "redis-streams":
                continue
            given = trigger["metadata"]
            if given.keys() & OTHER_MODES or "streamLength" not in given:
                yield where(scaler), "does not go by the length of the stream, which counts every job"
            if given.get("address", "").partition(":")[0] not in {name_of(s) for s in cluster.of("Service")}:
                yield where(scaler), f"asks {given.get('address')}, which is no Service here"
            if scaler["spec"].get("cooldownPeriod", 300) < LEAST_COOLDOWN_S:
                yield where(scaler), "goes to zero between two jobs"
            asked = rules_of(cluster, *cluster.workloads("queue"), "ingress")
            if not any("namespaceSelector" in peer for rule in asked for peer in rule.get("from", ())):
                yield where(scaler), "KEDA can't reach the queue from its namespace"


def _grace(cluster: Cluster) -> Found:
    for worker in cluster.workloads("worker"):
        if pod_of(worker)["spec"].get("terminationGracePeriodSeconds", 30) < LEAST_GRACE_S:
            yield where(worker), "is killed while it finishes the jobs that it has claimed"


RULES = {
    "kept": _kept,
    "queue_reached": _queue_reached,
    "queue_named": _queue_named,
    "sees_every_job": _sees_every_job,
    "grace": _grace,
}
