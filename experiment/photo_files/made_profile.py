"""made_profile(): an ICC profile for colours that a file defines by numbers, as PNG's cICP and gAMA do.

It holds the minimum of version 4 (ICC.1:2010, sections 7.2, 8 and 10): a description, the white point D50,
and a curve, with the three primaries unless it is grey.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]  # x and y of CIE 1931
Curve = tuple[int, tuple[float, ...]]  # kind and parameters of "para" (ICC.1:2010, 10.16)


def power(exponent: float) -> Curve:
    """The curve where light is the sample's value to this power."""
    return 0, (exponent,)


SRGB: Curve = (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))

_D50 = np.array([0.9642, 1.0, 0.8249])  # the white of all profiles
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_HEADER_BYTES, _TAG_BYTES = 128, 12


class Primaries(NamedTuple):
    """The colours of full red, full green, full blue, and of all three."""

    red: Point
    green: Point
    blue: Point
    white: Point

    @property
    def is_possible(self) -> bool:
        """Whether every colour is exactly one mixture of the three."""
        in_range = all(0 <= x <= 1 and 0 < y <= 1 for x, y in self)
        return in_range and abs(np.linalg.det(_mixture(self))) > 1e-6


def made_profile(name: str, curve: Curve, primaries: Primaries | None) -> bytes:
    """A profile for RGB images, or for grey ones if `primaries` is None. Notes show its `name`."""
    kind, parameters = curve
    light = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, parameters))
    text = name.encode("utf-16-be")
    tags = {
        b"desc": b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text,
        b"wtpt": _xyz(_D50),
    }
    if primaries is None:
        tags[b"kTRC"] = light
    else:
        for channel, xyz in zip((b"r", b"g", b"b"), _adapted(primaries).T, strict=True):
            tags |= {channel + b"XYZ": _xyz(xyz), channel + b"TRC": light}
    return _assembled(b"GRAY" if primaries is None else b"RGB ", tags)


def _assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, content = struct.pack(">I", len(tags)), b""
    start = _HEADER_BYTES + 4 + _TAG_BYTES * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(content), len(tag))
        content += tag.ljust(-(-len(tag) // 4) * 4, b"\0")
    size_bytes = start + len(content)
    header = struct.pack(">I4sI4s4s4s12x4s28x", size_bytes, b"", 0x04300000, b"mntr", space, b"XYZ ", b"acsp")
    header += b"".join(map(_fixed, _D50.tolist()))
    return header.ljust(_HEADER_BYTES, b"\0") + table + content


def _adapted(primaries: Primaries) -> NDArray[np.float64]:
    """[3, 3]: XYZ of full red, green and blue as columns, adapted to the white point D50."""
    mixture = _mixture(primaries)
    white = _of_point(primaries.white)
    columns = mixture * np.linalg.solve(mixture, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.solve(_BRADFORD, np.diag(scale) @ _BRADFORD) @ columns
    return adapted


def _mixture(primaries: Primaries) -> NDArray[np.float64]:
    return np.array([_of_point(point) for point in primaries[:3]]).T


def _of_point(point: Point) -> NDArray[np.float64]:
    """XYZ of a chromaticity, at brightness 1."""
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz(value: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, value.tolist()))


def _fixed(value: float) -> bytes:
    """An s15Fixed16Number, clipped to its range."""
    return struct.pack(">i", max(-(2**31), min(2**31 - 1, round(value * 65536))))
