"""How fast one core computes Inception v3 with each runtime, loaded as our server loads it.

Without decoding, which OpenVINO does not do. Target: OpenVINO in bf16 at least twice TensorFlow.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.support import servables
from bench.support.cores import client_and_server
from bench.support.figures import figure, ratios
from bench.support.processes import Loop, loop
from bench.support.side_by_side import by_turns

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
    with ExitStack() as stack:
        photo = Path(stack.enter_context(tempfile.NamedTemporaryFile(suffix=".jpg")).name)
        photo.write_bytes(servables.photo_of())
        loops = {
            name: stack.enter_context(
                loop(model, core, photo, runtime=runtime, precision=precision, stage="inference")
            )
            for name, (runtime, precision) in WAYS.items()
        }
        ways = {name: functools.partial(_rate_per_s, way) for name, way in loops.items()}
        rates = by_turns(ways, blocks, warmups=0)  # the loops are warm
    yield from _lines(rates)


def _rate_per_s(way: Loop) -> float:
    return 1e3 / statistics.median(way.times_ms(COUNT))


def _lines(rates: dict[str, list[float]]) -> Iterator[str]:
    for name, found in rates.items():
        yield figure(f"{name}, one core", found, "images/s")
    for name in list(WAYS)[1:]:
        target = LEAST_TIMES if name == FAST else None
        yield figure(f"{name} / {SLOW}", ratios(rates[name], rates[SLOW]), at_least=target)
