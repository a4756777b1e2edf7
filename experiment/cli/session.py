"""Session: what every command of a command line gets beside its options."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from experiment.settings import SharedSettings


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line."""

    settings: SharedSettings
    console: Console  # stderr: progress, where files went, what to know
    output: Console  # stdout: results
    cancel: threading.Event = field(default_factory=threading.Event)  # set by Ctrl-C

    @property
    def data_dir(self) -> Path:
        """Folder for models, logs and data."""
        return Path(self.settings.data_dir)

    def say(self, text: str) -> None:
        """A sentence on stderr."""
        self.console.print(text, soft_wrap=True)
