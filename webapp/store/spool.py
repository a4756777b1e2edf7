"""Many photos of one request in one file on disk: one descriptor, however many they are, and no memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PREFIX = "photos-"
PIECE_BYTES = 1_000_000


class Spool:
    """A file that takes one photo behind the other. Its owner discards it."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX, delete=False)  # noqa: SIM115
        self.path = Path(self._file.name)

    def part(self) -> Part:
        """A new photo behind the last one; it must be written before the next one begins."""
        return Part(self._file, self._file.seek(0, io.SEEK_END))

    def take(self, stream: IO[bytes]) -> Part:
        """Copy a photo from elsewhere."""
        part = self.part()
        while piece := stream.read(PIECE_BYTES):
            part.write(piece)
        return part

    def close(self) -> None:
        """Everything is written; the file stays."""
        self._file.close()

    def discard(self) -> None:
        """Remove the file, even one whose last bytes found no room."""
        try:
            self._file.close()
        except OSError:
            pass
        finally:
            self.path.unlink(missing_ok=True)


class Part(io.RawIOBase):
    """One photo in the spool, as a file of its own."""

    def __init__(self, file: Any, start: int):
        super().__init__()
        self._file = file
        self.start = start
        self.size_bytes = 0
        self._at = 0

    def readable(self) -> bool:
        """It can be read once it is written."""
        return True

    def writable(self) -> bool:
        """It grows at its end."""
        return True

    def seekable(self) -> bool:
        """Within itself."""
        return True

    def write(self, data: Any) -> int:
        """Add to the end."""
        self._file.seek(self.start + self.size_bytes)
        self._file.write(data)
        self.size_bytes += len(data)
        return len(data)

    def readinto(self, buffer: Any) -> int:
        """The next bytes of this photo, and none of its neighbour's."""
        self._file.seek(self.start + self._at)
        data = self._file.read(min(len(buffer), self.size_bytes - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where to read next."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at


class Pieces:
    """The photos in a closed spool, as a place of a photo set: name, start and size of each."""

    def __init__(self, name: str, path: Path, pieces: Sequence[tuple[str, int, int]]):
        self.name = name
        self._path = path
        self._pieces = {name: (start, size_bytes) for name, start, size_bytes in pieces}

    def sizes(self) -> Mapping[str, int]:
        """Name -> bytes."""
        return {name: size_bytes for name, (_, size_bytes) in self._pieces.items()}

    def read(self, name: str, max_bytes: int) -> bytes:
        """One photo's bytes."""
        start, size_bytes = self._pieces[name]
        if size_bytes > max_bytes:
            raise OSError(f"it is larger than {max_bytes:,} bytes")
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(size_bytes)


def remove_left_over(folder: Path) -> None:
    """Spools of runs that a former process left behind."""
    for path in folder.glob(f"{PREFIX}*"):
        path.unlink(missing_ok=True)
