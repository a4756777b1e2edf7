"""list: queues that are served, their workers, how full they are, and what their Redis is set to."""

from __future__ import annotations

import argparse

import redis

from common.installed import as_typed
from experiment.cli.session import Session
from experiment.queue.connection import connection, in_words, place_of
from experiment.queue.records import QueueSettings
from experiment.queue.results import Results
from experiment.wording import count
from jobs.commands.queue_options import add_queue_arguments, asked_queue
from jobs.redis_server.checks import sentences
from jobs.serving.running import all_running
from jobs.serving.watch import words_of
from jobs.serving.workers import WorkerSeen, workers_of

NOBODY = as_typed(": nobody takes jobs. Start one with python -m jobs serve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    add_queue_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Print all queues that this data folder serves, or the one that the options name."""
    served = {each.stream: each for each in all_running(session.data_dir)}
    is_asked = options.config or options.redis or options.stream
    queues = [asked_queue(options, session)]
    if served and not is_asked:
        queues = [QueueSettings(each.url, each.stream) for each in served.values()]
    for queue in queues:
        by, place = served.get(queue.stream), place_of(queue.url)
        process = f", served by process {by.pid}" if by and by.place == place else ""
        session.output.print(f"{queue.stream} at {place}{process}", soft_wrap=True)
        for line in _lines(queue):
            session.output.print(f"  {line}", soft_wrap=True)
    return 0


def _lines(queue: QueueSettings) -> list[str]:
    client = connection(queue.url)
    workers = workers_of(client, queue)
    alive = sum(worker.is_alive for worker in workers)
    return [
        f"jobs: {words_of(Results(client, queue).depth())}",
        *_counts(client, queue),
        f"{count(alive, 'worker')}{'' if alive else NOBODY}",
        *map(_line, workers),
        *sentences(client, queue.url),
    ]


def _line(worker: WorkerSeen) -> str:
    jobs = count(worker.jobs, "job")
    if not worker.is_alive:
        return f"  {worker.name} is gone; {jobs} that it had go to another worker"
    return f"  {worker.name} on {worker.host}, process {worker.pid}, {jobs}"


def _counts(client: redis.Redis, queue: QueueSettings) -> list[str]:
    """Since the queue began."""
    with in_words(queue.url):
        found = {key.decode(): int(value) for key, value in client.hgetall(queue.keys.stats).items()}
    said = [f"{value:,} {key}" for key, value in sorted(found.items()) if value]
    return [f"since it began: {', '.join(said)}"] if said else []
