"""The options that say which queue, which several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from common.arguments import argument
from experiment.cli.session import Session
from experiment.queue.keys import stream_name
from experiment.queue.records import DEFAULT_URL, QueueSettings
from jobs.config.keys import address
from jobs.config.read import read_config
from jobs.serving.running import Running, all_running


def add_queue_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which queue."""
    add = parser.add_argument_group("queue").add_argument
    add("-c", "--config", type=Path, metavar="FILE", help="a config.yaml of Cluster Serving, in any form")
    add("--redis", type=argument(address), metavar="URL", help=f"host:port or URL ({DEFAULT_URL})")
    add("--stream", type=argument(stream_name), metavar="NAME", help="name of the queue (serving_stream)")


def asked_queue(options: argparse.Namespace, session: Session) -> QueueSettings:
    """The queue that the options name, else the one that is served from the data folder, else the default.

    Raises PixelcostError for a file that can't be read.
    """
    config = read_config(options.config) if options.config else None
    stream = options.stream or (config.stream if config else None)
    url = options.redis or (config.url if config else None)
    served: Running | None = None
    if url is None:
        candidates = [each for each in all_running(session.data_dir) if stream in {None, each.stream}]
        served = candidates[0] if candidates else None
    default = QueueSettings()
    return QueueSettings(
        url=url or (served.url if served else default.url),
        stream=stream or (served.stream if served else default.stream),
    )
