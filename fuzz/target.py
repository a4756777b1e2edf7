"""What is fuzzed: a reader of input from outside, and inputs to begin with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`feed` takes any bytes and says what came of them in a word, such as "read" or "refused".

    Anything that `feed` raises is a defect, as is a crash, and an answer that takes longer than the
    runner allows. It runs in a process of its own.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    feed: Callable[[bytes], str]
    tokens: Sequence[bytes] = ()  # what the format is made of, to be put in anywhere
    mutate: Callable[[bytes, random.Random], bytes] | None = (
        None  # knows the format; takes turns with damaged bytes
    )
