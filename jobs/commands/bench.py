"""bench: how fast photos go through the queue, and what the queue costs beside direct calls."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from common.arguments import argument
from common.checks import number, number_text, whole_text
from experiment.cli.session import Session
from experiment.errors import PixelcostError
from experiment.queue.connection import connection, place_of
from experiment.wording import count, size
from jobs.benchmark.direct import Direct, direct_calls
from jobs.benchmark.queued import Queued, through_the_queue
from jobs.commands.queue_options import add_queue_arguments, asked_queue
from jobs.commands.quick_start import SAMPLE
from jobs.serving.model_server import grpc_servers
from jobs.serving.workers import workers_of
from jobs.worker.worker import DEFAULT_BATCH

SAMPLE_PX = 224  # as Cluster Serving's e2e_throughput.py sent it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bench`."""
    add = parser.add_argument
    add(
        "-n",
        "--images",
        type=argument(whole_text(1, 1_000_000)),
        default=1000,
        metavar="N",
        help="photos (1000)",
    )
    add("-i", "--image", type=Path, metavar="FILE", help="the photo (a cat, 224 x 224 px)")
    add("-p", "--senders", type=argument(whole_text(1, 100)), default=4, metavar="N", help="that enqueue (4)")
    add(
        "--servers",
        metavar="TF_SERVERS",
        help='the workers\' model server, "name:host:port", for direct calls',
    )
    add("--batch-size", type=argument(whole_text(1, 1024)), default=DEFAULT_BATCH, help="of direct calls (4)")
    wait = argument(number_text(number(1, 3600)))
    add("--timeout", type=wait, default=60.0, metavar="S", help="longest wait for the next result (60)")
    add_queue_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Print the figures; 1 if a photo has no valid result. Raises PixelcostError."""
    queue, photo = asked_queue(options, session), _photo(options.image)
    client = connection(queue.url)
    workers = sum(worker.is_alive for worker in workers_of(client, queue))
    if not workers:
        raise PixelcostError(
            f"{queue.stream} at {place_of(queue.url)} has no worker. Start one: python -m jobs serve"
        )
    session.say(f"{count(options.images, 'photo')} of {size(len(photo))} to {count(workers, 'worker')}.")
    asked = (options.images, options.senders, options.timeout, session.cancel)
    queued = through_the_queue(client, queue, photo, *asked)
    direct = None
    if infos := grpc_servers(session.settings):
        few = min(options.images, max(workers * options.batch_size * 10, 100))
        direct = direct_calls(
            infos[0], photo, few, workers, options.batch_size, options.timeout, session.cancel
        )
    for line in lines(queued, direct):
        session.output.print(line, soft_wrap=True)
    return 0 if queued.done == queued.jobs else 1


def _photo(file: Path | None) -> bytes:
    """A JPEG file: the one that is named as it is if it is one."""
    try:
        data = (file or SAMPLE).read_bytes()
    except OSError as error:
        raise PixelcostError(f"{file or SAMPLE} can't be read: {error.strerror}.") from None
    if data.startswith(b"\xff\xd8"):
        return data
    from PIL import Image  # noqa: PLC0415  slow, and not needed for a JPEG file

    made = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        raise PixelcostError(f"{file} can't be read as an image.") from None
    if file is None:
        picture = picture.resize((SAMPLE_PX, SAMPLE_PX))
    picture.save(made, "JPEG", quality=95)
    return made.getvalue()


def lines(queued: Queued, direct: Direct | None) -> Iterator[str]:
    """The figures in words."""
    yield f"enqueued: {queued.jobs / queued.enqueue_s:,.0f} photos/s{_refused(queued)}"
    yield (
        f"end to end: {queued.images_per_s:,.1f} images/s ({queued.done:,} valid results in "
        f"{queued.end_to_end_s:.1f} s, {sum(queued.failures.values())} invalid, {queued.missing} missing)"
    )
    for reason, times in queued.failures.most_common(3):
        yield f"  {times} times: {reason}"
    if queued.waits_ms:
        p99 = "" if queued.wait_p99_ms is None else f", p99 {queued.wait_p99_ms:,.0f} ms"
        mean = sum(queued.batches) / len(queued.batches)
        yield f"in the queue: p50 {queued.wait_p50_ms:,.0f} ms{p99}; in batches of {mean:.1f} on average"
    yield f"dequeued: {queued.jobs / queued.dequeue_s:,.0f} results/s"
    if direct is None:
        yield "To see what the queue costs, name the workers' model server: --servers 'name:host:port'."
        return
    yield f"direct calls: {direct.images_per_s:,.1f} images/s ({direct.done:,} valid, {direct.failed} not)"
    if direct.done and queued.done:
        share = queued.images_per_s / direct.images_per_s
        yield f"through the queue: {share:.2f} times the throughput of direct calls"


def _refused(queued: Queued) -> str:
    return f", after {count(queued.refusals, 'refusal')} by the full queue" if queued.refusals else ""
