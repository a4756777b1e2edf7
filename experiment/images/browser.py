"""Variants that a browser made: how the page describes them, and whether their bytes agree.

Format, size, channels, chroma subsampling and hash are read from the bytes, whatever the page says. Only
stage times, the engine and the test for canvas noise have to be believed.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from experiment.axes import BROWSER_FORMATS, ENGINES, variant_id
from experiment.errors import ImageRefused, VariantsRefused
from experiment.images.header import Limits, read_header
from experiment.photo_files.jpeg_segments import STARTS_OF_FRAME, segments
from experiment.records import Plan, Variant

MAX_PIXELS_FACTOR = 8  # pixels of all variants of a run together, in photos of the largest allowed size
_COLOUR_TYPE_AT = 25  # in a PNG
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by PNG's colour type
# Sampling factors of the three components in a JPEG's start of frame.
_SUBSAMPLINGS: Final[Mapping[tuple[int, ...], str]] = {
    (0x11, 0x11, 0x11): "4:4:4",
    (0x21, 0x11, 0x11): "4:2:2",
    (0x22, 0x11, 0x11): "4:2:0",
}


@dataclass(frozen=True, slots=True)
class DescribedVariant:
    """The page's description of a variant. Times are by the browser's clock."""

    format: str  # a key of BROWSER_FORMATS
    size_px: int  # longest side
    quality: int | None  # None: lossless
    engine: str  # a key of ENGINES
    size_bytes: int  # of the uploaded file, counted by the server
    encoder: str = "a browser's canvas"  # or "pica 10.0.3 (Lanczos 3), Chromium 150 canvas encoder"
    decode_ms: float | None = None  # of the photo, the same for all variants
    resize_ms: float | None = None  # None: not resized
    encode_ms: float | None = None
    canvas_noise: bool | None = None  # None: not tested

    @property
    def words(self) -> str:
        """The name in messages: "512 px jpeg q85 by pica"."""
        quality = "" if self.quality is None else f" q{self.quality}"
        return f"{self.size_px} px {self.format}{quality} by {self.engine}"

    @property
    def id(self) -> str:
        """The id of the variant: "512-jpeg-85-pica"."""
        return variant_id(self.size_px, self.format, {"quality": self.quality, "engine": self.engine})


def browser_encodings(plan: Plan) -> list[tuple[str, int | None]]:
    """Every format and quality in which a browser encodes a copy, in the plan's order."""
    lists = {key: BROWSER_FORMATS[key] for key in plan.formats if key in BROWSER_FORMATS}
    return [
        (key, quality)
        for key, qualities in lists.items()
        for quality in (getattr(plan, qualities) if qualities else (None,))
    ]


def check_header(described: DescribedVariant, data: bytes, number: int, limits: Limits) -> list[str]:
    """Sentences on how the first bytes of variant `number` contradict the page; empty if they agree."""
    name = f"variants[{number}] ({described.words})"
    try:
        header = read_header(data, name, limits)
    except ImageRefused as refusal:
        return [f"{name}: {refusal.message}"]
    problems = []
    if header.media_type != f"image/{described.format}":
        problems.append(f"{name} is {header.format} by its bytes.")
    if max(header.width_px, header.height_px) != described.size_px:
        problems.append(
            f"{name} is {header.width_px} x {header.height_px} px by its bytes; size_px is the longest side."
        )
    return problems


def read_made(described: DescribedVariant, data: bytes) -> Variant:
    """The variant, with format, size and subsampling from its bytes, which check_header() has accepted."""
    header = read_header(data, described.words, Limits(max_bytes=len(data)))
    subsampling = jpeg_subsampling(data) if header.format == "JPEG" else None
    quality = "" if described.quality is None else f"q{described.quality}"
    return Variant(
        id=described.id,
        size_px=described.size_px,
        width_px=header.width_px,
        height_px=header.height_px,
        format=described.format,
        quality=described.quality,
        encoder=", ".join(fact for fact in (described.encoder, quality, subsampling) if fact),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=described.decode_ms,
        resize_ms=described.resize_ms,
        encode_ms=described.encode_ms,
        made_in="browser",
        subsampling=subsampling,
        resampler=None if described.resize_ms is None else ENGINES[described.engine],
        engine=described.engine,
        channels=_CHANNELS.get(data[_COLOUR_TYPE_AT], 3) if header.format == "PNG" else 3,
        canvas_noise=described.canvas_noise,
        data=data,
    )


def jpeg_subsampling(data: bytes) -> str | None:
    """ "4:2:0", from the start of frame (ITU-T T.81, B.2.2); None for unusual components."""
    try:
        frame = next(segment for segment in segments(data) if segment.marker in STARTS_OF_FRAME)
    except (StopIteration, EOFError, struct.error):
        return None
    components = data[frame.content + 6 : frame.end]
    return _SUBSAMPLINGS.get(tuple(components[1::3])) if len(components) == 9 else None


def check_against_plan(described: Sequence[DescribedVariant], plan: Plan, *, has_original: bool) -> None:
    """Raises VariantsRefused if a variant is not in the plan or was sent twice, or without the original."""
    encodings = browser_encodings(plan)
    problems = [
        f"variants[{number}] ({variant.words}) is not in the plan."
        for number, variant in enumerate(described)
        if (variant.format, variant.quality) not in encodings
        or variant.size_px not in plan.sizes_px
        or variant.engine not in plan.browser_engines
    ]
    counts = Counter(variant.id for variant in described)
    twice = {variant.words for variant in described if counts[variant.id] > 1}
    problems += [f"{words} was sent twice." for words in sorted(twice)]
    if plan.resize_in == "both" and not has_original:
        problems.append(
            'resize_in "both" needs the original, in the field `file`: the server makes its own copies.'
        )
    if problems:
        raise VariantsRefused(problems)


def check_shapes(variants: Sequence[Variant], width_px: int, height_px: int) -> None:
    """Raises VariantsRefused if a copy is larger than the photo (its size upright), or of another shape."""
    problems = []
    longest = max(width_px, height_px)
    for number, variant in enumerate(variants):
        name = f"variants[{number}] ({variant.id})"
        expected = [side * variant.size_px / longest for side in (width_px, height_px)]
        difference = max(abs(expected[0] - variant.width_px), abs(expected[1] - variant.height_px))
        if variant.size_px > longest:
            problems.append(f"{name} is larger than the photo, {longest} px. Send no enlarged copies.")
        elif difference > 1 and min(variant.width_px, variant.height_px) > 1:
            problems.append(
                f"{name} is {variant.width_px} x {variant.height_px} px; a copy of this photo is "
                f"{expected[0]:.0f} x {expected[1]:.0f} px. Was it turned upright?"
            )
    if problems:
        raise VariantsRefused(problems)


def with_reference(variants: Sequence[Variant]) -> list[Variant]:
    """The variants with the best one first, as the reference: the original was not uploaded.

    The best is the largest, of several formats the lossless one, else that of the highest quality.
    """
    best = max(
        variants, key=lambda one: (one.width_px * one.height_px, one.quality is None, one.quality or 0)
    )
    return [replace(best, is_reference=True), *(variant for variant in variants if variant is not best)]
