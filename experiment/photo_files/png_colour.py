"""profile_of(): in which colours a PNG is, by the first of its chunks cICP, iCCP, sRGB and gAMA with cHRM.

As browsers have it (https://www.w3.org/TR/png-3/, section 4.3). What is told by numbers becomes a colour
profile like any embedded one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from experiment.photo_files.made_profile import SRGB, Curve, Primaries, made_profile, power

MAX_PROFILE_BYTES = 16 * 1024**2  # the largest in use have 4 MB; 20 MB of PNG may unpack to 20 GB
UNUSABLE = b"unusable"  # a profile that no reader takes

_GREY_TYPES = {0, 4}
_D65 = (0.3127, 0.3290)
_REC_709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_TELEVISION = power(2.4)  # what screens make of it (BT.1886), which browsers show too

# Rec. ITU-T H.273: name and primaries by their number, then the curves.
_PRIMARIES: Final[Mapping[int, tuple[str, Primaries]]] = {
    1: ("BT.709", _REC_709),
    5: ("BT.601 (625 lines)", Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65)),
    6: ("BT.601 (525 lines)", Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    7: ("SMPTE 240M", Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)),
    9: ("BT.2020", Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    11: ("DCI-P3", Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))),
    12: ("Display P3", Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65)),
}
_CURVES: Final[Mapping[int, Curve]] = {
    1: _TELEVISION,
    4: power(2.2),
    5: power(2.8),
    6: _TELEVISION,
    8: power(1.0),
    13: SRGB,
    14: _TELEVISION,
    15: _TELEVISION,
}
_UNKNOWN = 2  # "unspecified"
# libpng, too, takes a gamma that is less than this off for none.
_GAMMA_TOLERANCE = 0.05
_PRIMARY_TOLERANCE = 0.002


def profile_of(header: bytes, said: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile; empty for sRGB and where nothing is said; UNUSABLE for what nobody can use.

    `header` is IHDR's content, `said` kind -> content of the chunks before the rows.
    """
    is_grey = header[9] in _GREY_TYPES
    coded = said.get(b"cICP", b"")
    if len(coded) == 4 and coded[3] == 1:  # 0: samples from 16 to 235, which PNG has for video only
        return _coded(coded, is_grey)
    if b"iCCP" in said:
        return _unpacked(said[b"iCCP"])
    if b"sRGB" in said or len(said.get(b"gAMA", b"")) != 4:
        return b""
    return _by_gamma(struct.unpack(">I", said[b"gAMA"])[0] / 100_000, said.get(b"cHRM", b""), is_grey)


def _coded(coded: bytes, is_grey: bool) -> bytes:
    primaries, curve, matrix, _ = coded
    if (primaries, curve) in {(1, 13), (_UNKNOWN, _UNKNOWN)} and matrix == 0:
        return b""
    if matrix or primaries not in _PRIMARIES or curve not in _CURVES:
        return UNUSABLE
    name, known = _PRIMARIES[primaries]
    return made_profile(name, _CURVES[curve], None if is_grey else known)


def _unpacked(content: bytes) -> bytes:
    """Of a name, a byte for the way of packing, and the packed profile."""
    packed = content.partition(b"\0")[2][1:]
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed, MAX_PROFILE_BYTES)
    except zlib.error:
        return UNUSABLE
    return profile if unpacker.eof and profile else UNUSABLE


def _by_gamma(gamma: float, told: bytes, is_grey: bool) -> bytes:
    primaries = _told_primaries(told)
    if gamma <= 0 or (len(told) == 32 and primaries is None):
        return b""
    is_usual = abs(gamma * 2.2 - 1) <= _GAMMA_TOLERANCE
    if is_usual and (is_grey or primaries is None or _are_alike(primaries, _REC_709)):
        return b""
    return made_profile(f"gamma {gamma:.3g}", power(1 / gamma), None if is_grey else primaries or _REC_709)


def _told_primaries(told: bytes) -> Primaries | None:
    """cHRM's: the white point, then red, green and blue. None: there is none, or no colours are like that."""
    if len(told) != 32:
        return None
    numbers = [each / 100_000 for each in struct.unpack(">8I", told)]
    white, red, green, blue = ((numbers[at], numbers[at + 1]) for at in (0, 2, 4, 6))
    primaries = Primaries(red, green, blue, white)
    return primaries if primaries.is_possible else None


def _are_alike(one: Primaries, other: Primaries) -> bool:
    pairs = zip(one, other, strict=True)
    return all(
        abs(a - b) <= _PRIMARY_TOLERANCE for point, same in pairs for a, b in zip(point, same, strict=True)
    )
