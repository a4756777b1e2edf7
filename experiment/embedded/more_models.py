"""Models of the catalogue as further embedded backends, started and stopped while the others serve.

Whoever wants one writes it into a file beside the state of the servers; the process that owns the servers
follows that file. So the web process starts no server itself, and finds everything as it was after a restart.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from experiment.codec import from_dict
from experiment.embedded.model import ModelChoice, is_exported, place_of, prepare_model
from experiment.embedded.models_cli import StartStopped, catalogue
from experiment.embedded.profiles import Profile
from experiment.embedded.supervisor import EmbeddedBackend, EmbeddedServers
from experiment.errors import EmbeddedFailed

WANTED_FILE: Final = "embedded-wanted.json"
MOST_MODELS: Final = 3  # each takes up to a gigabyte of memory
MOST_CPUS: Final = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that is to be served."""

    name: str  # in the catalogue
    cpus: int = 1
    attempt: int = 1  # a higher one tries again what has failed

    @property
    def backend_name(self) -> str:
        """Of the backend that serves it."""
        return f"{self.name} on {self.cpus} CPU"


def read_wanted(folder: Path) -> dict[str, Wanted]:
    """By name; empty if nobody has written the file, or it can't be read."""
    try:
        rows = json.loads((folder / WANTED_FILE).read_text("utf-8"))
        return {row["name"]: from_dict(Wanted, row) for row in rows}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def write_wanted(folder: Path, wanted: Mapping[str, Wanted]) -> None:
    """Replace the file. Raises OSError."""
    path = folder / WANTED_FILE
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps([asdict(each) for each in wanted.values()]), "utf-8")
    scratch.replace(path)


class Preparation:
    """A model that is exported in a thread of its own, after its download if it needs one."""

    def __init__(self, data_dir: Path, wanted: Wanted, weights_url: str, backend: EmbeddedBackend):
        self.wanted = wanted
        self.backend: EmbeddedBackend | None = backend  # None: it was given up
        self.problem = ""
        self._data_dir, self._weights_url = data_dir, weights_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._prepare, name=f"export-{wanted.name}", daemon=True)
        self.is_started = False
        self._thread.start()

    def look(self, servers: EmbeddedServers) -> None:
        """Start the server once the model is there; give up if it can't be had."""
        if self.is_started or self._thread.is_alive() or self.backend is None:
            return
        if self.problem:
            self.end(servers)
            return
        self.is_started = True
        for server in self.backend.servers:
            server.prepares("Starting.")
            server.start()

    def end(self, servers: EmbeddedServers) -> None:
        """Stop preparing it, or serving it."""
        self.stop()
        if self.backend is not None:
            servers.remove(self.backend)
        self.backend = None

    def stop(self) -> None:
        """Stop preparing it."""
        self._stop.set()

    def _prepare(self) -> None:
        choice = ModelChoice(name=self.wanted.name, weights_url=self._weights_url)
        try:
            prepare_model(self._data_dir, choice, self._stop)
        except StartStopped:
            self.problem = "It was stopped."
        except EmbeddedFailed as failed:
            self.problem = failed.message.splitlines()[0]
        except Exception as bug:
            log.exception("%s could not be prepared", self.wanted.name)
            self.problem = f"It could not be prepared ({type(bug).__name__})."


class MoreModels:
    """Follows the file of wanted models. At the start of the app nothing is wanted."""

    def __init__(self, data_dir: Path, weights_url: str = ""):
        self._data_dir, self._weights_url = data_dir, weights_url
        self._models: dict[str, Preparation] = {}
        self._catalogue: list[dict[str, Any]] = []
        self._exported: set[str] = set()
        (data_dir / WANTED_FILE).unlink(missing_ok=True)
        threading.Thread(target=self._read_catalogue, name="catalogue", daemon=True).start()

    def look(self, servers: EmbeddedServers) -> None:
        """End what is not wanted any more, begin what is wanted now."""
        wanted = read_wanted(self._data_dir)
        for name, model in list(self._models.items()):
            if wanted.get(name) != model.wanted:
                model.end(servers)
                del self._models[name]
        known = {row["name"]: row for row in self._catalogue}
        for name, each in wanted.items():
            if name in known and name not in self._models and self._count < MOST_MODELS:
                self._models[name] = self._begun(servers, each, known[name])
        for name, model in self._models.items():
            model.look(servers)
            if model.is_started:
                self._exported.add(name)

    def rows(self) -> list[dict[str, Any]]:
        """The catalogue: what each model still needs, and how far the wanted ones are."""
        return [self._row(row) for row in self._catalogue]

    def stop(self) -> None:
        """End exports and downloads that go on; the servers end with the others."""
        for model in self._models.values():
            model.stop()
        (self._data_dir / WANTED_FILE).unlink(missing_ok=True)

    @property
    def _count(self) -> int:
        return sum(model.backend is not None for model in self._models.values())

    def _begun(self, servers: EmbeddedServers, wanted: Wanted, row: Mapping[str, Any]) -> Preparation:
        place = str(place_of(self._data_dir, wanted.name))
        backend = servers.add(Profile(wanted.backend_name, max(1, min(wanted.cpus, MOST_CPUS)), model=place))
        size_mb = self._to_download_mb(row)
        what = (
            f"Downloading about {size_mb} MB, then exporting the model."
            if size_mb
            else "Exporting the model."
        )
        for server in backend.servers:
            server.prepares(what)
        return Preparation(self._data_dir, wanted, self._weights_url, backend)

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        model = self._models.get(row["name"])
        info = model.backend.info() if model and model.backend else None
        return {
            **{key: row[key] for key in ("name", "title", "side_px", "parameters")},
            "to_download_mb": self._to_download_mb(row),
            "can_be_had": row["is_here"] or row["download_mb"] is not None,
            "backend_name": info.name if info else None,
            "state": info.state if info else "failed" if model and model.problem else "stopped",
            "detail": info.detail if info else model.problem if model else "",
        }

    def _to_download_mb(self, row: Mapping[str, Any]) -> int | None:
        """None: nothing has to be downloaded."""
        is_here = row["is_here"] or row["name"] in self._exported
        return None if is_here else row["download_mb"]

    def _read_catalogue(self) -> None:
        try:
            rows = catalogue()
            self._exported |= {row["name"] for row in rows if is_exported(self._data_dir, row["name"])}
            self._catalogue = rows
        except (OSError, ValueError):
            log.exception("the catalogue of models can't be read")
