"""The folder on disk that holds the files of one upload; only one of them is open at a time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import IO

from werkzeug.datastructures import FileStorage

PREFIX = "photos-"


class UploadFolder:
    """A new folder in `parent`. Its owner removes it."""

    def __init__(self, parent: Path):
        parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX)).absolute()
        self.is_kept = False  # True: the run that needs the files removes them
        self._file: IO[bytes] | None = None
        self._count = 0

    def new_file(self, **_about_it: object) -> IO[bytes]:
        """werkzeug's `stream_factory`: where it writes the next file of a form.

        The previous file is closed, because a photo set may have more files than a process may open.
        Nothing stays in memory; werkzeug's own files would, up to 500 kB each.
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
        """Remove the folder, also if the disk is full and its last file can't be written."""
        with contextlib.suppress(OSError):
            self.close()
        shutil.rmtree(self.path, ignore_errors=True)


def path_of(part: FileStorage) -> Path:
    """The path of a file of a form."""
    return Path(part.stream.name)


def remove_left_over(parent: Path) -> None:
    """Remove the folders that an earlier process left behind."""
    for path in parent.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
