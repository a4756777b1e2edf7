"""The ten variants of a 10 MP photo, and PNG writing, against Pillow used the usual way.

    python -m bench.variants [photo]

All on one core, with the same wheels on both sides.
"""

from __future__ import annotations

import io
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.support.figures import figure, ratios
from bench.support.photo import ten_megapixels
from bench.support.side_by_side import cpu_times_ms, on_one_core
from experiment.images.png import encode_png
from experiment.images.read import read_image
from experiment.images.resize import RESAMPLERS, copies, scaled
from experiment.images.variants import make_variants
from experiment.records import Plan, SourceImage

PLAN = Plan()
BLOCKS = 12  # each does everything once
LEAST_TIMES_NAIVE, LEAST_TIMES_PILLOW, MOST_TIMES_BYTES, LEAST_PSNR_DB = 8.5, 25, 1.06, 50


def bench() -> list[str]:
    """The lines to print, for a photo that is always the same."""
    return list(compared(ten_megapixels(), "cat.jpg"))


def compared(data: bytes, name: str) -> Iterator[str]:
    """The lines to print for one photo, each as soon as it is measured."""
    source = read_image(data, name)
    yield f"{source.width_px} x {source.height_px} px, {source.size_bytes / 1e6:.2f} MB; CPU time on one core"
    with on_one_core():
        yield from _whole_set(data)
        yield from _png_alone(source)
    yield from _likeness(source)


def _whole_set(data: bytes) -> Iterator[str]:
    ways = {
        "decode": lambda: Image.open(io.BytesIO(data)).load(),
        "naive": lambda: _naive_set(data),
        "ours": lambda: make_variants(read_image(data, "cat.jpg"), PLAN),
    }
    times = cpu_times_ms(ways, BLOCKS)
    naive_ms, ours_ms = statistics.median(times["naive"]), statistics.median(times["ours"])
    yield f"variant set: naive loop {naive_ms:.0f} ms, ours {ours_ms:.0f} ms"
    yield figure("  naive loop / ours", ratios(times["naive"], times["ours"]), at_least=LEAST_TIMES_NAIVE)
    yield figure("  ours / decoding the photo once", ratios(times["ours"], times["decode"]))


def _naive_set(data: bytes) -> list[bytes]:
    """The code that everybody writes: for each variant open, decode, resize, save."""
    made = []
    for size_px in PLAN.sizes_px:
        for kind, options in (("PNG", {}), ("JPEG", {"quality": PLAN.jpeg_qualities[0]})):
            image: Image.Image = Image.open(io.BytesIO(data))
            image = image if image.mode == "RGB" else image.convert("RGB")
            if size_px <= max(image.size):
                small = image.resize(scaled(*image.size, size_px), Image.Resampling.LANCZOS)
                made.append(_saved(small, kind, **options))
    return made


def _png_alone(source: SourceImage) -> Iterator[str]:
    yield f"PNG writing, target: at most {MOST_TIMES_BYTES} times the bytes of Pillow's default"
    for image in _copies_of(source)[:3]:
        ways = _ways_to_write(image)
        times = cpu_times_ms(ways, BLOCKS)
        size_bytes = {name: len(way()) for name, way in ways.items()}
        for other, least in (("default", LEAST_TIMES_PILLOW), ("level 1", None)):
            bytes_ratio = size_bytes["ours"] / size_bytes[other]
            name = f"  {max(image.size)} px, Pillow's {other} / ours, {bytes_ratio:.3f} times its bytes"
            yield figure(name, ratios(times[other], times["ours"]), at_least=least)


def _ways_to_write(image: Image.Image) -> dict[str, Callable[[], bytes]]:
    return {
        "default": lambda: _saved(image, "PNG"),
        "level 1": lambda: _saved(image, "PNG", compress_level=1),
        "ours": lambda: encode_png(image),
    }


def _likeness(source: SourceImage) -> Iterator[str]:
    assert source.pixels is not None
    worst_db = min(
        _psnr_db(image, source.pixels.resize(image.size, RESAMPLERS["lanczos"]))
        for image in _copies_of(source)
    )
    yield f"copies against direct Lanczos, worst      {worst_db:.1f} dB (PSNR), target >= {LEAST_PSNR_DB}"


def _copies_of(source: SourceImage) -> Sequence[Image.Image]:
    assert source.pixels is not None
    return [copy.image for copy in copies(source.pixels, PLAN.sizes_px, PLAN.resamplers[0])]


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _psnr_db(one: Image.Image, other: Image.Image) -> float:
    error = float(np.mean(np.square(np.asarray(one).astype(float) - np.asarray(other))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


if __name__ == "__main__":
    photo = Path(sys.argv[1]) if sys.argv[1:] else None
    for line in compared(
        photo.read_bytes() if photo else ten_megapixels(), photo.name if photo else "cat.jpg"
    ):
        print(line, flush=True)
