"""`fetch`: download the published weights of a model of the catalogue."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from models.catalogue.download import Limits
from models.catalogue.progress import DownloadProgress
from models.catalogue.table import DEFAULT, Row, row
from models.catalogue.weights import MIRROR_VARIABLE, cache_dir, fetch_weights, url_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and how."""
    parser.add_argument("name", nargs="?", default=DEFAULT, help=f"a name of `list` ({DEFAULT})")
    add_fetch_options(parser)


def add_fetch_options(parser: argparse.ArgumentParser) -> None:
    """What a download can be told."""
    add, usual = parser.add_argument, Limits()
    add("--cache", type=Path, default=cache_dir(), metavar="DIR", help=f"where it is kept ({cache_dir()})")
    add(
        "--mirror",
        default=os.environ.get(MIRROR_VARIABLE, ""),
        metavar="URL",
        help=f"instead of ${MIRROR_VARIABLE}",
    )
    for name, default_s, about in (
        ("first-byte", usual.first_byte_s, "longest wait for the first answer"),
        ("stall", usual.stall_s, "longest wait without a byte after that"),
        ("total", usual.total_s, "longest time for all of it"),
    ):
        shown = "none" if default_s is None else f"{default_s:g}"
        add(f"--{name}-timeout", type=_seconds, default=default_s, metavar="S", help=f"{about} ({shown})")


def run(options: argparse.Namespace) -> int:
    """Download, and say where it lies."""
    model = row(options.name)
    if model.package:
        print(f"{model.title} needs no download.")
        return 0
    print(f"{model.title}: {fetched(model, options)}")
    return 0


def fetched(model: Row, options: argparse.Namespace) -> Path:
    """The weights file of a model, downloaded unless it is there. Raises FetchFailed and OSError."""
    limits = Limits(options.first_byte_timeout, options.stall_timeout, options.total_timeout)
    cache = options.cache.expanduser()
    with DownloadProgress(model.title, Console()) as progress:
        if not (cache / model.file_name).is_file():
            progress.say(
                f"Downloading {model.title}, about {model.download_mb} MB: {url_of(model, options.mirror)}"
            )
        return fetch_weights(model, cache, options.mirror, limits, progress)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
