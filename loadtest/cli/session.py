"""Session: what every command gets beside its options."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rich.console import Console

from experiment.settings import SharedSettings


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line."""

    settings: SharedSettings
    console: Console  # stderr: progress, and where files went
    output: Console  # stdout: results
    cancel: threading.Event = field(default_factory=threading.Event)  # set by Ctrl-C
