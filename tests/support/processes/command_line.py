"""`python -m experiment` as a process of its own, on the sample photo."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes.app_process import CAT, ROOT

QUICK = ["--sizes", "64,32", "--repeats", "6", "--warmups", "1"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiment", str(CAT), *QUICK, *arguments]


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )
