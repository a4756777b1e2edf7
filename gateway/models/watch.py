"""Follows the folder of models: converts what is new, serves it, and drops what is gone.

A sub-folder is converted by `python -m models convert`, in a process of its own and into the cache folder:
the folder of models is only read. What fails costs its own model only.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from experiment.embedded.models_cli import StartStopped, run_models
from experiment.errors import EmbeddedFailed
from gateway.models.catalog import (
    BEFORE,
    CARD,
    VERSIONS,
    Catalog,
    Model,
    State,
    card,
    read_catalog,
    write_catalog,
)
from gateway.models.folder import fingerprint, sub_folders
from gateway.models.ids import model_id
from gateway.models.old_config import ConfigUnusable, read_config
from gateway.models.server import Status

LOOK_S: Final = 1.0
AGAIN: Final = "again"  # folder: a file named by a model's id asks for another try
WORK: Final = "work"
KEPT_VERSIONS: Final = 2  # the one before may still answer its last requests
NO_CLASSIFIER: Final = "Pixelcost compares classifiers, which give one score for each class"  # models/task.py
LONGEST_REASON: Final = 1_000
LONGEST_CONVERSION_S: Final = 900.0

log = logging.getLogger(__name__)


class Server(Protocol):
    """What is asked of the model server."""

    @property
    def address(self) -> str:
        """host:port of its gRPC."""

    def serve(self, models: Sequence[Model]) -> None:
        """Have it serve these versions from now on."""

    def status(self, model: Model) -> Status:
        """What it says about the model's version."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of one conversion: a new folder with the version, or a reason."""

    folder: Path | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """One that is under way or waits for its turn."""

    fingerprint: str  # of the files that it began with
    stop: threading.Event
    outcome: Future[Converted]


Convert = Callable[[list[str], threading.Event], None]  # raises EmbeddedFailed


