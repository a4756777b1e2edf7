"""What a Redis is set to, and what that means, from real ones."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from experiment.queue.connection import QueueUnavailable, connection
from jobs.redis_server.checks import sentences
from tests.support.queue.redis_server import running_redis

SET_WELL = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb")


def test_one_that_is_set_well_is_summed_up():
    with running_redis(*SET_WELL) as url:
        said = sentences(connection(url), url)
    assert len(said) == 2
    assert "at most 105 MB, noeviction" in said[0]
    assert said[1] == "Jobs are on the disk before a client hears that its job was accepted."


def test_what_is_risky_is_said_with_what_to_set():
    with running_redis("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as url:
        client = connection(url)
        said = " ".join(sentences(client, url))
        assert "No append-only file" in said and "Set appendonly yes" in said
        assert "a full Redis deletes jobs that wait. Set noeviction" in said
        client.config_set("maxmemory-policy", "volatile-ttl")
        assert "deletes photos and results. Set noeviction" in " ".join(sentences(client, url))
        client.config_set("maxmemory", 0)
        assert "maxmemory is 0" in " ".join(sentences(client, url))
        client.config_set("appendonly", "yes")
        client.config_set("appendfsync", "everysec")
        assert "a power cut loses at most the jobs of that second" in " ".join(sentences(client, url))


def test_a_managed_redis_that_forbids_config_is_described_from_info():
    with running_redis(*SET_WELL, "--rename-command", "CONFIG", "") as url:
        said = sentences(connection(url), url)
    assert "noeviction" in said[0]
    assert "How often it reaches the disk is not said here" in said[1]


def test_a_replica_is_refused_with_its_primary():
    with (
        running_redis("--replicaof", "127.0.0.1", "1") as url,
        pytest.raises(QueueUnavailable, match=r"a replica.*Use its primary, 127\.0\.0\.1:1"),
    ):
        sentences(connection(url), url)


def test_a_node_of_a_cluster_is_refused():
    with (
        running_redis("--cluster-enabled", "yes") as url,
        pytest.raises(QueueUnavailable, match="a node of a cluster"),
    ):
        sentences(connection(url), url)


def test_a_version_without_xautoclaim_is_refused():
    old = SimpleNamespace(info=lambda: {"redis_version": "6.0.16", "role": "master"})
    with pytest.raises(QueueUnavailable, match=r"Redis 6\.0\.16. The queue needs 6\.2 or newer"):
        sentences(old, "redis://localhost")
