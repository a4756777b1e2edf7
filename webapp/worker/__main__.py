"""The timing process: one run from photo to last measurement, and nothing else in it.

The web process starts it, writes one job to its standard input and reads events from
its standard output, one JSON line each (a `variant` line is followed by the variant's
bytes). Decoding an uploaded file and timing requests both belong here: a hostile file
can at worst end this process, and serving pages can't disturb the clock.

    in:   {"plan":…, "backends":[…], "name":…, "true_label":…, "limits":…, "size_bytes":n} + n bytes,
          with "browser":… also the bytes of each variant made there; see browser_job.py
          or with "photos":… many photos in files, see set_worker.py;
          or with "more":… a finished run's variants, see more_worker.py
          "go" when the run may begin, "cancel" at any time; end of input ends the process
    out:  accepted | refused, then variant…, progress…, measurement…, end; of a set photo…, end
          before accepted and before the first variant perhaps large, which is answered with "read", and
          then made behind the last variant; see large_photos.py
"""

from __future__ import annotations

import ctypes
import io
import json
import resource
import sys
from collections.abc import Callable

from experiment.codec import from_dict, to_dict
from experiment.errors import PixelcostError
from experiment.images.read import Limits, read_image
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Plan, Variant
from webapp.worker.browser import Received, receive
from webapp.worker.large_photos import PATIENCE_S, are_large, await_turn
from webapp.worker.pipe import Commands, Events, measure_on

PR_SET_NO_NEW_PRIVS = 38  # of <linux/prctl.h>
# Far above what a photo within the limits needs; a decoder gone wild gets MemoryError.
ADDRESS_SPACE_BYTES = 4 * 1024**3


def main() -> None:
    """Serve one job."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # nothing it starts gains rights, as by sudo
    events = Events(sys.stdout.buffer)
    # Unbuffered: a thread that waits in a buffered read can't be left behind at the end.
    pipe = io.FileIO(sys.stdin.fileno(), closefd=False)
    line = pipe.readline()
    if not line:
        return  # a spare that was never needed
    job = json.loads(line)
    data = _read(pipe, job["size_bytes"])
    made_parts = [_read(pipe, each["size_bytes"]) for each in job.get("browser", {}).get("variants", ())]
    commands = Commands(pipe)
    commands.start()
    plan = from_dict(Plan, job["plan"])
    backends = [from_dict(BackendInfo, row) for row in job["backends"]]
    if "photos" in job:
        from webapp.worker.photo_set import run_set  # noqa: PLC0415  only sets need it

        run_set(events, commands, job, plan, backends)
        return
    if "more" in job:
        from webapp.worker.follow_up import run_more  # noqa: PLC0415  only follow-ups need it

        run_more(events, commands, job, data, plan, backends)
        return
    limits = Limits(**job["limits"])

    def read() -> Received:
        if "browser" in job:
            return receive(job, data, made_parts, limits)
        return Received(read_image(data, job["name"], limits, job["true_label"]))

    try:
        is_large = are_large([data, *made_parts], job["name"], limits)
        if is_large:
            await_turn(events, commands)
        received = read()
    except PixelcostError as refusal:
        events.send("refused", code=refusal.code, message=refusal.message, http_status=refusal.http_status)
        return
    run(events, commands, received, plan, backends, read if is_large else None)


def _read(pipe: io.FileIO, size_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < size_bytes and (part := pipe.read(size_bytes - len(data))):
        data += part
    return bytes(data)


def run(
    events: Events,
    commands: Commands,
    received: Received,
    plan: Plan,
    backends: list[BackendInfo],
    read_again: Callable[[], Received] | None = None,
) -> None:
    """Announce the run, wait for "go", make the variants, measure, say how it ended.

    A large photo comes with `read_again`: its pixels are let go while the run waits, and once all is made.
    """
    present = [info for info in backends if info.state != "absent"]
    events.send(
        "accepted",
        source=to_dict(received.source),
        skipped_sizes_px=received.skipped_sizes_px(plan),
        requests_planned=planned_requests(plan, received.planned_variants(plan), present),
    )
    has_pixels = read_again is None or commands.go.wait(PATIENCE_S)
    if not has_pixels:
        received.let_go()
    commands.go.wait()
    facts = environment() | dict(received.facts)
    variants = []
    if not commands.cancel.is_set():
        if read_again:
            await_turn(events, commands)
            received = received if has_pixels else received.with_pixels_of(read_again())
        variants = _make(events, received, plan)
        received.let_go()
        if read_again:
            events.send("made")
    heartbeat = measure_on(events, commands, plan, variants, present)
    state = "cancelled" if commands.cancel.is_set() else "done"
    events.send("end", state=state, environment=facts | heartbeat.facts(), failure=None)


def _make(events: Events, received: Received, plan: Plan) -> list[Variant]:
    count = received.planned_variants(plan)
    made = 0

    def announce(variant: Variant) -> None:
        nonlocal made
        made += 1
        events.send("variant", data=variant.data, variant=to_dict(variant), size_bytes=variant.size_bytes)
        events.send("progress", text=f"Making {count} variants ({made} done)")

    return received.variants(plan, announce)


if __name__ == "__main__":
    main()
