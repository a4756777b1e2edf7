"""run_locust(): the users of one kind, in a process of their own: Locust changes how all of Python blocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from threading import Event

from common.processes import end_with_parent
from experiment.wording import one_line
from loadtest.errors import LoadRefused
from loadtest.records import Sample, Taken
from loadtest.send.recording import CANCELLED
from loadtest.users.asked import SAMPLES, Asked
from loadtest.users.crowd import Crowd
from loadtest.users.kinds import Kind
from loadtest.users.samples import SampleReader

ROOT = Path(__file__).resolve().parents[2]
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
INSTALL = ".venv/bin/python -m pip install --require-hashes -r requirements/locust.txt"
POLL_S = 0.2
LAST_ANSWERS_S = 5.0  # that users may take to stop, beyond the time limit of a request
MOST_SAID = 3  # lines of Locust's own words in a sentence


def check_installed() -> None:
    """Raises LoadRefused if Locust is missing."""
    if find_spec("locust") is None:
        raise LoadRefused(f"Locust is not installed. Install it with: {INSTALL}")


def run_locust(
    asked: Asked,
    kind: Kind,
    crowd: Crowd,
    folder: Path,
    with_html: bool,
    cancel: Event,
    on_samples: Callable[[list[Sample]], None],
) -> Taken:
    """Run to the end; Locust's files are in `folder` then, their names begin with that of the kind.

    Users finish the requests that they have in flight at the end. Raises LoadRefused if Locust can't run.
    """
    folder = folder.absolute()  # Locust runs in another one
    raw, log = folder / f"{kind.name}_samples.jsonl", folder / f"{kind.name}_locust.log"
    command = _command(asked, kind, crowd, folder, with_html)
    environ = os.environ | asked.environment() | {SAMPLES: str(raw), "PYTHONUNBUFFERED": "1"}
    reader = SampleReader(raw)
    with log.open("wb") as words:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,  # Ctrl-C reaches it through `cancel`, once
            preexec_fn=end_with_parent,  # noqa: PLW1509  only prctl
        )
    _follow(process, cancel, lambda: on_samples(reader.new()))
    stopped = _why_it_stopped(process.returncode, raw, log, cancel)
    taken = reader.taken(stopped)
    if stopped and not taken.samples and not cancel.is_set():
        raise LoadRefused(stopped)
    raw.unlink(missing_ok=True)
    return taken


def _command(asked: Asked, kind: Kind, crowd: Crowd, folder: Path, with_html: bool) -> list[str]:
    prefix = folder / kind.name
    return [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", kind.user_class),
        *("--users", str(crowd.users), "--spawn-rate", f"{crowd.spawn_per_s:g}"),
        *("--run-time", str(crowd.run_time_s), "--only-summary"),
        # Without it Locust drops the requests in flight: the slowest ones would not be counted.
        *("--stop-timeout", f"{asked.timeout_s + LAST_ANSWERS_S:g}"),
        *("--csv", str(prefix), "--csv-full-history"),
        *(("--html", f"{prefix}.html") if with_html else ()),
    ]


def _follow(process: subprocess.Popen[bytes], cancel: Event, look: Callable[[], None]) -> None:
    """Until it has ended. When `cancel` is set it is told once to stop, and still writes its files."""
    was_told = False
    try:
        while process.poll() is None:
            if cancel.is_set() and not was_told:
                process.send_signal(signal.SIGINT)
                was_told = True
            look()
            time.sleep(POLL_S)
    finally:
        process.kill()  # where looking failed, or somebody pressed Ctrl-C again
        process.wait()
    look()


def _why_it_stopped(exit_code: int, raw: Path, log: Path, cancel: Event) -> str | None:
    if cancel.is_set():
        return CANCELLED
    if exit_code in {0, 1} and raw.exists():  # 1: some requests failed
        return None
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    said = one_line(" ".join(lines[-MOST_SAID:])) or "nothing"
    return f"Locust ended with {how}. Its last words, from {log.name}: {said}"