class Watcher:
    """Looks every second, in a thread of its own. Conversions run one after the other in another."""

    def __init__(
        self,
        models_dir: Path,
        cache: Path,
        server: Server,
        convert: Convert = run_models,
        longest_s: float = LONGEST_CONVERSION_S,
    ):
        self._models_dir, self._cache, self._server, self._convert = models_dir, cache, server, convert
        self._longest_s = longest_s
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, "convert")
        self._seen: dict[str, str] = {}  # fingerprints of the look before, to wait until a copy is complete
        self._running: dict[str, Conversion] = {}
        self._thread = threading.Thread(target=self._follow, name="models", daemon=True)
        self._problem = ""
        self._is_ready = self._is_published = False
        for folder in (VERSIONS, AGAIN):
            (cache / folder).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(cache / WORK, ignore_errors=True)  # of a process that was killed
        known = (read_catalog(cache).models or read_catalog(cache, BEFORE).models).values()
        self.models = {model.name: self._from_before(model) for model in known}

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the conversion under way, and look no more."""
        self._stop.set()
        self._thread.join()
        for conversion in self._running.values():
            conversion.stop.set()
        self._pool.shutdown(cancel_futures=True)

    def look(self) -> None:
        """One look at the folder, the conversions and the model server."""
        before = dict(self.models)
        folders = self._folders()
        if folders is not None:
            for name in self.models.keys() - folders.keys():
                del self.models[name]
            for name, folder in folders.items():
                self._look_at(name, folder)
        for name, conversion in list(self._running.items()):
            if conversion.outcome.done():
                del self._running[name]
                if name in self.models:
                    self._take(self.models[name], conversion.fingerprint, conversion.outcome.result())
        for model in list(self.models.values()):
            if model.next_version is not None:
                self._ask_for(model)
        is_ready = self._is_ready or (
            folders is not None and all(model.state != "preparing" for model in self.models.values())
        )
        if self.models != before or is_ready != self._is_ready or not self._is_published:
            self._is_ready = is_ready
            self._publish()

    def _follow(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("Bug while looking at the folder of models")
            if self._stop.wait(LOOK_S):
                return

    def _folders(self) -> dict[str, Path] | None:
        """The sub-folders; None if they can't be listed: then what is served stays served."""
        try:
            found = sub_folders(self._models_dir)
        except OSError as problem:
            said = f"The folder of models can't be read: {self._models_dir}: {problem.strerror}."
            if said != self._problem:
                log.error(said)
            self._problem = said
            return None
        self._problem = ""
        return found

    def _look_at(self, name: str, folder: Path) -> None:
        known = self.models.get(name) or Model(name, model_id(name), "preparing")
        again = self._cache / AGAIN / known.id
        try:
            mark = fingerprint(folder)
        except OSError as problem:
            reason = f"It can't be read: {problem.filename}: {problem.strerror}."
            self.models[name] = self._refused(known, known.fingerprint, reason)
            return
        self.models[name] = known
        is_stable, self._seen[name] = self._seen.get(name) == mark, mark
        is_wanted = known.fingerprint != mark or (again.exists() and known.state != "served")
        if name in self._running or not is_stable or not is_wanted:
            return
        again.unlink(missing_ok=True)
        log.info("%s: new or changed", name)
        stop = threading.Event()
        self._running[name] = Conversion(mark, stop, self._pool.submit(self._converted, known, folder, stop))

    def _converted(self, model: Model, folder: Path, stop: threading.Event) -> Converted:
        place = self._cache / WORK / model.id
        shutil.rmtree(place, ignore_errors=True)
        limit = threading.Timer(self._longest_s, stop.set)
        limit.start()
        try:
            options = read_config(folder).options
            arguments = [str(folder), "--out", str(place), "--name", model.name, *options]
            self._convert(["convert", *arguments], stop)
        except (ConfigUnusable, EmbeddedFailed, OSError) as problem:
            shutil.rmtree(place, ignore_errors=True)
            if isinstance(problem, StartStopped):
                return Converted(None, self._ended())
            return Converted(None, str(problem).strip()[:LONGEST_REASON])
        finally:
            limit.cancel()
        return Converted(place / "1")

    def _ended(self) -> str:
        if self._stop.is_set():
            return "The gateway was stopped while it was converted."
        return (
            f"Converting it was ended after {self._longest_s / 60:.0f} minutes. Convert it on a "
            "faster machine with `python -m models convert`, and put the result here."
        )

    def _take(self, model: Model, mark: str, converted: Converted) -> None:
        """Make the conversion's outcome the model's state."""
        if converted.folder is None:
            log.warning("%s: %s", model.name, converted.reason)
            self.models[model.name] = self._refused(model, mark, converted.reason)
            return
        newest = model.next_version or model.version
        if newest and self._made_from(converted.folder) == card(self._cache, model.id, newest).get(
            "made_from"
        ):
            self.models[model.name] = replace(model, reason="", fingerprint=mark)
            return
        versions = self._cache / VERSIONS / model.id
        versions.mkdir(exist_ok=True)
        there = sorted(int(path.name) for path in versions.iterdir() if path.name.isdecimal())
        number = there[-1] + 1 if there else 1
        converted.folder.rename(versions / str(number))
        for old in there[: -(KEPT_VERSIONS - 1)]:
            shutil.rmtree(versions / str(old), ignore_errors=True)
        state: State = "served" if model.state == "served" else "preparing"
        self.models[model.name] = replace(
            model, state=state, reason="", next_version=number, fingerprint=mark
        )

    def _made_from(self, folder: Path) -> object:
        try:
            return json.loads((folder / CARD).read_bytes())["made_from"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _ask_for(self, model: Model) -> None:
        status = self._server.status(model)
        if status.state == "AVAILABLE":
            log.info("%s: version %s is served", model.name, model.next_version)
            now = replace(model, state="served", version=model.next_version, next_version=None)
            self.models[model.name] = now
        elif status.state == "END" and status.reason:
            reason = f"The model server can't load it: {status.reason}"[:LONGEST_REASON]
            self.models[model.name] = self._refused(model, model.fingerprint, reason)

    def _refused(self, model: Model, mark: str, reason: str) -> Model:
        """The model with the reason; a version that is served stays so."""
        if model.state == "served":
            reason = f"Its newest files are not served, but those before are: {reason}"
            return replace(model, reason=reason, next_version=None, fingerprint=mark)
        state: State = "other_task" if NO_CLASSIFIER in reason else "unusable"
        return replace(model, state=state, reason=reason, version=None, next_version=None, fingerprint=mark)

    def _from_before(self, model: Model) -> Model:
        """A model of the last start: a version that is still there is served again without a conversion."""
        newest = model.next_version or model.version
        if newest and (self._cache / VERSIONS / model.id / str(newest)).is_dir():
            return replace(model, state="preparing", version=None, next_version=newest)
        return Model(model.name, model.id, "preparing")

    def _publish(self) -> None:
        """Tell the model server and the processes that answer, then remove what no model needs any more."""
        listed = [model for model in self.models.values() if model.next_version or model.version]
        self._server.serve(listed)
        write_catalog(self._cache, Catalog(self.models, self._server.address, self._is_ready))
        self._is_published = True
        ids = {model.id for model in self.models.values()}
        for folder in (self._cache / VERSIONS).iterdir():
            if folder.name not in ids:
                shutil.rmtree(folder, ignore_errors=True)
