"""The client that all parts of a process share."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from experiment.queue.connection import connection


def test_150_threads_can_ask_at_once(redis_url):
    client, together = connection(redis_url), threading.Barrier(150)

    def ask(_: int) -> None:
        with client.client() as own:  # a connection of its own, as a command takes one while it lasts
            together.wait(60)
            assert own.ping()

    with ThreadPoolExecutor(150) as pool:
        list(pool.map(ask, range(150)))
    client.close()
