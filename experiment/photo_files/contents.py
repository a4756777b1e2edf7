"""Contents: the image of a photo's file, and its metadata."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contents:
    """The image alone, and the metadata that says how to show it.

    `picture` is a file of the same format, from which every decoder reads the same pixels as from the
    upload, but without EXIF, XMP, ICC, IPTC, thumbnail, comment or trailer. If there are `notes`, decoders
    disagree about the upload, so it is not sent as it is.
    """

    picture: bytes
    exif: bytes = b""  # from the byte order on; empty: none
    profile: bytes = b""  # ICC; empty: none, so sRGB
    notes: tuple[str, ...] = ()  # sentences
    colours: int | None = None  # number of colours in the palette; None: it has no palette
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom of the pixels; None: all of it
    coded_colours: tuple[int, int] | None = (
        None  # primaries and curve by Rec. ITU-T H.273, if the decoder finds no ICC
    )
