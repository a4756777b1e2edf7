"""How many bytes of photos are in memory at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Memory:
    """A budget of bytes that threads share. One that asks for more than all of it gets all of it."""

    def __init__(self, size_bytes: int):
        self._size_bytes = size_bytes
        self._free_bytes = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size_bytes: int) -> Iterator[None]:
        """Hold some bytes during the block, after waiting until they are free."""
        wanted = min(size_bytes, self._size_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self._free_bytes >= wanted)
            self._free_bytes -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free_bytes += wanted
                self._changed.notify_all()
