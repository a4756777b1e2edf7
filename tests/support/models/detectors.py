"""The networks of make_detectors.py: once a test run."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from tests.support.models.convertible import converter
from tests.support.processes.serving_process import ROOT


@functools.cache
def folder() -> Path:
    """The networks, made once a test run."""
    made = converter().folder / "detectors"
    command = [sys.executable, "-m", "tests.support.models.make_detectors", str(made)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=200)
    return made
