"""profile_of(): the colours of a PNG, by the first of its chunks cICP, iCCP, sRGB, gAMA (with cHRM).

The order is that of browsers (https://www.w3.org/TR/png-3/, section 4.3). Colours defined by numbers become a
colour profile like an embedded one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from experiment.photo_files.coded_colours import REC_709, UNUSABLE, profile_by_numbers
from experiment.photo_files.made_profile import Primaries, made_profile, power

MAX_PROFILE_BYTES = 16 * 1024**2  # the largest in use have 4 MB; 20 MB of PNG may unpack to 20 GB

_GREY_TYPES = {0, 4}
# Like libpng, a gamma that differs by less than this is ignored.
_GAMMA_TOLERANCE = 0.05
_PRIMARY_TOLERANCE = 0.002


def profile_of(header: bytes, metadata: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile; empty for sRGB or if no chunk defines colours; UNUSABLE if they are invalid.

    `header` is IHDR's content, `metadata` kind -> content of the chunks before the rows.
    """
    is_grey = header[9] in _GREY_TYPES
    coded = metadata.get(b"cICP", b"")
    if len(coded) == 4 and coded[3] == 1:  # 0: samples from 16 to 235, which PNG has for video only
        return _coded(coded, is_grey)
    if b"iCCP" in metadata:
        return _unpacked(metadata[b"iCCP"])
    if b"sRGB" in metadata or len(metadata.get(b"gAMA", b"")) != 4:
        return b""
    gamma = struct.unpack(">I", metadata[b"gAMA"])[0] / 100_000
    return _by_gamma(gamma, metadata.get(b"cHRM", b""), is_grey)


def _coded(coded: bytes, is_grey: bool) -> bytes:
    primaries, curve, matrix, _ = coded
    return UNUSABLE if matrix else profile_by_numbers(primaries, curve, is_grey)


def _unpacked(content: bytes) -> bytes:
    """The profile in iCCP's `content`: a name, a byte for the compression, and the compressed profile."""
    packed = content.partition(b"\0")[2][1:]
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed, MAX_PROFILE_BYTES)
    except zlib.error:
        return UNUSABLE
    return profile if unpacker.eof and profile else UNUSABLE


def _by_gamma(gamma: float, chromaticities: bytes, is_grey: bool) -> bytes:
    """The profile of gAMA and cHRM: the white point, then red, green and blue, or empty."""
    primaries = REC_709
    if len(chromaticities) == 32:
        numbers = [number / 100_000 for number in struct.unpack(">8I", chromaticities)]
        white, red, green, blue = ((numbers[at], numbers[at + 1]) for at in (0, 2, 4, 6))
        primaries = Primaries(red, green, blue, white)
        if not primaries.is_possible:
            return b""
    if gamma <= 0:
        return b""
    is_usual = abs(gamma * 2.2 - 1) <= _GAMMA_TOLERANCE
    if is_usual and (is_grey or np.allclose(primaries, REC_709, rtol=0, atol=_PRIMARY_TOLERANCE)):
        return b""
    return made_profile(f"gamma {gamma:.3g}", power(1 / gamma), None if is_grey else primaries)
