"""Target: a stub server and what is sent to it, by us as a payload and by others from a file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from experiment.records import BackendInfo
from loadtest.cross_check.closed_loops import Asked
from loadtest.cross_check.comparison import Figures, figures_of
from loadtest.errors import LoadRefused
from loadtest.payloads.images import image_payload
from loadtest.records import Payload, Taken

IMAGE = bytes(range(256)) * 80  # 20 kB; the stub does not decode it
TIMEOUT_S = 60.0
SAMPLES = "samples.csv"


@dataclass(frozen=True, slots=True)
class Target:
    """One protocol of a stub server. The file holds the only body of the payload."""

    info: BackendInfo
    payload: Payload
    body: Path


def target_of(info: BackendInfo, folder: Path) -> Target:
    """Write the body into `folder`."""
    payload = image_payload(info, [IMAGE], ["20 kB"])
    body = folder / ("body.json" if info.protocol == "rest" else "body.bin")
    body.write_bytes(payload.bodies[0])
    return Target(info, payload, body)


def closed_loop_of(
    target: Target, folder: Path, requests: int, seconds: int, rate_per_s: float | None = None
) -> Asked:
    """The load of a tool of closed_loops.py on that target."""
    path = f"/v1/models/{target.info.model}:predict" if target.info.protocol == "rest" else ""
    return Asked(target.info.address, path, target.body, folder, requests, seconds, rate_per_s)


def our_figures(taken: Taken, folder: Path) -> Figures:
    """Of our own run, whose samples are kept in `folder`. Raises LoadRefused if a request failed."""
    with (folder / SAMPLES).open("x", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("due_s", "sent_s", "latency_ms", "ok"))
        writer.writerows(
            (round(each.due_s, 6), round(each.sent_s, 6), round(each.latency_ms, 3), each.ok)
            for each in taken.samples
        )
    if failed := sum(not sample.ok for sample in taken.samples):
        raise LoadRefused(f"{failed} of our requests failed: {'; '.join(taken.messages.values())}")
    return figures_of([sample.latency_ms for sample in taken.samples], taken.seconds)
