"""Variants that a browser made: what it says of each, and whether its bytes agree.

Nothing that a page sends is believed that the bytes can tell: format, size, channels, chroma
subsampling and hash are read from them. Stage times, the engine and the test for canvas noise
can only be taken on trust.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from experiment.axes import BROWSER_FORMATS, ENGINES, variant_id
from experiment.errors import ImageRefused, VariantsRefused
from experiment.images.header import Header, Limits, read_header
from experiment.records import Plan, Variant

MAX_PIXELS_FACTOR = 8  # all variants together, in photos of the most pixels: all are decoded at once
_COLOUR_TYPE_AT = 25  # in a PNG
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by PNG's colour type


@dataclass(frozen=True, slots=True)
class DescribedVariant:
    """What the page says of one variant. Times are the browser's own, by its clock."""

    format: str  # a key of BROWSER_FORMATS
    size_px: int  # longest side
    quality: int | None  # None: lossless
    engine: str  # a key of ENGINES
    size_bytes: int  # of its part, counted by the server
    encoder: str = (
        "a browser's canvas"  # with versions, "pica 10.0.3 (Lanczos 3), Chromium 150 canvas encoder"
    )
    decode_ms: float | None = None  # of the photo, the same for all
    resize_ms: float | None = None  # None: not resized
    encode_ms: float | None = None
    canvas_noise: bool | None = None  # None: not tested

    @property
    def words(self) -> str:
        """As messages name it: "512 px jpeg q85 by pica"."""
        quality = "" if self.quality is None else f" q{self.quality}"
        return f"{self.size_px} px {self.format}{quality} by {self.engine}"

    @property
    def id(self) -> str:
        """Of the variant that it becomes."""
        return variant_id(self.size_px, self.format, {"quality": self.quality, "engine": self.engine})


def browser_encodings(plan: Plan) -> list[tuple[str, int | None]]:
    """Format and quality of everything that a browser makes of one copy, in the plan's order."""
    found: list[tuple[str, int | None]] = []
    for key in plan.formats:
        many = BROWSER_FORMATS.get(key)
        found += [(key, quality) for quality in (getattr(plan, many) if many else (None,))]
    return [each for each in found if each[0] in BROWSER_FORMATS]


def check_header(described: DescribedVariant, data: bytes, number: int, limits: Limits) -> list[str]:
    """What the first bytes of part `number` say against what the page says, one sentence each."""
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
    """The variant, its bytes read for what they are. check_header() must have found nothing."""
    header = read_header(data, described.words, Limits(max_bytes=len(data)))
    subsampling = jpeg_subsampling(data) if header.format == "JPEG" else None
    return Variant(
        id=described.id,
        size_px=described.size_px,
        width_px=header.width_px,
        height_px=header.height_px,
        format=described.format,
        quality=described.quality,
        encoder=_encoder(described, subsampling),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        decode_ms=described.decode_ms,
        resize_ms=described.resize_ms,
        encode_ms=described.encode_ms,
        made_in="browser",
        subsampling=subsampling,
        resampler=None if described.resize_ms is None else ENGINES[described.engine],
        engine=described.engine,
        channels=_channels(header, data),
        canvas_noise=described.canvas_noise,
        data=data,
    )


def _encoder(described: DescribedVariant, subsampling: str | None) -> str:
    facts = [described.encoder, f"q{described.quality}" if described.quality else "", subsampling or ""]
    return ", ".join(each for each in facts if each)


def _channels(header: Header, data: bytes) -> int:
    return _CHANNELS.get(data[_COLOUR_TYPE_AT], 3) if header.format == "PNG" else 3


def jpeg_subsampling(data: bytes) -> str | None:
    """ "4:2:0", as the start of frame says (ITU-T T.81, B.2.2); None for what has no such name."""
    stream = io.BytesIO(data)
    stream.seek(2)
    while len(head := stream.read(4)) == 4:
        marker, length = struct.unpack(">xBH", head)
        if 0xC0 <= marker <= 0xC3:
            frame = stream.read(length - 2)
            if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
                return None
            factors = [frame[at] for at in range(7, 6 + 3 * frame[5], 3)]
            return _SUBSAMPLINGS.get(tuple(factors)) if len(factors) == 3 else None
        stream.seek(length - 2, io.SEEK_CUR)
    return None


_SUBSAMPLINGS: Final[Mapping[tuple[int, ...], str]] = {
    (0x11, 0x11, 0x11): "4:4:4",
    (0x21, 0x11, 0x11): "4:2:2",
    (0x22, 0x11, 0x11): "4:2:0",
}


def check_against_plan(described: Sequence[DescribedVariant], plan: Plan, *, has_original: bool) -> None:
    """Raises VariantsRefused unless every variant is one that the plan asks a browser for, once."""
    problems = [
        f"variants[{number}] ({each.words}) is not one that the plan asks for."
        for number, each in enumerate(described)
        if not _is_planned(each, plan)
    ]
    twice = {each.words for each in described if sum(other.id == each.id for other in described) > 1}
    problems += [f"{words} came twice." for words in sorted(twice)]
    if plan.resize_in == "both" and not has_original:
        problems.append(
            'resize_in "both" needs the original, in the field `file`: the server makes its own copies.'
        )
    if problems:
        raise VariantsRefused(problems)


def _is_planned(each: DescribedVariant, plan: Plan) -> bool:
    is_encoding = (each.format, each.quality) in browser_encodings(plan)
    return is_encoding and each.size_px in plan.sizes_px and each.engine in plan.browser_engines


def check_shapes(variants: Sequence[Variant], width_px: int, height_px: int) -> None:
    """Raises VariantsRefused for copies that have not the shape of the photo, as those not turned upright."""
    problems = []
    for number, each in enumerate(variants):
        longest = max(width_px, height_px)
        expected = [side * each.size_px / longest for side in (width_px, height_px)]
        differences = [abs(expected[0] - each.width_px), abs(expected[1] - each.height_px)]
        if each.size_px > longest:
            problems.append(
                f"variants[{number}] ({each.id}) is larger than the photo, {longest} px. Enlarge nothing."
            )
        elif max(differences) > 1 and min(each.width_px, each.height_px) > 1:
            problems.append(
                f"variants[{number}] ({each.id}) is {each.width_px} x {each.height_px} px; the photo's shape "
                f"makes it {expected[0]:.0f} x {expected[1]:.0f} px. Is it turned upright?"
            )
    if problems:
        raise VariantsRefused(problems)


def with_reference(variants: Sequence[Variant]) -> list[Variant]:
    """The largest variant, which stands for an original that was not uploaded, marked and put first."""
    best = max(
        variants, key=lambda each: (each.width_px * each.height_px, each.quality is None, each.quality or 0)
    )
    return [replace(best, is_reference=True), *(each for each in variants if each is not best)]
