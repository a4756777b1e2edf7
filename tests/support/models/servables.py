"""The small models of make_servables.py: made once in a process of its own, then found again."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.locks import alone_in

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("make_servables.py")
CACHE = ROOT / "var" / "tests" / "servables"


def servable(name: str) -> Path:
    """Base path of a model, with its versions in it. Never write there: see `place`."""
    base = _made() / name
    assert base.is_dir(), f"make_servables.py makes no {name}"
    return base


def version(name: str, number: int | None = None) -> Path:
    """Directory of one version of a model; None: its only one."""
    (path,) = [path for path in servable(name).iterdir() if number in (None, int(path.name))]
    return path


def place(source: Path, base: Path, number: int) -> Path:
    """Put a version into a base path at once, as a careful exporter does: written beside, then renamed."""
    scratch = base.parent / f".{base.name}-{number}"
    shutil.copytree(source, scratch)
    base.mkdir(exist_ok=True)
    return scratch.rename(base / str(number))


@functools.cache
def _made() -> Path:
    """A directory named by the script's hash, so that a changed script makes its models anew."""
    out = CACHE / hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:16]
    with alone_in(CACHE):
        if not out.is_dir():
            _make(out)
    return out


def _make(out: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        fresh = Path(scratch) / "fresh"
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(fresh)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        fresh.rename(out)
