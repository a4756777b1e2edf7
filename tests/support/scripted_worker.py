"""A timing process that plays a script instead of measuring: an honest fake for the web tests.

It reads a real job and speaks the real protocol of webapp/worker/pipe.py, but its latencies
are made up: 10 ms for each request. The photo's name says what it does:

    anything     every variant and every request of the plan, then "done"
    slow-…       the same with 20 ms between two requests, until cancelled
    refuse-…     refuses the photo as damaged
    refuse-later-…  accepts it, and refuses it when the run begins
    die-…        dies of SIGKILL after 5 measurements
    die-at-once-…   dies of SIGKILL before it answers
    broken-…     ends with exit code 3 before it answers
    hang-…       never answers
    large-…      asks for the turn of large photos before it answers, and before it makes variants
    large-slow-…  the same, and keeps the second turn until cancelled
    mute-…       a photo to classify: makes the variant, and never answers
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

from experiment.codec import from_dict, to_dict
from experiment.records import (
    BackendInfo,
    Label,
    Measurement,
    Plan,
    Prediction,
    SourceImage,
    Variant,
)

TOP = (
    Label("tabby", 0.7),
    Label("tiger cat", 0.2),
    Label("lynx", 0.05),
    Label("fox", 0.03),
    Label("dog", 0.02),
)


def say(event: str, data: bytes = b"", **fields: Any) -> None:
    sys.stdout.buffer.write(json.dumps({"event": event, **fields}).encode() + b"\n" + data)
    sys.stdout.buffer.flush()


def variants(plan: Plan) -> list[tuple[Variant, bytes]]:
    """The original and one variant for each size and format; its bytes spell its id."""
    ids = [("original", 2048, "png")]
    ids += [(f"{size}-{kind}", size, kind) for size in plan.sizes_px for kind in plan.formats]
    return [
        (
            Variant(
                id=variant_id,
                size_px=size,
                width_px=size,
                height_px=size,
                format=kind,
                quality=None,
                encoder="made up",
                size_bytes=len(variant_id),
                sha256="0" * 64,
                decode_ms=1.0,
                resize_ms=None if variant_id == "original" else 2.0,
                encode_ms=None if variant_id == "original" else 3.0,
                is_reference=variant_id == "original",
            ),
            variant_id.encode(),
        )
        for variant_id, size, kind in ids
    ]


def measurement(variant: Variant, backend: BackendInfo, attempt: int, is_warmup: bool) -> Measurement:
    distribution = (0.7, 0.3) if attempt == 0 and not is_warmup else None
    prediction = Prediction(TOP, request_bytes=100, response_bytes=50, distribution=distribution)
    return Measurement(variant.id, backend.name, attempt, is_warmup, time.time(), 10.0, prediction)


def await_turn(script: Script) -> None:
    script.read.clear()
    say("large")
    script.read.wait()


class Script(threading.Thread):
    """Listens for commands, as the real worker does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.go = threading.Event()
        self.read = threading.Event()
        self.cancel = threading.Event()

    def run(self) -> None:
        for line in sys.stdin.buffer:
            if line == b"cancel\n":
                self.cancel.set()
            if line == b"read\n":
                self.read.set()
            else:
                self.go.set()
        os._exit(1)


def refuse(name: str) -> None:
    say("refused", code="damaged", message=f"{name} is damaged.", http_status=422)


def main() -> None:
    line = sys.stdin.buffer.readline()
    if not line:
        return
    job = json.loads(line)
    photo = sys.stdin.buffer.read(job.get("size_bytes", 0))
    name, plan = job["name"], from_dict(Plan, job["plan"])
    backends = [from_dict(BackendInfo, each) for each in job["backends"]]
    script = Script()
    script.start()
    if name.startswith("die-at-once-"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("broken-"):
        os._exit(3)
    if name.startswith("hang-"):
        time.sleep(60)
    if name.startswith("refuse-") and not name.startswith("refuse-later-"):
        refuse(name)
        return
    if job["kind"] == "classify":
        classify(script, name, backends[0])
        return
    play(script, name, photo, job["true_label"], plan, backends)


def classify(script: Script, name: str, backend: BackendInfo) -> None:
    if name.startswith("large-"):
        await_turn(script)
    say("made")
    if name.startswith("die-"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("mute-"):
        time.sleep(60)
    say("answered", answer={"top": [to_dict(label) for label in TOP], "backend": backend.name})


def play(
    script: Script, name: str, photo: bytes, true_label: str | None, plan: Plan, backends: list[BackendInfo]
) -> None:
    made = variants(plan)
    requests = [
        measurement(variant, backend, attempt, is_warmup)
        for is_warmup, count in ((True, plan.warmups), (False, plan.repeats))
        for attempt in range(count)
        for variant, _ in made
        for backend in backends
    ]
    source = SourceImage(name, photo, "0" * 64, "image/png", len(photo), 2048, 2048, 1, 1.0, (), true_label)
    if name.startswith("large-"):
        await_turn(script)
    say("accepted", source=to_dict(source), skipped_sizes_px=[], requests_planned=len(requests))
    script.go.wait()
    if name.startswith("refuse-later-"):
        refuse(name)
        return
    if name.startswith("large-"):
        await_turn(script)
    if name.startswith("large-slow-"):
        script.cancel.wait()
    for variant, data in made:
        say("result", data, kind="variant", record=to_dict(variant))
    if name.startswith("large-"):
        say("made")
    say("progress", text=f"Making {len(made)} variants ({len(made)} done)")
    for number, each in enumerate(requests):
        if script.cancel.is_set():
            break
        if name.startswith("die-") and number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow-"):
            time.sleep(0.02)
        say("result", kind="measurement", record=to_dict(each))
    state = "cancelled" if script.cancel.is_set() else "done"
    say("end", state=state, environment={"app_version": "0", "cpu_count": 2}, failure=None)


if __name__ == "__main__":
    main()
    os._exit(0)  # the thread that listens can't be joined
