"""python -m jobs bench: figures that add up, invalid results counted, nothing left in Redis."""

from __future__ import annotations

import io
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from PIL import Image

from experiment.queue.connection import connection
from jobs.benchmark.direct import Direct
from jobs.benchmark.queued import Queued, marked, through_the_queue
from jobs.commands.bench import lines
from jobs.commands.main import main
from jobs.records import Answered, Refused
from jobs.worker.worker import Worker, WorkerSettings
from tests.support.queue.parts import PlainReader


class SomeRefused:
    """Refuses every tenth photo."""

    def answer(self, requests):
        return [
            Refused("image_refused", "It is damaged.")
            if int(marks(request.image)) % 10 == 0
            else Answered({"top": []})
            for request in requests
        ]


def marks(photo: bytes) -> str:
    return photo[6 : 4 + int.from_bytes(photo[4:6], "big")].decode().split()[1]


@contextmanager
def working(queue):
    stop, ready = threading.Event(), threading.Event()
    settings = WorkerSettings("w-0", wait_s=0.01)
    made = Worker(connection(queue.url), queue, settings, PlainReader(), SomeRefused())
    thread = threading.Thread(target=made.run, args=(stop, ready.set))
    thread.start()
    ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def photo() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (8, 8)).save(made, "JPEG")
    return made.getvalue()


def test_a_marked_photo_is_another_file_with_the_same_pixels(photo):
    one, two = (Image.open(io.BytesIO(marked(photo, number))) for number in (1, 2))
    assert one.tobytes() == two.tobytes() == Image.open(io.BytesIO(photo)).tobytes()
    assert marked(photo, 1) != marked(photo, 2)
    assert marked(b"GIF89a", 1) == b"GIF89a"


def test_valid_and_invalid_results_are_counted_and_nothing_stays(redis_client, queue, photo):
    with working(queue):
        found = through_the_queue(redis_client, queue, photo, 40, 3, 20, threading.Event())
    assert (found.jobs, found.done, found.missing) == (40, 36, 0)
    assert found.failures == Counter({"It is damaged.": 4})
    assert len(found.waits_ms) == len(found.batches) == 36
    assert not redis_client.exists(queue.stream) or redis_client.xlen(queue.stream) == 0
    for left in ("job", "photo"):
        assert not redis_client.keys(f"pixelcost:{{{queue.stream}}}:{left}:*")


def test_jobs_that_nobody_ends_are_missing_not_hidden(redis_client, queue, photo):
    found = through_the_queue(redis_client, queue, photo, 5, 2, 0.1, threading.Event())
    assert (found.done, found.missing, found.images_per_s) == (0, 5, 0.0)


def test_the_command_prints_rates_and_fails_if_a_result_is_invalid(queue, capsys):
    with working(queue):
        assert main(["bench", "-n", "20", "--redis", queue.url, "--stream", queue.stream]) == 1
    said = capsys.readouterr()
    assert "20 photos of " in said.err and " to 1 worker." in said.err
    assert "18 valid results in" in said.out and "2 invalid, 0 missing" in said.out
    assert "2 times: It is damaged." in said.out


def test_the_cost_is_the_ratio_to_direct_calls():
    queued = Queued(10, 8, Counter({"bad": 1}), 1, 2, 0.5, 4.0, 0.1, [1.0] * 8, [4] * 8)
    said = list(lines(queued, Direct(10, 0, 2.5)))
    assert said[0] == "enqueued: 20 photos/s, after 2 refusals by the full queue"
    assert said[1] == "end to end: 2.0 images/s (8 valid results in 4.0 s, 1 invalid, 1 missing)"
    assert said[-2:] == [
        "direct calls: 4.0 images/s (10 valid, 0 not)",
        "through the queue: 0.50 times the throughput of direct calls",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "0"], "-n"),
        (["-i", "missing.jpg"], "missing.jpg can't be read"),
        ([], "has no worker. Start one: python -m jobs serve"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_sentence(queue, capsys, arguments, sentence):
    try:
        code = main(["bench", *arguments, "--redis", queue.url, "--stream", queue.stream])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert sentence in capsys.readouterr().err
