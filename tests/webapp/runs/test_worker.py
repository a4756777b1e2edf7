"""The timing process, started for real, asked over its pipes, against a real gRPC server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from experiment.images.browser import DescribedVariant
from experiment.measure.one_answer import Preparation
from experiment.records import BackendInfo, NotUploaded, Plan
from tests.support.records import original
from tests.support.scripted_server import always, good_answer, grpc_server, hanging
from tests.support.set_records import result
from webapp.worker import photo_set
from webapp.worker.__main__ import HANDLERS
from webapp.worker.pipe import (
    JOBS,
    BrowserVariantsJob,
    ClassifyJob,
    FollowUpJob,
    Job,
    Parent,
    PhotoJob,
    PhotoSetJob,
    Task,
    task_in,
)

ROOT = Path(__file__).resolve().parents[3]
LIMITS = {"max_bytes": 20_000_000, "max_pixels": 50_000_000}


def photo(width: int = 80, height: int = 60) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


class Worker:
    """The child process, seen from the web process."""

    def __init__(self):
        command = [sys.executable, "-m", "webapp.worker"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def send(self, data: bytes, plan: Plan, *backends: BackendInfo) -> None:
        self.give(Task(PhotoJob("cat.jpg", None, len(data)), plan, backends, **LIMITS), data)

    def give(self, task: Task, data: bytes) -> None:
        self.process.stdin.write(task.line() + data)
        self.process.stdin.flush()

    def say(self, command: str) -> None:
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def next(self) -> tuple[dict, bytes]:
        event = json.loads(self.process.stdout.readline())
        if event["event"] == "result":
            event = {"event": event["kind"], **event["record"]}
        size = event["size_bytes"] if event["event"] in {"variant", "picture"} else 0
        return event, self.process.stdout.read(size)

    def rest(self) -> list[tuple[dict, bytes]]:
        events = []
        while not events or events[-1][0]["event"] != "end":
            events.append(self.next())
        return events


PLAN = Plan(sizes_px=(64, 32), warmups=1, repeats=3)


EVERY_JOB = [
    PhotoJob("cat.jpg", None, 3),
    PhotoSetJob(
        "cats", "tabby", "photos", {"a.jpg": "0", "b.jpg": "1"}, ("labels.csv", "a,b"), 9, 10, {"name": "m"}
    ),
    PhotoSetJob("cats.zip", None, "photos", {"cats.zip": "0"}, None, 9, 10, {}),
    BrowserVariantsJob(
        *("cat.jpg", None, 0, (DescribedVariant("png", 64, None, "pica", 5),), {"browser": "B 1"}),
        NotUploaded(9, 80, 60),
    ),
    FollowUpJob("cat.jpg", "tabby", "retry", (replace(original(), data=b""),)),
    ClassifyJob("cat.jpg", None, 3, Preparation(64, "webp", 50, resampler="box", at_most=True)),
]


@pytest.mark.parametrize("job", EVERY_JOB, ids=lambda job: job.kind)
def test_a_task_arrives_as_it_was_sent(job: Job):
    task = Task(job, PLAN, (backend("127.0.0.1:9"), backend("127.0.0.1:9", "8 CPU")), **LIMITS)
    assert task_in(task.line()) == task


def test_the_timing_process_can_do_every_kind_of_job():
    assert set(HANDLERS) == set(JOBS) == {job.kind for job in EVERY_JOB}


def test_what_another_run_sent_is_measured_again_unless_a_byte_of_it_has_changed():
    data = photo()
    variant = replace(
        original(), data=b"", size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), format="jpeg"
    )
    job = FollowUpJob("cat.jpg", None, "repeats", (variant,))
    with grpc_server(always(good_answer())) as address:
        task = Task(job, PLAN, (backend(address),), **LIMITS)
        with Worker() as worker:
            worker.give(task, data)
            assert worker.next()[0]["requests_planned"] == 4
            worker.say("go")
            events = [event["event"] for event, _ in worker.rest()]
            assert events == ["measurement"] * 4 + ["end"]
        with Worker() as worker:
            worker.give(task, data[:-1] + b"?")
            assert worker.next()[0]["code"] == "damaged"


def backend(address: str, name: str = "1 CPU") -> BackendInfo:
    return BackendInfo(name=name, address=address, state="ready")


def test_a_run_sends_variants_with_their_bytes_then_every_measurement_then_the_end():
    with grpc_server(always(good_answer())) as address, Worker() as worker:
        worker.send(photo(), PLAN, backend(address))
        accepted, _ = worker.next()
        assert accepted["event"] == "accepted"
        assert accepted["requests_planned"] == 5 * (1 + 3)
        worker.say("go")
        events = worker.rest()
    variants = [(event["id"], data) for event, data in events if event["event"] == "variant"]
    assert [name for name, _ in variants] == ["original", "64-png", "64-jpeg-85", "32-png", "32-jpeg-85"]
    assert variants[0][1] == photo()
    assert Image.open(io.BytesIO(variants[1][1])).size == (64, 48)
    named = [(each["event"], each.get("key", each.get("id"))) for each, _ in events]
    made = [each for each in named if each[0] in {"picture", "variant"}]
    assert made == [(kind, name) for name, _ in variants for kind in ("picture", "variant")]
    assert named.index(made[-1]) < named.index(("measurement", None))  # none while requests are timed
    assert sum(event["event"] == "measurement" for event, _ in events) == 20
    end = events[-1][0]
    assert end["state"] == "done"
    assert end["environment"]["heartbeat_max_ms"] >= 0


def test_a_bad_file_is_refused_with_its_reason_and_the_process_ends():
    with Worker() as worker:
        worker.send(b"%PDF-1.7 not a photo", PLAN)
        refused, _ = worker.next()
        assert (refused["event"], refused["code"], refused["http_status"]) == ("refused", "not_an_image", 415)
        assert worker.process.wait(10) == 0


def test_cancel_in_mid_run_ends_it_as_cancelled_with_what_was_measured():
    with grpc_server(hanging(0.02)) as address, Worker() as worker:
        worker.send(photo(), Plan(sizes_px=(64,), warmups=0, repeats=500), backend(address))
        worker.next()
        worker.say("go")
        while worker.next()[0]["event"] != "measurement":
            pass
        worker.say("cancel")
        events = worker.rest()
    assert events[-1][0]["state"] == "cancelled"
    assert len(events) < 1000


def test_cancel_before_the_start_measures_nothing():
    with Worker() as worker:
        worker.send(photo(), PLAN, backend("127.0.0.1:9"))
        worker.next()
        worker.say("cancel")
        assert [event["event"] for event, _ in worker.rest()] == ["end"]


@pytest.mark.parametrize("started", [False, True])
def test_it_ends_when_its_parent_is_gone(started):
    with grpc_server(hanging(0.05)) as address, Worker() as worker:
        worker.send(photo(), Plan(sizes_px=(64,), repeats=500), backend(address))
        worker.next()
        if started:
            worker.say("go")
            worker.next()
        worker.process.stdin.close()
        assert worker.process.wait(10) == 1
        worker.process.stdin = None


def test_beyond_the_first_photos_of_a_set_only_those_that_flipped_are_pictured_until_it_is_enough(
    monkeypatch,
):
    monkeypatch.setattr(photo_set, "ALWAYS_SHOWN", 2)
    sent = io.BytesIO()
    pictures = photo_set.PhotoPictures(Parent(io.FileIO(os.devnull), sent))
    kept, flipped = ({"original": "tabby", "small": said} for said in ("tabby", "lynx"))
    for at, told in enumerate([kept, kept, kept, flipped, kept, flipped]):
        pictures.send(replace(result(at, **told), data=photo()))

    def keys() -> list[str]:
        return re.findall(r'"key": "(.+?)"', sent.getvalue().decode("latin-1"))

    assert keys() == ["photo-0", "photo-1", "photo-3", "photo-5"]
    pictures.send(replace(result(6, **flipped), data=b""))  # of a photo that has nothing to show
    monkeypatch.setattr(photo_set, "MOST_PICTURE_BYTES", 100)
    pictures.send(replace(result(7, **flipped), data=photo()))
    assert keys() == ["photo-0", "photo-1", "photo-3", "photo-5"]
