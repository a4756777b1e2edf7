"""Photos that are small files and large pictures: what decoding them takes, and that it is one at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from PIL import Image

from experiment.images.header import read_header
from tests.support.odd_photos import chunk, encoded, exif, png
from tests.support.photo_files.boxes import heic_of_12_bits
from tests.support.processes.app_process import ROOT, free_port, running_app
from tests.support.processes.webapp_parts import eventually
from webapp.worker.large_photos import LARGE_BYTES

WIDTH_PX, HEIGHT_PX = 3000, 2000
OTHERS_BYTES = 20_000_000  # what a process takes for whatever else it does meanwhile

PEAK = """
import sys
from experiment.images.read import read_image
def status_kb(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])
data = sys.stdin.buffer.read()
before = status_kb("VmRSS")
read_image(data, "photo")
print((status_kb("VmHWM") - before) * 1024)
"""


def plain(mode: str, kind: str, **options: object) -> bytes:
    return encoded(Image.new(mode, (WIDTH_PX, HEIGHT_PX), 7 if mode in {"L", "P"} else None), kind, **options)


def png_of_16_bits(colour: int, samples: int, *extra: bytes) -> bytes:
    rows = zlib.compress((b"\0" + bytes(2 * samples * WIDTH_PX)) * HEIGHT_PX, 1)
    return png(WIDTH_PX, HEIGHT_PX, 16, colour, rows, b"".join(extra))


def interlaced() -> bytes:
    plain_ = png(WIDTH_PX, HEIGHT_PX, 16, 6, zlib.compress(bytes(9 * WIDTH_PX * HEIGHT_PX), 1))
    return plain_[:8] + chunk(b"IHDR", plain_[16:28] + b"\x01") + plain_[33:]


COSTLY: dict[str, Callable[[], bytes]] = {
    "progressive JPEG": lambda: plain("RGB", "JPEG", progressive=True, subsampling="4:4:4", exif=exif(6)),
    "progressive CMYK": lambda: plain("CMYK", "JPEG", progressive=True),
    "PNG of 16 bits": lambda: png_of_16_bits(6, 4),
    "PNG of 16 bits with a clear grey": lambda: png_of_16_bits(0, 1, chunk(b"tRNS", b"\0\0")),
    "interlaced PNG of 16 bits": interlaced,
    "PNG with a palette, partly clear": lambda: plain("P", "PNG", transparency=7),
    "lossless WebP": lambda: plain("RGBA", "WEBP", lossless=True),
    "lossy WebP": lambda: plain("RGB", "WEBP", method=0),
    "GIF": lambda: plain("P", "GIF", transparency=7),
    "BMP of one bit": lambda: plain("1", "BMP"),
    "AVIF, partly clear": lambda: plain("RGBA", "AVIF", subsampling="4:4:4", speed=10),
    "HEIC of 12 bits, partly clear": lambda: heic_of_12_bits((WIDTH_PX, HEIGHT_PX), 9, "RGBA"),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_decoding_takes_no_more_memory_than_the_header_lets_expect(kind):
    data = COSTLY[kind]()
    command = [sys.executable, "-c", PEAK]
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=True, timeout=60)
    most = read_header(data, kind).decoding_bytes + OTHERS_BYTES
    assert most / 3 < int(done.stdout) <= most, f"{int(done.stdout) / 1e6:.0f} of {most / 1e6:.0f} MB"


def memory_bytes(pid: int) -> int:
    """Of a process and all below it, what they share counted once. 0 when it is gone."""
    try:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        below = {int(child) for each in children for child in each.read_text().split()}
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    own = next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return own + sum(map(memory_bytes, below))


class Watch(threading.Thread):
    """Looks again and again at what a process and all below it take."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            self.most = max(self.most, memory_bytes(self.pid))
            time.sleep(0.02)


def test_five_large_photos_at_once_take_the_memory_of_one(tmp_path):
    """Each of these 1 kB takes some 350 MB while it is decoded; five at once took 1.9 GB."""
    data = encoded(Image.new("RGB", (5000, 4000), "red"), "WEBP", lossless=True)
    assert len(data) < 3000
    one = read_header(data, "red.webp").decoding_bytes
    answers: list[tuple[int, str]] = []

    def send() -> None:
        plan = '{"sizes_px": [64], "formats": ["jpeg"], "warmups": 0, "repeats": 1}'
        files = {"file": ("red.webp", data)}
        answer = requests.post(f"{app.url}/api/runs", files=files, data={"plan": plan}, timeout=120)
        answers.append((answer.status_code, answer.json().get("id")))

    with running_app(tmp_path, TF_SERVERS=f"Gone:127.0.0.1:{free_port()}") as app:
        watch = Watch(app.process.pid)
        watch.start()
        senders = [threading.Thread(target=send) for _ in range(5)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert [status for status, _ in answers] == [202] * 5
        eventually(lambda: any(len(app.report(run_id)["variants"]) == 2 for _, run_id in answers), 60)
        watch.over.set()
        watch.join()
    assert watch.most < one + 600_000_000, f"{watch.most / 1e6:.0f} MB"


def test_a_large_photo_of_a_set_waits_for_its_turn_too(app):
    data = encoded(Image.new("RGB", (3000, 2500), "red"), "WEBP", lossless=True)
    assert read_header(data, "red.webp").decoding_bytes > LARGE_BYTES
    files = [("file", (f"{number}.webp", data)) for number in range(2)]
    plan = '{"sizes_px": [64], "formats": ["jpeg"], "warmups": 0, "repeats": 1}'
    sent = {"url": f"{app.url}/api/runs?photos=many", "files": files, "data": {"plan": plan}, "timeout": 120}
    answers = [requests.post(**sent), app.post_run(data, plan, "alone.webp")]
    assert [answer.status_code for answer in answers] == [202, 202]
    reports = [app.finished(answer.json()["id"]) for answer in answers]
    assert [report["state"] for report in reports] == ["done", "done"]
    assert reports[1]["source"]["width_px"] == 3000
