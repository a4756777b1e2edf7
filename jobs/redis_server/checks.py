"""What a Redis is set to, and what that means for the jobs in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import redis

from experiment.queue.connection import QueueUnavailable, in_words
from experiment.wording import size
from jobs.redis_server.program import OLDEST

MAY_LOSE: Final = {
    "always": "on the disk before a client hears that its job was accepted",
    "everysec": "on the disk within a second; a power cut loses at most the jobs of that second. "
    "Set appendfsync always if none may be lost",
    "no": "on the disk when the system likes, often 30 s later; a power cut loses those jobs. "
    "Set appendfsync everysec or always",
}


def sentences(client: redis.Redis, url: str) -> list[str]:
    """What is set, the most important last. Raises QueueUnavailable if the queue can't run there.

    All is read from INFO; only the finer points of the append-only file need CONFIG, which managed servers
    forbid.
    """
    with in_words(url):
        info: Mapping[str, Any] = client.info()
    _refuse(info)
    return [_summary(info), *_persistence(info, _appendfsync(client)), *_memory(info), *_disk(info)]


def _refuse(info: Mapping[str, Any]) -> None:
    version = str(info.get("redis_version", ""))
    found = re.match(r"(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise QueueUnavailable(f"This is Redis {version}. The queue needs 6.2 or newer, or Valkey.")
    if info.get("role") in {"slave", "replica"}:
        primary = f"{info.get('master_host', '')}:{info.get('master_port', '')}"
        raise QueueUnavailable(f"This Redis is a replica, which takes no jobs. Use its primary, {primary}.")
    if info.get("redis_mode") == "cluster" or info.get("cluster_enabled"):
        raise QueueUnavailable(
            "This Redis is a node of a cluster. A queue and the results of Cluster Serving's clients lie in "
            "different slots of one, so name a Redis without cluster mode."
        )


def _summary(info: Mapping[str, Any]) -> str:
    name, version = "Redis", info.get("redis_version", "of an unknown version")
    if info.get("server_name") == "valkey":
        name, version = "Valkey", info.get("valkey_version", version)
    limit = info.get("maxmemory") or 0
    most = f"at most {size(limit)}" if limit else "without a memory limit"
    return f"{name} {version}, {most}, {info.get('maxmemory_policy', 'an unknown eviction policy')}."


def _persistence(info: Mapping[str, Any], fsync: str | None) -> Iterator[str]:
    if info.get("aof_enabled"):
        if fsync in MAY_LOSE:
            yield f"Jobs are {MAY_LOSE[fsync]}."
        else:
            yield "Jobs are in an append-only file. How often it reaches the disk is not said here (CONFIG)."
    else:
        yield (
            "No append-only file is written: if Redis ends, the jobs that wait are lost, or those since its "
            "last snapshot. Set appendonly yes."
        )


def _memory(info: Mapping[str, Any]) -> Iterator[str]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if not info.get("maxmemory"):
        yield (
            "maxmemory is 0: the queue is limited by the number of jobs only, and large photos can take all "
            "memory. Set maxmemory."
        )
    elif policy.startswith("allkeys"):
        yield f"With maxmemory-policy {policy}, a full Redis deletes jobs that wait. Set noeviction."
    elif policy.startswith("volatile"):
        yield f"With maxmemory-policy {policy}, a full Redis deletes photos and results. Set noeviction."


def _disk(info: Mapping[str, Any]) -> Iterator[str]:
    bad = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    if bad:
        yield f"Redis could not write to its disk ({', '.join(bad)}). Free space there, and look at its log."


def _appendfsync(client: redis.Redis) -> str | None:
    """None: this user may not ask."""
    try:
        found: Mapping[str, str] = client.config_get("appendfsync")
    except redis.ResponseError:
        return None
    return found.get("appendfsync")
