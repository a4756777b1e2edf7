"""Models of the catalogue that are started on the page: which there are, and what is wanted of them.

The process that owns the embedded servers does it (experiment/embedded/more_models.py), and its state file
says how far it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from common.checks import Expected, whole, yes_or_no
from experiment.embedded.more_models import MOST_CPUS, MOST_MODELS, Wanted, read_wanted, write_wanted
from httpserver.problems import Refused
from webapp.added_servers import OFF
from webapp.config import Settings

NO_SUPERVISOR: Final = (
    "Models can be started only where Pixelcost runs its own servers: `make run` without TF_SERVERS."
)
LEAST_MEMORY_BYTES: Final = 1_500_000_000  # to be free before one more server starts
MEMORY_FILE: Final = Path("/proc/meminfo")

Value = TypeVar("Value")

Rows = Sequence[Mapping[str, Any]]


class AddedModels:
    """Starts and stops further embedded backends."""

    def __init__(
        self,
        settings: Settings,
        rows: Callable[[], Rows | None],
        free_bytes: Callable[[], int | None] | None = None,
    ):
        self._settings = settings
        self._rows = rows
        self._free_bytes = free_bytes or free_memory_bytes
        self._lock = threading.Lock()

    @property
    def why_not(self) -> str | None:
        """Why no model can be started here; None: one can."""
        if not self._settings.can_add_servers:
            return OFF
        return NO_SUPERVISOR if self._rows() is None else None

    def rows(self) -> Rows:
        """The catalogue with the state of each model; empty where none can be started."""
        return [] if self.why_not else self._rows() or []

    def start(self, name: str, body: Any) -> Mapping[str, Any]:
        """Have a model served: {"cpus": 1, "download": true}. Its row as it is now. Raises Refused."""
        row, (cpus, may_download) = self._row(name), _options(body)
        with self._lock:
            wanted = read_wanted(self._folder)
            before = wanted.get(name)
            if before and row["state"] != "failed":
                raise Refused("model_refused", f"{row['title']} is started already. Stop it first.", 409)
            self._check_room(row, may_download, sum(other != name for other in wanted))
            attempt = before.attempt + 1 if before else 1
            write_wanted(self._folder, {**wanted, name: Wanted(name, cpus, attempt)})
        return row

    def stop(self, name: str) -> Mapping[str, Any]:
        """End the server of a model that was started here. Its row as it is now. Raises Refused."""
        row = self._row(name)
        with self._lock:
            wanted = read_wanted(self._folder)
            if wanted.pop(name, None) is None:
                raise Refused("model_refused", f"{row['title']} was not started on the page.", 409)
            write_wanted(self._folder, wanted)
        return row

    @property
    def _folder(self) -> Path:
        return Path(self._settings.embedded_state).parent

    def _row(self, name: str) -> Mapping[str, Any]:
        if why_not := self.why_not:
            raise Refused("servers_not_allowed", why_not, 403)
        for row in self.rows():
            if row["name"] == name:
                return row
        names = ", ".join(row["name"] for row in self.rows()) or "being read; try again in a second"
        raise Refused("no_such_model", f"The catalogue has no model of that name. Models: {names}.", 404)

    def _check_room(self, row: Mapping[str, Any], may_download: bool, others: int) -> None:
        title, size_mb = row["title"], row["to_download_mb"]
        if not row["can_be_had"]:
            raise Refused("model_refused", f"The weights of {title} are not installed here.", 409)
        if size_mb and not may_download:
            why = (
                f'{title} has to be downloaded, about {size_mb} MB. To allow that, send {{"download": true}}.'
            )
            raise Refused("needs_download", why, 409)
        if others >= MOST_MODELS:
            raise Refused("model_refused", f"{others} models are started, the most. Stop one first.", 409)
        free_bytes = self._free_bytes()
        if free_bytes is not None and free_bytes < LEAST_MEMORY_BYTES:
            why = f"This machine has {free_bytes / 1e9:.1f} GB of memory free, a server needs about 1.5 GB."
            raise Refused("model_refused", f"{why} Stop another one first.", 409)


def free_memory_bytes() -> int | None:
    """Memory that programs can still get; None where the system does not say."""
    try:
        lines = MEMORY_FILE.read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _options(body: Any) -> tuple[int, bool]:
    """Cores, and whether something may be downloaded. Raises Refused."""
    given = {} if body is None else body
    if not isinstance(given, dict) or set(given) - {"cpus", "download"}:
        raise Refused("bad_query", 'Send a JSON object, like {"cpus": 1, "download": true}.', 422)
    return _read(given, "cpus", 1, whole(1, MOST_CPUS)), _read(given, "download", False, yes_or_no)


def _read(given: Mapping[str, Any], key: str, default: Value, check: Callable[[Any], Value]) -> Value:
    try:
        return check(given.get(key, default))
    except Expected as expected:
        raise Refused("bad_query", f"{key} must be {expected}.", 422) from None
