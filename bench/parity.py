"""Does another runtime give the top answer that TensorFlow gives? And how long does each compute?

    python -m bench.parity PHOTOS... [--model NAME|DIR] [--runtimes openvino,openvino:bf16,litert] [--limit N]

Each of PHOTOS is a folder or a zip of JPEG, PNG, GIF or BMP files; the model is a SavedModel's folder or a
name of `python -m models list`. It is written in the format of each runtime first, by `python -m models
convert`, into var/parity. Each runtime runs in a process of its own on one core and sees the same bytes.
TensorFlow decodes, resizes and computes in its own graph. Shares come with their 95 % interval (Wilson 1927).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
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

from experiment.report.proportions import wilson

ROOT = Path(__file__).resolve().parent.parent
KINDS = {".jpg", ".jpeg", ".png", ".gif", ".bmp"}
MADE = ROOT / "var" / "parity"
DEFAULT_MODEL = "efficientnet-lite0"
TENSORFLOW = "tensorflow"
FORMATS = {
    "openvino": "openvino",
    "onnxruntime": "onnx",
    "litert": "tflite",
    "opencv": "onnx",
    "pytorch": "torch_export",
}  # what each runtime is given: a target of `python -m models convert --to`


class NoAnswer(Exception):
    """Nothing can be compared. The message says why and what to do, in one sentence."""


@dataclass(frozen=True)
class Answers:
    """Of one runtime: the top class and its probability, and how long computing took, without decoding."""

    about: str
    top: list[tuple[bytes, float]]  # for each photo
    inference_ms: list[float]


def photos(sources: Sequence[Path], limit: int | None) -> Iterator[bytes]:
    """The bytes of each photo, source by source, in the order of their names."""
    found = (_zipped(source) if source.is_file() else _in_folder(source) for source in sources)
    yield from islice(chain.from_iterable(found), limit)


def _zipped(source: Path) -> Iterator[bytes]:
    try:
        archive = zipfile.ZipFile(source)
    except zipfile.BadZipFile as problem:
        raise NoAnswer(f"{source} is neither a folder nor a zip of photos.") from problem
    with archive:
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
    top: list[tuple[bytes, float]] = []
    inference_ms: list[float] = []
    for data in photos(sources, limit):
        try:
            pixels = decode(data)
            started = time.perf_counter()
            answer = classify(pixels)
        except Exception as problem:  # each runtime has its own
            reason = str(problem).partition("\n")[0]
            raise NoAnswer(f"{about} has no answer to photo {len(top) + 1}: {reason}") from problem
        inference_ms.append((time.perf_counter() - started) * 1e3)
        top.append((answer["classes"][0, 0], float(answer["scores"][0, 0])))
    return Answers(about, top, inference_ms)


def _tensorflow(model: Path) -> tuple[str, Any, Any]:
    os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "-1", "3"
    import tensorflow as tf  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(str(model))
    if missing := {"decode_images", "classify_pixels"} - set(loaded.signatures):
        raise NoAnswer(
            f"{model} has no signature {' and '.join(sorted(missing))}. Give it those of an export: "
            "python -m models convert PATH --out DIR."
        )
    decode, classify = loaded.signatures["decode_images"], loaded.signatures["classify_pixels"]
    return (
        f"TensorFlow {tf.__version__} f32",
        lambda data: decode(images=tf.constant([data]))["pixels"],
        lambda pixels: {name: value.numpy() for name, value in classify(pixels=pixels).items()},
    )


def _ours(runtime: str, model: Path) -> tuple[str, Any, Any]:
    from serving.models.loading import load  # noqa: PLC0415  # keeps TensorFlow's Python out
    from serving.runtimes.base import F32, Setting  # noqa: PLC0415  # keeps TensorFlow's Python out

    name, _, precision = runtime.partition(":")
    loaded = load(model, name, Setting(threads=1, precision=precision or F32))
    return (
        f"{loaded.about.runtime} {loaded.about.precision}",
        lambda data: loaded.infer("decode_images", {"images": np.array([data], object)}),
        lambda pixels: loaded.infer("classify_pixels", pixels),
    )


def compared(one: Answers, other: Answers) -> str:
    """One line: how often both name the same class first, and how far its probabilities are apart then."""
    pairs = list(zip(one.top, other.top, strict=True))
    apart = [abs(p - q) for (label, p), (same, q) in pairs if label == same]
    low, high = wilson(len(apart), len(pairs))
    return (
        f"{one.about} against {other.about}: {len(apart)} of {len(pairs)} photos keep the top class, "
        f"{100 * len(apart) / len(pairs):.2f} % (95 %: {100 * low:.2f} to {100 * high:.2f}); "
        f"its probability is up to {100 * max(apart, default=0):.2g} points off"
    )


def saved_model(name: str) -> Path:
    """The version's directory of a model: the one that was named, or the catalogue's, exported for it."""
    base = Path(name)
    if not base.is_dir():
        base = MADE / TENSORFLOW / name
        _models("export", name, "--out", base)
    versions = [version for version in base.iterdir() if version.name.isdecimal()]
    model = max(versions, key=lambda version: int(version.name), default=base)
    if not (model / "saved_model.pb").is_file():
        raise NoAnswer(f"{model} holds no SavedModel. Name the folder of one, or a name of the catalogue.")
    return model


def written_for(runtime: str, model: Path) -> Path:
    """The version's directory of `model`, a SavedModel's, in the format of a runtime."""
    target = FORMATS[runtime.partition(":")[0]]
    out = MADE / target / model.resolve().parent.name
    _models("convert", model, "--to", target, "--out", out)
    return out / "1"


def _models(*arguments: object) -> None:
    """Raises NoAnswer."""
    command = [sys.executable, "-m", "models", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoAnswer(done.stderr.strip().rpartition("python -m models: ")[2] or f"{command} failed")


def compare(sources: Sequence[Path], name: str, runtimes: Sequence[str], limit: int | None) -> Iterator[str]:
    """Every runtime against TensorFlow. Raises NoAnswer."""
    model = saved_model(name)
    expected = _answers(TENSORFLOW, model, sources, limit)
    yield _speed(expected)
    for runtime in runtimes:
        found = _answers(runtime, written_for(runtime, model), sources, limit)
        yield _speed(found)
        yield compared(found, expected)


def _answers(runtime: str, model: Path, sources: Sequence[Path], limit: int | None) -> Answers:
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        return alone.submit(ask, runtime, model, sources, limit).result()


def _speed(answers: Answers) -> str:
    median_ms = statistics.median(answers.inference_ms)
    return f"{answers.about}: median {median_ms:.2f} ms per photo on one core"


def main(arguments: Sequence[str]) -> int:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m bench.parity", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTOS")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|DIR")
    parser.add_argument("--runtimes", type=_runtimes, default=("openvino", "onnxruntime", "litert"))
    parser.add_argument("--limit", type=_count, help="the first so many photos")
    options = parser.parse_args(arguments)
    try:
        if not any(photos(options.photos, options.limit)):
            raise NoAnswer(f"{options.photos[0]} holds no photos. Supported are {', '.join(sorted(KINDS))}.")
        for line in compare(options.photos, options.model, options.runtimes, options.limit):
            print(line, flush=True)
    except NoAnswer as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of photos. Use 1 or more")
    return int(text)


def _runtimes(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name.partition(":")[0] not in FORMATS]:
        raise argparse.ArgumentTypeError(
            f"unknown runtime {unknown[0]!r}. The runtimes are {', '.join(FORMATS)}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
