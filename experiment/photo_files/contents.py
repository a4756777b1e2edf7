"""Contents: what a photo's file holds, taken apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contents:
    """The picture alone, and beside it what says how to show it.

    `picture` is a file of the same format. Every decoder reads the same pixels from it as from the upload,
    without a loss, and it holds nothing but them: no EXIF, XMP, ICC or IPTC, no thumbnail, comment or
    trailer. Where there are `notes`, decoders differ about the upload, and it can't be sent like that.
    """

    picture: bytes
    exif: bytes = b""  # from the byte order on; empty: none
    profile: bytes = b""  # ICC; empty: none, so sRGB
    notes: tuple[str, ...] = ()  # a sentence each
    colours: int | None = None  # in the palette; None: it has none
    box: tuple[int, int, int, int] | None = None  # where the pixels lie, as Pillow has it; None: everywhere
