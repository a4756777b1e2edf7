"""Runs `python -m models` as a process, because `experiment` may not import `models` and TensorFlow.

The process ends when this one is killed, or `stop` is set.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from common.installed import as_typed
from common.processes import end, end_with_parent
from experiment.errors import EmbeddedFailed

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 5.0
SPEAKER = as_typed("python -m models: ")  # what its own messages begin with


class ModelUnavailable(EmbeddedFailed):
    """`python -m models` failed. The message's first line says why, the rest what to do."""


class StartStopped(EmbeddedFailed):
    """The user ended the start."""


def run_models(arguments: list[str], stop: threading.Event | None = None) -> None:
    """Run it to its end; the progress of a download goes to this process's standard error.

    Raises ModelUnavailable, and StartStopped when `stop` is set meanwhile.
    """
    stop = stop or threading.Event()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "models", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=words,
            preexec_fn=end_with_parent,  # noqa: PLW1509  only prctl
        )
        while process.poll() is None and not stop.is_set():
            time.sleep(0.05)
        if stop.is_set():
            end(process, STOP_TIMEOUT_S)
            raise StartStopped("The start was ended.")
        if process.returncode:
            words.seek(0)
            raise ModelUnavailable(_said(words.read()) or f"It ended with exit code {process.returncode}.")


def catalogue() -> list[dict[str, Any]]:
    """The models that have a name, as `python -m models list --json` prints them; empty if it fails."""
    command = [sys.executable, "-m", "models", "list", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return list(json.loads(done.stdout)) if done.returncode == 0 else []


def _said(text: str) -> str:
    """The command's own message, without what libraries printed before it; all output after a crash."""
    return text.rpartition(SPEAKER)[2].strip()[-2000:]
