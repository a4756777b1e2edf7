"""Damage, as it happens on disks and wires, and as somebody would do it on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence

MOST_BYTES = 2_000_000
STEPS = (1, 1, 1, 2, 3, 6)  # of damage to one input: much of it would only show that the first check works
EDGES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63 - 1,
    2**64 - 1,
)


def mutated(seeds: Sequence[bytes], tokens: Sequence[bytes], rng: random.Random) -> bytes:
    """One of `seeds` with a few places changed. The same `rng` gives the same bytes.

    >>> mutated([b"abc"], [], random.Random(1)) == mutated([b"abc"], [], random.Random(1))
    True
    """
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice(STEPS)):
        rng.choice(_WAYS)(data, seeds, tokens, rng)
    return bytes(data[:MOST_BYTES])


def _flip_bit(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_byte(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _set_number(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    width = rng.choice((1, 2, 4, 8))
    if len(data) >= width:
        at = rng.randrange(len(data) - width + 1)
        number = rng.choice(EDGES) & (256**width - 1)
        data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))


def _cut_end(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _cut_out(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _repeat(data: bytearray, _seeds: object, _tokens: object, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[end:end] = data[start:end] * rng.choice((1, 1, 2, 50))
    del data[MOST_BYTES:]


def _insert_token(data: bytearray, _seeds: object, tokens: Sequence[bytes], rng: random.Random) -> None:
    if tokens:
        at = rng.randrange(len(data) + 1)
        end = at if rng.random() < 0.5 else min(len(data), at + rng.randrange(12))
        data[at:end] = rng.choice(tokens)


def _splice(data: bytearray, seeds: Sequence[bytes], _tokens: object, rng: random.Random) -> None:
    other = rng.choice(seeds)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


def _span(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 4, 16, 256, 4096)))


_WAYS = (
    _flip_bit,
    _set_byte,
    _set_number,
    _cut_end,
    _cut_out,
    _repeat,
    _insert_token,
    _insert_token,
    _splice,
)
