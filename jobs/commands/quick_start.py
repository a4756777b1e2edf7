"""quick_start: send three pictures, and print what they are, as Cluster Serving's quick start did."""

from __future__ import annotations

import argparse
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from common.arguments import argument
from common.checks import number, number_text
from experiment.cli.session import Session
from experiment.errors import PixelcostError
from experiment.queue.connection import connection, place_of
from experiment.queue.records import Job, NewJob
from experiment.queue.results import Results
from experiment.queue.submit import Submitter
from experiment.wording import count
from jobs.commands.queue_options import add_queue_arguments, asked_queue
from jobs.records import ALONE_FIELD, REPLY_FIELD
from jobs.wire.reader import CLASSES

SAMPLE = Path(__file__).resolve().parents[2] / "static" / "samples" / "cat.png"
# A result as Cluster Serving's first clients read it; dequeue() of others leaves it alone.
FIRST_FORM = {REPLY_FIELD: CLASSES, ALONE_FIELD: "1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `quick_start`."""
    parser.add_argument("photos", nargs="*", type=Path, help="photos (three of a cat, made here)")
    add_queue_arguments(parser)
    wait = argument(number_text(number(0.1, 3600)))
    parser.add_argument("--timeout", type=wait, default=60.0, metavar="S", help="longest wait for all (60)")


def run(options: argparse.Namespace, session: Session) -> int:
    """Print a line for each photo; 1 if one has no result."""
    queue = asked_queue(options, session)
    client = connection(queue.url)
    submitter, results = Submitter(client, queue), Results(client, queue)
    photos = dict(_given(options.photos) if options.photos else _made())
    tag = secrets.token_hex(4)  # another call is another job, also for the same photo
    for name, photo in photos.items():
        submitter.submit(NewJob(f"{name}-{tag}", photo, FIRST_FORM))
    session.say(f"{count(len(photos), 'picture')} sent to {queue.stream} at {place_of(queue.url)}.")
    failed = 0
    for name in photos:
        job = results.wait(f"{name}-{tag}", options.timeout)
        if job is not None and job.state == "done":
            session.output.print(f"image: {name}, classification-result: {_old_words(job)}", soft_wrap=True)
        else:
            failed += 1
            session.say(f"image: {name}, no result: {_why(job, options.timeout)}")
    return 1 if failed else 0


def _old_words(job: Job) -> str:
    """ "class: 287's prob: 0.52377725 (lynx)"."""
    label = next((each["label"] for each in (job.result or {}).get("top", [])), None)
    classes = json.loads(job.value) if job.value else {}
    said = ", ".join(f"class: {number}'s prob: {float(prob):.7g}" for number, prob in classes.items())
    return f"{said or 'no class'} ({label})" if label else said or json.dumps(job.result)


def _why(job: Job | None, timeout_s: float) -> str:
    if job is None:
        return "its result has expired."
    if job.state == "failed":
        return str(job.reason)
    return f"it is {job.state} after {timeout_s:g} s. Are workers running? See python -m jobs list."


def _given(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        try:
            photo = file.read_bytes()
        except OSError as error:
            raise PixelcostError(f"{file} can't be read: {error.strerror}.") from None
        if not photo:
            raise PixelcostError(f"{file} is empty. Save or download it again, or choose another.")
        yield file.name, photo


def _made() -> Iterator[tuple[str, bytes]]:
    """The sample photo as it is, mirrored, and half as large."""
    from PIL import Image, ImageOps  # noqa: PLC0415  slow, and not needed for photos of the user

    if not SAMPLE.is_file():
        raise PixelcostError("The sample photo is not installed here. Name photos: quick_start cat.jpg")
    yield "cat1", SAMPLE.read_bytes()
    with Image.open(SAMPLE) as opened:
        cat = opened.convert("RGB")
    for name, changed in {"cat2": ImageOps.mirror(cat), "cat3": ImageOps.scale(cat, 0.5)}.items():
        data = io.BytesIO()
        changed.save(data, "JPEG", quality=90)
        yield name, data.getvalue()
