"""The files of one upload, each in a file of its own in a folder on disk; one of them is open at a time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import IO

from werkzeug.datastructures import FileStorage

PREFIX = "photos-"


class Spool:
    """A new folder in `parent`. Its owner removes it."""

    def __init__(self, parent: Path):
        parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX)).absolute()
        self.is_kept = False  # True: the run that the files are for removes them
        self._file: IO[bytes] | None = None
        self._count = 0

    def new_file(self, **_about_it: object) -> IO[bytes]:
        """werkzeug's `stream_factory`: where it writes the next file of a form.

        The file before is closed, because a set may hold more files than a process may have open, whatever
        its limit; and nothing stays in memory, as werkzeug's own files do up to 500 kB each.
        """
        self.close()
        self._file = (self.path / str(self._count)).open("x+b")
        self._count += 1
        return self._file

    def close(self) -> None:
        """Call it when the form has been read. Its files stay, to be read by their paths."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Remove the folder, even where the last bytes written found no room."""
        with contextlib.suppress(OSError):
            self.close()
        shutil.rmtree(self.path, ignore_errors=True)


def path_of(part: FileStorage) -> Path:
    """Where a file of a form lies."""
    return Path(part.stream.name)


def remove_left_over(parent: Path) -> None:
    """Remove the files of uploads that a former process left behind."""
    for path in parent.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
