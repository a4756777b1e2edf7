"""The models that the serving benchmarks serve, made once in processes of their own, under var/bench."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from bench.support.errors import CannotRun
from bench.support.photo import SAMPLE

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var" / "bench"
JPEG_BYTES = 110_000


def default() -> Path:
    """Base path of the default model, EfficientNet-Lite0."""
    out = CACHE / "default"
    _python("-m", "models", "export", "efficientnet-lite0", "--out", str(out))
    return out


def made(kind: str) -> Path:
    """Base path of a model that make_servables.py writes: `inception` or `null`."""
    base = CACHE / kind
    if not (base / "1").is_dir():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, prefix=".") as scratch:
            _python("-m", "bench.support.make_servables", kind, f"{scratch}/1")
            (Path(scratch) / "1").rename(base / "1")
    return base


def _python(*arguments: str) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


@functools.cache
def photo_of(size_bytes: int = JPEG_BYTES) -> bytes:
    """A JPEG of about that size, always the same: the sample cat, 1024 px wide, filled up with a comment.

    A decoder skips the filling, so decoding takes no longer; only the transport sees it.
    """
    with Image.open(SAMPLE) as sample:
        width_px, height_px = 1024, 1024 * sample.height // sample.width
        picture = sample.convert("RGB").resize((width_px, height_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    data = buffer.getvalue()
    return data[:2] + _comments(max(0, size_bytes - len(data))) + data[2:]


def _comments(size_bytes: int) -> bytes:
    """JPEG comments of that size together; one holds 65 533 bytes at most."""
    parts = []
    while size_bytes > 4:
        length = min(size_bytes - 4, 65_533)
        parts.append(b"\xff\xfe" + (length + 2).to_bytes(2, "big") + bytes(length))
        size_bytes -= length + 4
    return b"".join(parts)
