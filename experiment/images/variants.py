"""make_variants(): makes the encoded images that are sent: sizes, filters, formats, settings.

The photo is decoded once (read.py), resized once per size and filter (resize.py) and encoded in every way
(formats.py) on several threads: the encoders release the GIL. Times are CPU times of the thread that did the
work, so they don't grow when threads share a core.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from experiment.axes import variant_id
from experiment.images.browser import browser_encodings
from experiment.images.formats import FORMATS, encodings
from experiment.images.reference import make_reference
from experiment.images.resize import Copy, copies
from experiment.records import Plan, SourceImage, Variant

if TYPE_CHECKING:
    from PIL.Image import Image


def make_variants(
    source: SourceImage, plan: Plan, on_variant: Callable[[Variant], None] | None = None
) -> list[Variant]:
    """The reference, then every size (largest first) by every filter in every encoding, in the plan's order.

    `source` must hold its pixels, `plan` must have passed parse_plan(). The order, the
    ids and the bytes depend on the input only, not on threads. `on_variant` is called
    for each variant in that order, from the calling thread.

    Stage times: `decode_ms` is the photo's, the same for all; `resize_ms` is that of every step from the
    original to this size, None if it was not resized; `encode_ms` is this variant's own.
    """
    assert source.pixels is not None, "a stored source has no pixels"  # noqa: S101
    variants = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = [pool.submit(make_reference, source)]
        for copy, resampler in _copies(source.pixels, plan):  # resized here, encoded meanwhile in the pool
            futures += [
                pool.submit(_encoded, source, copy, resampler, key, settings)
                for key, settings in encodings(plan)
            ]
        for future in futures:
            variants.append(future.result())
            if on_variant:
                on_variant(variants[-1])
    return variants


def planned_variants(source: SourceImage, plan: Plan) -> int:
    """How many variants make_variants() will make, the reference included."""
    if plan.resize_in == "browser":
        return 1
    longest_px = max(source.width_px, source.height_px)
    filters = len(plan.resamplers)
    sizes_px = [size_px for size_px in set(plan.sizes_px) if size_px <= longest_px]
    made = sum(1 if size_px == longest_px else filters for size_px in sizes_px)
    return 1 + made * len(encodings(plan))


def most_variants(plan: Plan) -> int:
    """How many variants there are of a photo that is larger than every size, those of a browser included."""
    on_server = len(plan.resamplers) * len(encodings(plan))
    in_browser = len(plan.browser_engines) * len(browser_encodings(plan))
    places = {"server": on_server, "browser": in_browser, "both": on_server + in_browser}
    return 1 + len(set(plan.sizes_px)) * places[plan.resize_in]


def skipped_sizes_px(source: SourceImage, plan: Plan) -> tuple[int, ...]:
    """Sizes that would enlarge the photo, largest first."""
    longest_px = max(source.width_px, source.height_px)
    return tuple(sorted({size for size in plan.sizes_px if size > longest_px}, reverse=True))


def _copies(pixels: Image, plan: Plan) -> Iterator[tuple[Copy, str | None]]:
    """Every copy with the filter that made it; None for the original size, which needs no filter."""
    if plan.resize_in == "browser":
        return
    filters = plan.resamplers
    for same_size in zip(*(copies(pixels, plan.sizes_px, key) for key in filters), strict=True):
        if same_size[0].resize_ms is None:
            yield same_size[0], None
        else:
            yield from zip(same_size, filters, strict=True)


def make_copy(
    source: SourceImage, size_px: int, resampler: str, key: str, settings: Mapping[str, Any]
) -> Variant:
    """One variant: the photo at `size_px` (not above its own), encoded as format `key` with `settings`."""
    assert source.pixels is not None, "a stored source has no pixels"  # noqa: S101
    copy = next(copies(source.pixels, [size_px], resampler))
    return _encoded(source, copy, None if copy.resize_ms is None else resampler, key, settings)


def _encoded(
    source: SourceImage, copy: Copy, resampler: str | None, key: str, settings: Mapping[str, Any]
) -> Variant:
    image = copy.image.copy()  # Image.save() keeps its settings on the image: threads must not share one
    started_s = time.thread_time()
    data = FORMATS[key].encode(image, **settings)
    encode_ms = (time.thread_time() - started_s) * 1000
    return Variant(
        id=variant_id(copy.size_px, key, {**settings, "resampler": resampler}),
        size_px=copy.size_px,
        width_px=copy.image.width,
        height_px=copy.image.height,
        format=key,
        quality=settings.get("quality"),
        encoder=FORMATS[key].encoder(**settings),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=source.decode_ms,
        resize_ms=copy.resize_ms,
        encode_ms=encode_ms,
        subsampling=settings.get("subsampling"),
        resampler=resampler,
        channels=3,
        data=data,
    )
