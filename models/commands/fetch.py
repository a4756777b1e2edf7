"""`fetch`: download the published weights of a model of the catalogue."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from rich import progress as bars
from rich.console import Console

from common.arguments import argument
from common.checks import number_above, number_text
from models.catalogue.download import Limits
from models.catalogue.table import DEFAULT, Row, row
from models.catalogue.weights import MIRROR_VARIABLE, cache_dir, fetch_weights, url_of

LINE_EVERY_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model's name and the options of a download."""
    parser.add_argument("name", nargs="?", default=DEFAULT, help=f"a name of `list` ({DEFAULT})")
    add_fetch_options(parser)


def add_fetch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for cache, mirror and time limits; `export` has them too."""
    add, usual, mirror = parser.add_argument, Limits(), os.environ.get(MIRROR_VARIABLE, "")
    add("--cache", type=Path, default=cache_dir(), metavar="DIR", help=f"cache folder ({cache_dir()})")
    add("--mirror", default=mirror, metavar="URL", help=f"instead of ${MIRROR_VARIABLE}")
    for name, default_s, about in (
        ("first-byte", usual.first_byte_s, "longest wait for the first answer"),
        ("stall", usual.stall_s, "longest wait without a byte after that"),
        ("total", usual.total_s, "longest time for the whole download"),
    ):
        shown = "none" if default_s is None else f"{default_s:g}"
        add(
            f"--{name}-timeout",
            type=argument(number_text(number_above(0, 10**7, "a number of seconds"))),
            default=default_s,
            metavar="S",
            help=f"{about} ({shown})",
        )


def run(options: argparse.Namespace) -> int:
    """Download the weights and print their path."""
    model = row(options.name)
    if model.package:
        print(f"{model.title} needs no download.")
        return 0
    print(f"{model.title}: {fetched(model, options)}")
    return 0


def fetched(model: Row, options: argparse.Namespace) -> Path:
    """The weights file of a model, downloaded if it is not in the cache. Raises FetchFailed and OSError."""
    limits = Limits(options.first_byte_timeout, options.stall_timeout, options.total_timeout)
    cache = options.cache.expanduser()
    with DownloadProgress(model.title, Console()) as progress:
        if not (cache / model.file_name).is_file():
            progress.say(
                f"Downloading {model.title}, about {model.download_mb} MB: {url_of(model, options.mirror)}"
            )
        return fetch_weights(model, cache, options.mirror, limits, progress)


class DownloadProgress:
    """A bar on a terminal, a line now and then elsewhere. Use as a context manager."""

    def __init__(self, title: str, console: Console):
        self._title, self._console = title, console
        title_column = bars.TextColumn("{task.description}", markup=False)
        kinds = (bars.BarColumn, bars.DownloadColumn, bars.TransferSpeedColumn, bars.TimeRemainingColumn)
        columns = (title_column, *(kind() for kind in kinds))
        self._bar = bars.Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(title, visible=False)
        self._next_line_at = 0.0

    def __enter__(self) -> DownloadProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Update the bar, or print a line if the last one is LINE_EVERY_S old."""
        self._bar.update(self._task, completed=done_bytes, total=total_bytes, visible=True)
        if self._console.is_terminal or time.monotonic() < self._next_line_at:
            return
        self._next_line_at = time.monotonic() + LINE_EVERY_S
        whole = f" of {total_bytes / 1e6:.0f} MB" if total_bytes else " MB"
        self.say(f"{self._title}: {done_bytes / 1e6:.0f}{whole}")
