"""make_variants(): a photo becomes the encoded images that are sent, sizes times formats.

The photo is decoded once (images.py), each size is made once (resize.py) and encoded in
every format on threads of its own: the encoders release the GIL. Times are CPU times of
the thread that did the work, so they don't grow when threads share a core.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from experiment.formats import FORMATS, Format
from experiment.records import Plan, SourceImage, Variant
from experiment.reference import make_reference
from experiment.resize import RESAMPLERS, Copy, copies

__all__ = ["FORMATS", "RESAMPLERS", "Format", "make_variants", "planned_variants", "skipped_sizes_px"]


def make_variants(
    source: SourceImage, plan: Plan, on_variant: Callable[[Variant], None] | None = None
) -> list[Variant]:
    """The reference, then every size (largest first) in every format, in the plan's order.

    `source` must hold its pixels, `plan` must have passed parse_plan(). The order, the
    ids and the bytes depend on the input only, not on threads. `on_variant` is called
    for each variant in that order, from the calling thread.

    Stage times: `decode_ms` is the source's, the same for all; `resize_ms` leads from the
    original to this size through every step on the way, None where nothing was resized;
    `encode_ms` is this variant's own.
    """
    variants = []
    for variant in _made(source, plan):
        variants.append(variant)
        if on_variant:
            on_variant(variant)
    return variants


def planned_variants(source: SourceImage, plan: Plan) -> int:
    """How many variants make_variants() will make, the reference included."""
    return 1 + (len(set(plan.sizes_px)) - len(skipped_sizes_px(source, plan))) * len(plan.formats)


def skipped_sizes_px(source: SourceImage, plan: Plan) -> tuple[int, ...]:
    """Sizes that would enlarge the photo, largest first."""
    longest_px = max(source.width_px, source.height_px)
    return tuple(sorted({size for size in plan.sizes_px if size > longest_px}, reverse=True))


def _made(source: SourceImage, plan: Plan) -> Iterator[Variant]:
    """Resize here, encode meanwhile on as many threads as there are cores."""
    assert source.pixels is not None, "a stored source has no pixels"  # noqa: S101
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = [pool.submit(make_reference, source)]
        for copy in copies(source.pixels, plan.sizes_px, plan.resampler):
            futures += [pool.submit(_encoded, source, copy, key, plan.jpeg_quality) for key in plan.formats]
        yield from (future.result() for future in futures)


def _encoded(source: SourceImage, copy: Copy, key: str, quality: int) -> Variant:
    encoding = FORMATS[key]
    started_s = time.thread_time()
    data = encoding.encode(copy.image, quality)
    encode_ms = (time.thread_time() - started_s) * 1000
    return Variant(
        id=f"{copy.size_px}-{key}" if encoding.lossless else f"{copy.size_px}-{key}-{quality}",
        size_px=copy.size_px,
        width_px=copy.image.width,
        height_px=copy.image.height,
        format=key,
        quality=None if encoding.lossless else quality,
        encoder=encoding.encoder(quality),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=source.decode_ms,
        resize_ms=copy.resize_ms,
        encode_ms=encode_ms,
        data=data,
    )
