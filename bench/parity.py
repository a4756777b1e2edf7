"""Does another runtime give the top answer that TensorFlow gives? And how long does each compute?

    python -m bench.parity PHOTOS... [--model DIR] [--runtimes openvino:f32,openvino:bf16] [--limit N]

Each of PHOTOS is a folder or a zip of JPEG, PNG, GIF or BMP files, DIR a version's directory, by default the
demo model's. Each runtime runs in a process of its own on one core and sees the same bytes. TensorFlow
decodes, resizes and computes in its own graph. Shares come with their 95 % interval (Wilson 1927).
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
KINDS = {".jpg", ".jpeg", ".png", ".gif", ".bmp"}
TENSORFLOW = "tensorflow"
Z_95 = 1.959964


@dataclass(frozen=True)
class Answers:
    """Of one runtime: the top class of each photo, and how long computing it took, without decoding."""

    about: str
    top: list[bytes]
    inference_ms: list[float]


def wilson_percent(hits: int, count: int) -> tuple[float, float]:
    """The interval that holds the true share with 95 % confidence."""
    share, spread = hits / count, Z_95**2 / count
    middle = share + spread / 2
    half = Z_95 * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    low, high = ((middle + sign * half) / (1 + spread) for sign in (-1, 1))
    return 100 * max(0.0, low), 100 * min(1.0, high)


def photos(sources: Sequence[Path], limit: int | None) -> Iterator[bytes]:
    """The bytes of each photo, source by source, in the order of their names."""
    each = (_zipped(source) if source.is_file() else _in_folder(source) for source in sources)
    yield from islice(chain.from_iterable(each), limit)


def _zipped(source: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if Path(name).suffix.lower() in KINDS:
                yield archive.read(name)


def _in_folder(source: Path) -> Iterator[bytes]:
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in KINDS:
            yield path.read_bytes()


def ask(runtime: str, model: Path, sources: Sequence[Path], limit: int | None) -> Answers:
    """Runs in a process of its own, because TensorFlow and the embedded server can't share one."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    about, decode, classify = _tensorflow(model) if runtime == TENSORFLOW else _ours(runtime, model)
    top, inference_ms = [], []
    for data in photos(sources, limit):
        pixels = decode(data)
        started = time.perf_counter()
        top.append(classify(pixels))
        inference_ms.append((time.perf_counter() - started) * 1e3)
    return Answers(about, top, inference_ms)


def _tensorflow(model: Path) -> tuple[str, Any, Any]:
    os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "-1", "3"
    import tensorflow as tf  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(str(model))
    decode, classify = loaded.signatures["decode_images"], loaded.signatures["classify_pixels"]
    return (
        f"TensorFlow {tf.__version__} f32",
        lambda data: decode(images=tf.constant([data]))["pixels"],
        lambda pixels: classify(pixels=pixels)["classes"].numpy()[0, 0],
    )


def _ours(runtime: str, model: Path) -> tuple[str, Any, Any]:
    from serving.runtimes import F32, Setting, load  # noqa: PLC0415  # keeps TensorFlow's Python out

    name, _, precision = runtime.partition(":")
    loaded = load(model, name, Setting(threads=1, precision=precision or F32))
    return (
        f"{loaded.about.runtime} {loaded.about.precision}",
        lambda data: loaded.infer("decode_images", {"images": np.array([data], object)}),
        lambda pixels: loaded.infer("classify_pixels", pixels)["classes"][0, 0],
    )


def compared(one: Answers, other: Answers) -> str:
    """One line: how often both name the same class first."""
    count = len(one.top)
    same = sum(a == b for a, b in zip(one.top, other.top, strict=True))
    low, high = wilson_percent(same, count)
    return (
        f"{one.about} against {other.about}: {same} of {count} photos keep the top class, "
        f"{100 * same / count:.2f} % (95 %: {low:.2f} to {high:.2f})"
    )


def compare(
    sources: Sequence[Path], model: Path, runtimes: Sequence[str], limit: int | None
) -> Iterator[str]:
    """Every runtime against TensorFlow, then each against the one before it."""
    found: list[Answers] = []
    for runtime in (TENSORFLOW, *runtimes):
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            found.append(alone.submit(ask, runtime, model, sources, limit).result())
        latest = found[-1]
        yield f"{latest.about}: median {statistics.median(latest.inference_ms):.2f} ms per photo on one core"
        if len(found) > 1:
            yield compared(latest, found[0])
        if len(found) > 2:
            yield compared(latest, found[-2])


def main(arguments: Sequence[str]) -> int:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m bench.parity", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTOS")
    parser.add_argument("--model", type=Path, default=ROOT / "var" / "models" / "demo" / "1")
    parser.add_argument("--runtimes", default="openvino:f32,openvino:bf16")
    parser.add_argument("--limit", type=int)
    asked = parser.parse_args(arguments)
    if not any(photos(asked.photos, 1)):
        print(f"{asked.photos[0]} holds no photo: looked for {', '.join(sorted(KINDS))}.")
        return 2
    for line in compare(asked.photos, asked.model, asked.runtimes.split(","), asked.limit):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
