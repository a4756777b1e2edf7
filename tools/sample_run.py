"""Measure the sample run anew, on this machine: python -m tools.sample_run

Starts the app with its default model, measures the sample photo, searches for its breaking point, and writes
the exported report to static/samples/sample-run.json: the run with the id `sample`. Do it on a quiet machine:
a run in which anything failed is not written, and one with many noisy cells only with --anyway.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

ROOT: Final = Path(__file__).resolve().parent.parent
PHOTO: Final = ROOT / "static" / "samples" / "cat.png"
SAMPLE: Final = ROOT / "static" / "samples" / "sample-run.json"
PLAN: Final = {
    "sizes_px": [2048, 1024, 512, 384, 256, 192, 128, 64, 32, 16],  # those above the photo's own are skipped
    "formats": ["jpeg", "png", "webp"],
    "repeats": 20,
    "seed": 7,
}
MOST_BYTES: Final = 250_000
MOST_NOISY: Final = 0.1  # share of cells
READY: Final = "Pixelcost is ready: "
PATIENCE_S: Final = 600


def main() -> int:
    """Measure and write; 1 if it must be done again."""
    with tempfile.TemporaryDirectory() as folder, _app(Path(folder)) as url:
        run_url = f"{url}/api/runs/{_measured(url)}"
        _ended(url, requests.post(f"{run_url}/breaking-point", timeout=30))
        report = requests.get(f"{run_url}.json", timeout=30).json()
    text = json.dumps(report, ensure_ascii=False, separators=(",", ":"))
    problems = _problems(report, text)
    noisy = [cell for cell in report["cells"] if cell["validity"] != "VALID"]
    if len(noisy) > MOST_NOISY * len(report["cells"]) and "--anyway" not in sys.argv:
        problems.append(f"{len(noisy)} of {len(report['cells'])} cells are noisy: {noisy[0]['reasons'][0]}")
    if problems:
        print("Not written:", "; ".join(problems), file=sys.stderr)
        return 1
    SAMPLE.write_text(text + "\n", "utf-8")
    print(f"wrote {SAMPLE.name} ({SAMPLE.stat().st_size:,} bytes): {report['recommendation']['sentence']}")
    return 0


@contextmanager
def _app(folder: Path) -> Iterator[str]:
    """The app on a free port, with its data in `folder`; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIXELCOST_", "TF_"))}
    environ = clean | {"PORT": str(port), "PIXELCOST_DATA_DIR": str(folder)}
    command = [sys.executable, "-u", "-m", "webapp"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # a pipe
        for line in process.stdout:
            if line.startswith(READY):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _measured(url: str) -> str:
    """The id of a finished run of the sample photo on every backend that is ready, over gRPC."""
    backends = requests.get(f"{url}/api/backends", timeout=30).json()["backends"]
    plan = PLAN | {
        "backend_names": [
            row["name"] for row in backends if (row["state"], row["protocol"]) == ("ready", "grpc")
        ]
    }
    files = {"file": (PHOTO.name, PHOTO.read_bytes())}
    return _ended(
        url, requests.post(f"{url}/api/runs", files=files, data={"plan": json.dumps(plan)}, timeout=30)
    )


def _ended(url: str, started: requests.Response) -> str:
    """The id of a run or follow-up, when its event stream has said that it has ended."""
    started.raise_for_status()
    events = requests.get(url + started.json()["events_url"], timeout=PATIENCE_S).text
    if "event: end" not in events:
        raise TimeoutError(f"the run did not end: {events[-300:]}")
    run_id: str = started.json()["id"]
    return run_id


def _problems(report: dict[str, Any], text: str) -> list[str]:
    found = []
    if report["state"] != "done" or report["requests"]["failed"]:
        found.append("the run failed, or some of its requests did")
    if not report["breaking_points"]:
        found.append("the search for the breaking point found nothing")
    if report["pictures"].keys() < {variant["id"] for variant in report["variants"]}:
        found.append("variants without a picture")
    if len(text.encode()) >= MOST_BYTES:
        found.append(f"it has {len(text.encode()):,} bytes, and {MOST_BYTES:,} are the limit")
    return found


if __name__ == "__main__":
    sys.exit(main())
