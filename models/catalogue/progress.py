"""Shows how a download goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

LINE_EVERY_S = 5.0


class DownloadProgress:
    """A Reporter of models/catalogue/download.py. Use as a context manager."""

    def __init__(self, title: str, console: Console):
        self._title, self._console = title, console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, visible=False)
        self._next_line_at = 0.0

    def __enter__(self) -> DownloadProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """As often as anybody likes."""
        self._bar.update(self._task, completed=done_bytes, total=total_bytes, visible=True)
        if self._console.is_terminal or time.monotonic() < self._next_line_at:
            return
        self._next_line_at = time.monotonic() + LINE_EVERY_S
        whole = f" of {total_bytes / 1e6:.0f} MB" if total_bytes else " MB"
        self.say(f"{self._title}: {done_bytes / 1e6:.0f}{whole}")
