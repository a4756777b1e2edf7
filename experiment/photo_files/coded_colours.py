"""profile_by_numbers(): colours by their numbers in Rec. ITU-T H.273, as PNG, AVIF and HEIC store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from experiment.photo_files.made_profile import SRGB, Curve, Primaries, made_profile, power

_D65 = (0.3127, 0.3290)
REC_709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_TELEVISION = power(2.4)  # as screens show it (BT.1886), and browsers too

# Number -> name and primaries; number -> curve.
_PRIMARIES: Final[Mapping[int, tuple[str, Primaries]]] = {
    1: ("BT.709", REC_709),
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
UNUSABLE = b"unusable"  # bytes that no reader accepts as a profile


def profile_by_numbers(primaries: int, curve: int, is_grey: bool) -> bytes:
    """An ICC profile; empty for sRGB or if both are unspecified; UNUSABLE for other numbers, as of HDR."""
    if (primaries, curve) in {(1, 13), (_UNKNOWN, _UNKNOWN)}:
        return b""
    if primaries not in _PRIMARIES or curve not in _CURVES:
        return UNUSABLE
    name, known = _PRIMARIES[primaries]
    return made_profile(name, _CURVES[curve], None if is_grey else known)
