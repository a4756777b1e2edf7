"""A Redis of its own on a TCP port of loopback: Cluster Serving's published clients take nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes.app_process import free_port
from tests.support.queue.redis_server import running_redis


@contextmanager
def redis_on_a_port(*options: str) -> Iterator[int]:
    """Its port."""
    port = free_port()
    with running_redis("--bind", "127.0.0.1", "--port", str(port), *options):
        yield port
