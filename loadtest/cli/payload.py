"""What a load sends: images from files, or numbers for a model of numbers."""

from __future__ import annotations

import argparse
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from common.arguments import argument
from common.checks import whole_text
from experiment.backends.base import MESSAGE_LIMIT_BYTES
from experiment.records import BackendInfo
from experiment.wording import size
from loadtest.cli.options import whole_numbers
from loadtest.cli.target import spec_of
from loadtest.errors import LoadRefused
from loadtest.payloads.distinct import distinct_copy
from loadtest.payloads.files import NamedImage, read_images
from loadtest.payloads.images import image_payload
from loadtest.payloads.numbers import numbers_payload
from loadtest.records import Payload

MOST_DISTINCT = 1000  # without --distinct
MOST_BYTES = 256 * 1024 * 1024  # of all bodies, without --distinct; they are kept in memory
MOST_BATCH = 65_536
MOST_ASKED_BYTES = 2 * 1024 * 1024 * 1024  # of all bodies, with --distinct
BASE64 = 4 / 3


def add_payload_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say what is sent."""
    add = parser.add_argument_group("payload").add_argument
    image: dict[str, Any] = {"metavar": "FILE", "type": Path, "action": "append"}
    add("--image", **image, help="an image, a folder, or a run's ZIP file; may be given several times")
    add("--variant", metavar="NAME", help="of a run's ZIP file, only this one: 512-jpeg-85")
    add("--numbers", action="store_true", help="random numbers, as the model's metadata names them")
    add("--shape", type=whole_numbers(1, 10**9), metavar="N,N", help="of a row, if the model leaves it open")
    add("--batch", type=argument(whole_text(1, MOST_BATCH)), default=1, metavar="N", help="in a request (1)")
    distinct = argument(whole_text(1, 100_000))
    add("--distinct", type=distinct, metavar="N", help="different bodies that are sent in turn (up to 1,000)")
    add("--same", action="store_true", help="the same body every time: does the server cache?")
    add("--label", help="what the image shows: right answers are counted")


def check_payload(options: argparse.Namespace) -> None:
    """What can be said without the target: no server is started for a missing file. Raises LoadRefused."""
    if bool(options.image) == options.numbers:
        raise LoadRefused("Name what to send: --image FILE, or --numbers for a model of numbers.")
    if options.same and options.distinct:
        raise LoadRefused("--same sends one body, --distinct several: leave one of them out.")
    if options.numbers and (options.variant or options.label):
        raise LoadRefused("--variant and --label are about images: leave them out with --numbers.")
    if options.shape and not options.numbers:
        raise LoadRefused("--shape is that of numbers: leave it out, or choose --numbers.")
    for path in options.image or ():
        if not path.exists():
            raise LoadRefused(f"{path} can't be read: No such file or directory.")


def the_payload(options: argparse.Namespace, info: BackendInfo, requests: int, seed: int) -> Payload:
    """The bodies to send in turn. `requests` is how many there will be at most. Raises LoadRefused."""
    check_payload(options)
    if options.numbers:
        spec = spec_of(info)
        distinct = 1 if options.same else options.distinct or min(requests, MOST_DISTINCT)
        one = numbers_payload(info, spec, options.batch, 1, seed, options.shape)
        _check_distinct(options.distinct, one.median_bytes)
        fitting = distinct if options.distinct else _fitting(distinct, one.median_bytes)
        return numbers_payload(info, spec, options.batch, fitting, seed, options.shape)
    return _images(options, info, requests)


def _images(options: argparse.Namespace, info: BackendInfo, requests: int) -> Payload:
    found = read_images(options.image, options.variant)
    largest_bytes = max(len(image.data) for image in found) * options.batch
    largest_bytes = int(largest_bytes * (BASE64 if info.protocol == "rest" else 1))
    if largest_bytes > MESSAGE_LIMIT_BYTES:
        raise LoadRefused(
            f"A request would have {size(largest_bytes)}; at most {size(MESSAGE_LIMIT_BYTES)} can be sent. "
            "Choose a smaller --batch or a smaller image."
        )
    _check_distinct(options.distinct, largest_bytes)
    images = _same(found) if options.same else _distinct(found, options.distinct, requests, largest_bytes)
    expected = [options.label] * len(images) if options.label else ()
    names = [image.name for image in images]
    return image_payload(info, [image.data for image in images], names, options.batch, expected)


def _same(found: list[NamedImage]) -> list[NamedImage]:
    if len(found) > 1:
        raise LoadRefused(f"--same sends one image, but {len(found):,} are named. Name one.")
    return found


def _distinct(
    found: list[NamedImage], asked: int | None, requests: int, largest_bytes: int
) -> list[NamedImage]:
    """Marked copies of the images in turn: as many as asked for, or as are needed and fit into memory."""
    many = asked or _fitting(min(max(requests, len(found)), MOST_DISTINCT), largest_bytes)
    turns = islice(enumerate(cycle(found)), many)
    return [NamedImage(image.name, distinct_copy(image.data, number)) for number, image in turns]


def _check_distinct(asked: int | None, body_bytes: int) -> None:
    whole_bytes = (asked or 0) * body_bytes
    if whole_bytes > MOST_ASKED_BYTES:
        raise LoadRefused(
            f"--distinct {asked:,} would be {size(whole_bytes)} in memory; at most {size(MOST_ASKED_BYTES)} "
            f"are made. Choose {MOST_ASKED_BYTES // body_bytes:,} or fewer."
        )


def _fitting(wanted: int, body_bytes: int) -> int:
    return max(1, min(wanted, MOST_BYTES // max(body_bytes, 1)))
