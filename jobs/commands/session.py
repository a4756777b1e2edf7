"""Session: what every command gets beside its options; and the options that several commands have."""

from __future__ import annotations

import argparse
import threading
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from common.arguments import argument
from experiment.queue.keys import stream_name
from experiment.queue.records import DEFAULT_URL, QueueSettings
from experiment.settings import SharedSettings
from jobs.config.keys import address
from jobs.config.read import read_config
from jobs.serving.running import Running, all_running


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line."""

    settings: SharedSettings
    console: Console  # stderr: progress, and what to know
    output: Console  # stdout: results
    cancel: threading.Event = field(default_factory=threading.Event)  # set by Ctrl-C

    @property
    def data_dir(self) -> Path:
        """Folder for models, logs and Redis' data."""
        return Path(self.settings.data_dir)

    def say(self, text: str) -> None:
        """A sentence on stderr."""
        self.console.print(text, soft_wrap=True)


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
