"""largest_frame(): the largest picture that AV1 data decodes to, by its sequence headers (AV1, 5.3 and 5.5).

An AVIF names its size in boxes, and again in the coded picture. Decoders make what the latter says, and
shrink it to what the boxes say, so the boxes alone don't tell how much memory that takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_SEQUENCE_HEADER: Final = 1
_BYTES: Final = 300  # a sequence header with 32 operating points has fewer


def largest_frame(data: bytes, most_units: int) -> int:
    """Pixels; 0 if it has no sequence header. Raises ValueError if it has more units than `most_units`."""
    return max(map(_frame_pixels, _sequence_headers(data, most_units)), default=0)


def _sequence_headers(data: bytes, most_units: int) -> Iterator[bytes]:
    """Of each unit (OBU): flags, perhaps a byte of layers, perhaps its length, and its content."""
    at = units = 0
    while at < len(data):
        units += 1
        if units > most_units:
            raise ValueError("too many units")
        flags, at = data[at], at + 1 + (data[at] >> 2 & 1)
        length = len(data) - at
        if flags & 2:
            length, at = _leb128(data, at)
        if flags >> 3 & 15 == _SEQUENCE_HEADER:
            yield data[at : at + min(length, _BYTES)]
        at += length


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first, and where it ends."""
    number = 0
    for place, byte in enumerate(data[at : at + 8]):
        number |= (byte & 0x7F) << 7 * place
        at += 1
        if not byte & 0x80:
            break
    return number, at


class _Bits:
    """Numbers of any width, one after the other. Reads 0 behind the end."""

    def __init__(self, data: bytes):
        self._value = int.from_bytes(data.ljust(_BYTES, b"\0"), "big")
        self._left = 8 * _BYTES

    def take(self, bits: int) -> int:
        self._left = max(self._left - bits, 0)
        return self._value >> self._left & ((1 << bits) - 1)

    def skip_uvlc(self) -> None:
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        self.take(zeros % 32)


def _frame_pixels(header: bytes) -> int:
    bits = _Bits(header)
    bits.take(4)  # profile, still picture
    if bits.take(1):  # reduced header of a still picture
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(width_bits) + 1) * (bits.take(height_bits) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.skip_uvlc()
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delays and bits.take(1):
            bits.take(4)
