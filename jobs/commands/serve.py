"""serve: take jobs from a queue and answer them, until Ctrl-C or `stop`."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import redis

from common.arguments import argument
from common.checks import Expected, whole_text
from experiment.cli.session import Session
from experiment.engines.base import Engine
from experiment.engines.choose import ENGINES, engine
from experiment.queue.connection import connection, in_words, place_of
from experiment.queue.records import QueueSettings
from experiment.records import BackendInfo
from experiment.wording import count
from jobs.commands.queue_options import add_queue_arguments
from jobs.config import ServeConfig, read_config
from jobs.config.keys import MOST_BATCH, MOST_WORKERS, memory_bytes
from jobs.redis_server import Place, ensure
from jobs.redis_server.checks import sentences
from jobs.serving.health import answering_health
from jobs.serving.model_server import model_server
from jobs.serving.running import Running, announced
from jobs.serving.watch import watching
from jobs.worker.lease import free_names
from jobs.worker.main import WorkerJob, run_worker
from jobs.worker.worker import DEFAULT_BATCH


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add_queue_arguments(parser)
    add = parser.add_argument_group("workers").add_argument
    add("--engine", choices=ENGINES, help="where workers run (local: processes of this machine)")
    pair = argument(_pair)
    about = "of the engine, several times: ray.address=HOST:6379, spark.master=spark://HOST:7077"
    add("--engine-option", type=pair, action="append", default=[], metavar="KEY=VALUE", help=about)
    most = argument(whole_text(1, MOST_WORKERS))
    add("--workers", type=most, metavar="N", help="how many (modelParallelism of the file, 1)")
    add("--worker-name", metavar="NAME", help="their names are NAME-1, NAME-2, ... (this machine's name)")
    about = "instead: the lowest NAME-1, NAME-2, ... that are free, for containers whose host names change"
    add("--shared-name", metavar="NAME", help=about)
    about = "answer /healthz, and /readyz once the workers hold their names, at this port"
    add("--health-port", type=argument(whole_text(1, 65535)), metavar="PORT", help=about)
    batch = argument(whole_text(1, MOST_BATCH))
    add("--batch-size", type=batch, metavar="N", help="most jobs in one request to the model (4)")
    add = parser.add_argument_group("model server").add_argument
    add("--servers", metavar="TF_SERVERS", help='"name:host:port;..." instead of the environment')
    add("--backend", metavar="NAME", help="which of the model servers (the first)")
    add = parser.add_argument_group("Redis, if this command has to start one").add_argument
    about = "always: no job is lost in a power cut, and it is slower (everysec)"
    add("--appendfsync", choices=("everysec", "always"), default="everysec", help=about)
    about = "redisMaxmemory of the file, else a quarter of this machine's, at most 8g"
    add("--maxmemory", type=argument(memory_bytes), metavar="SIZE", help=about)


def run(options: argparse.Namespace, session: Session) -> int:
    """Serve until it is ended. Returns the exit code."""
    config = _config(options)
    for note in config.notes:
        session.say(note)
    placed_by = _engine(options, config, session)  # first: it may not be installed
    with ExitStack() as stack:
        running = Running(config.stream, config.url, place_of(config.url), os.getpid())
        folder = stack.enter_context(announced(session.data_dir, running))
        redis_place = stack.enter_context(_redis(options, config, session))
        queue = QueueSettings(redis_place.url, config.stream)
        client = connection(queue.url)
        info = stack.enter_context(
            model_server(config, session.settings, options.backend, folder, session.say, session.cancel)
        )
        if session.cancel.is_set():
            return 0
        reserved = _names(options, config.workers or 1, client, queue)
        job = _worker_job(config, queue, info, reserved, session.settings.tf_request_timeout_s)
        if placed_by.name != "local" and (redis_place.started or info.embedded):
            session.say(
                f"Workers that {placed_by.name} places on other machines can't reach this one's loopback. "
                "Name a Redis (--redis) and model servers (--servers) by addresses that they can reach."
            )
        health = stack.enter_context(answering_health(options.health_port))

        def ready() -> None:
            session.output.print(f"connected to redis {redis_place.address}", soft_wrap=True)
            health.set()
            said = count(len(reserved), "worker")
            session.say(f"{said} on {placed_by.name} for the queue {queue.stream}. Ctrl-C ends it.")

        news = session.say if sys.stderr.isatty() else None
        stack.enter_context(watching(client, queue, list(reserved), ready, news))
        placed_by.keep_running(run_worker, list(reserved), job, session.cancel, session.say)
    session.say("Serving has ended. Jobs that wait stay in the queue.")
    return 0


def _engine(options: argparse.Namespace, config: ServeConfig, session: Session) -> Engine:
    """The engine that places the workers. Raises EngineFailed."""
    name = options.engine or "local"
    own_options = {**(config.spark if name == "spark" else {}), **dict(options.engine_option)}
    found = engine(name, own_options)
    if config.spark and name != "spark":
        session.say(f"{', '.join(config.spark)}: only with --engine spark. Workers run on {name}.")
    return found


@contextmanager
def _redis(options: argparse.Namespace, config: ServeConfig, session: Session) -> Iterator[Place]:
    """A Redis that answers, and what there is to know of it. Raises QueueUnavailable."""
    memory = options.maxmemory or config.max_memory_bytes
    with ensure(config.url, session.data_dir, session.say, memory, options.appendfsync) as place:
        if place.started:
            session.say(f"A Redis was started for this; its data and log are in {place.folder}.")
        for sentence in sentences(connection(place.url), place.url):
            session.say(sentence)
        yield place


def _worker_job(
    config: ServeConfig,
    queue: QueueSettings,
    info: BackendInfo,
    reserved: Mapping[str, str],
    timeout_s: float,
) -> WorkerJob:
    return WorkerJob(
        queue,
        info,
        reserved=reserved,
        batch_size=config.batch_size or DEFAULT_BATCH,
        top_n=config.top_n,
        image_size_px=config.image_size_px,
        already_batched=config.already_batched,
        timeout_s=timeout_s,
    )


def _config(options: argparse.Namespace) -> ServeConfig:
    """The file, with the options over it."""
    config = read_config(options.config) if options.config else ServeConfig()
    given = {
        "url": options.redis,
        "stream": options.stream,
        "workers": options.workers,
        "batch_size": options.batch_size,
    }
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Expected("an option such as ray.address=head:6379")
    return key, value


def _names(
    options: argparse.Namespace, workers: int, client: redis.Redis, queue: QueueSettings
) -> dict[str, str]:
    """The workers' names, each with the token that keeps it, "" without one. They are stable, so that workers
    go on with what those of an earlier start had claimed. Raises QueueUnavailable."""
    if options.shared_name:
        with in_words(queue.url):
            return free_names(client, queue, options.shared_name, workers)
    prefix = options.worker_name or socket.gethostname()
    return {f"{prefix}-{number}": "" for number in range(1, workers + 1)}
