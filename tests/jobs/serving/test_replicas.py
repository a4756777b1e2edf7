"""What `serve` offers to orchestrators: names for replicas that come and go, and its health over HTTP."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request

from experiment.queue.records import NewJob
from experiment.queue.results import Results
from experiment.queue.submit import Submitter
from jobs.serving.health import answering_health
from jobs.serving.workers import workers_of
from jobs.worker.lease import free_names
from jobs.worker.worker import Worker, WorkerSettings
from tests.support.queue.parts import Echo, PlainReader


def test_replicas_take_the_lowest_free_names_which_come_back(redis_client, queue):
    first = free_names(redis_client, queue, "worker", 2)
    assert list(first) == ["worker-1", "worker-2"]
    assert not workers_of(redis_client, queue), "a name that is kept for a worker is none yet"
    assert list(free_names(redis_client, queue, "worker", 1)) == ["worker-3"]
    redis_client.delete(queue.keys.worker("worker-1"))  # it ended
    assert list(free_names(redis_client, queue, "worker", 2)) == ["worker-1", "worker-4"]


def test_a_worker_takes_the_name_that_was_kept_for_it(redis_client, queue):
    ((name, token),) = free_names(redis_client, queue, "worker", 1).items()
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    stop, settings = threading.Event(), WorkerSettings(name, wait_s=0.01, reserved=token)
    worker = Worker(redis_client, queue, settings, PlainReader(), Echo())
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    job = Results(redis_client, queue).wait("cat", 20)
    stop.set()
    thread.join(20)
    assert (job.state, job.worker) == ("done", "worker-1")
    assert not redis_client.exists(queue.keys.worker(name)), "it lets go of the name"


def test_health_is_answered_from_the_start_and_readiness_when_the_workers_are_there():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def status(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    with answering_health(port) as ready:
        assert [status(path) for path in ("/healthz", "/readyz", "/")] == [200, 503, 404]
        ready.set()
        assert status("/readyz") == 200
