"""How fast one core computes Inception v3 with each runtime, loaded as our server loads it.

Without decoding, which OpenVINO does not do. Target: OpenVINO in bf16 at least twice TensorFlow.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.support import servables
from bench.support.cores import client_and_server
from bench.support.figures import figure
from bench.support.processes import loop

BLOCKS = 20
COUNT = 4  # images of each in a block
WAYS = {
    "TensorFlow f32": ("tensorflow", "f32"),
    "OpenVINO f32": ("openvino", "f32"),
    "OpenVINO bf16": ("openvino", "bf16"),
}
SLOW, FAST = "TensorFlow f32", "OpenVINO bf16"
LEAST_TIMES = 2.0


def bench(blocks: int = BLOCKS) -> Iterator[str]:
    """The lines to print."""
    _, core = client_and_server()
    model = servables.made("inception")
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    with ExitStack() as stack:
        photo = Path(stack.enter_context(tempfile.NamedTemporaryFile(suffix=".jpg")).name)
        photo.write_bytes(servables.photo_of())
        loops = {
            name: stack.enter_context(
                loop(model, core, photo, runtime=runtime, precision=precision, stage="inference")
            )
            for name, (runtime, precision) in WAYS.items()
        }
        shuffled = random.Random(0)
        for _ in range(blocks):
            for name in shuffled.sample(list(WAYS), len(WAYS)):
                rates[name].append(1e3 / statistics.median(loops[name].times_ms(COUNT)))
    yield from _lines(rates)


def _lines(rates: dict[str, list[float]]) -> Iterator[str]:
    for name, found in rates.items():
        yield figure(f"{name}, one core", found, "images/s")
    for name in list(WAYS)[1:]:
        ratios = [fast / slow for fast, slow in zip(rates[name], rates[SLOW], strict=True)]
        target = LEAST_TIMES if name == FAST else None
        yield figure(f"{name} / {SLOW}", ratios, at_least=target)
