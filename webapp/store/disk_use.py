"""How much disk the data folder takes, and how much its file system has left."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own


class DiskUse:
    """The disk of `folder`. Each method answers under "", or nothing if the folder is not there yet."""

    def __init__(self, folder: Path):
        self._folder = folder

    def used(self) -> Mapping[str, int]:
        """Bytes that its files take on the disk, as `du` and the kubelet count them."""
        return {"": sum(_sizes_bytes(str(self._folder)))} if self._folder.is_dir() else {}

    def free(self) -> Mapping[str, int]:
        """Bytes that this process may still write."""
        facts = self._file_system()
        return {"": facts.f_bavail * facts.f_frsize} if facts else {}

    def size(self) -> Mapping[str, int]:
        """Bytes that it could hold in all, without what is reserved for the administrator."""
        facts = self._file_system()
        return {"": (facts.f_blocks - facts.f_bfree + facts.f_bavail) * facts.f_frsize} if facts else {}

    def _file_system(self) -> os.statvfs_result | None:
        with contextlib.suppress(FileNotFoundError):
            return os.statvfs(self._folder)
        return None


def _sizes_bytes(folder: str) -> Iterator[int]:
    """Files may go while this looks: what is gone counts nothing."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes_bytes(entry.path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
