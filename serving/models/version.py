"""A version of a model: its state, its servable, and how many requests use it right now."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from serving.errors import as_text
from serving.models.servable import Servable

# The states, named as in TensorFlow Serving (apis/get_model_status.proto).
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclass(frozen=True)
class Status:
    """The state of a version, and why it failed."""

    version: int
    state: str
    error_message: str = ""


class Version:
    """Goes through the states once, from START to END. A version that comes back is a new object."""

    def __init__(self, number: int, path: Path):
        self.number = number
        self.path = path
        self.status = Status(number, START)
        self.files: object = None  # what lay in its directory when it failed to load
        self._servable: Servable | None = None
        self._users = 0
        self._guard = threading.Lock()
        self._unused = threading.Condition(self._guard)

    @property
    def is_available(self) -> bool:
        return self.status.state == AVAILABLE

    @property
    def servable(self) -> Servable | None:
        """The loaded model; None before and after that."""
        return self._servable

    def loading(self) -> None:
        self._set(LOADING)

    def available(self, servable: Servable) -> None:
        self._servable = servable
        self._set(AVAILABLE)

    def failed(self, reason: str) -> None:
        self._set(END, as_text(reason))

    def take(self) -> Servable | None:
        """The servable, kept loaded until `give_back`; None unless the version is available."""
        with self._guard:
            if not self.is_available:
                return None
            self._users += 1
            return self._servable

    def give_back(self) -> None:
        """The counterpart of every `take` that returned a servable."""
        with self._guard:
            self._users -= 1
            if not self._users:
                self._unused.notify_all()

    def leaving(self) -> None:
        """Refuse new users from now on."""
        with self._guard:
            self._set(UNLOADING)

    def unload(self) -> None:
        """Wait for the last user, then give the memory back."""
        with self._guard:
            self._unused.wait_for(lambda: not self._users)
            servable, self._servable = self._servable, None
        try:
            if servable:
                servable.close()
        finally:
            self._set(END)

    def _set(self, state: str, error_message: str = "") -> None:
        self.status = Status(self.number, state, error_message)
