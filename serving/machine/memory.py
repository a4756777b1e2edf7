"""Keep the memory of one picture for the next one, instead of handing it back to Linux each time.

Decoding a 2048 px PNG takes and frees 50 MB. glibc returns such pieces at once, and Linux clears every
page before it gives them out again: a third of the time that decoding takes.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 256 << 20  # more than this is handed back all the same
LARGEST_BYTES = 32 << 20  # a larger piece is always fetched from Linux; glibc takes no higher value


def keep_freed() -> None:
    """For the whole process, from now on. Does nothing where there is no glibc."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
