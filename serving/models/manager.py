"""Loads and unloads versions of models, as the configuration and the disk change.

A new version is loaded and warmed up beside the old one, at low priority, and only then takes over; the
old one is unloaded when its last request is answered. A version that fails gets no requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from serving.errors import FailedPrecondition, LoadFailed
from serving.machine.process import lower_priority, run_at_low_priority
from serving.models import model_dir
from serving.models.config import ModelConfig
from serving.models.servable import Servable
from serving.models.served_model import ServedModel
from serving.models.version import END, UNLOADING, Version
from serving.models.warmup import Shapes, difference

log = logging.getLogger(__name__)

REASON_LENGTH = 300  # characters of a library's message
ENDED_KEPT = 100  # unloaded or failed versions of a model that its status still lists

Load = Callable[[Path], tuple[Servable, Shapes]]  # raises LoadFailed


class Manager:
    """All served models. `models` may be read from any thread; one thread at a time changes it."""

    def __init__(self, load: Load, allow_labels_for_unavailable: bool = False, accept_changes: bool = False):
        self.models: dict[str, ServedModel] = {}
        self.is_started = False
        self._load = load
        self._allow_labels = allow_labels_for_unavailable
        self._accept_changes = accept_changes
        self._shapes: dict[Version, Shapes] = {}
        self._turn = threading.Lock()  # one change at a time
        self._stop = threading.Event()

    def start(self, configs: Sequence[ModelConfig]) -> None:
        """Load every model for the first time. Raises LoadFailed if one can't be served, or ServingError."""
        with self._turn:
            self._apply(configs)
            for model in self.models.values():
                if not model.available():
                    raise LoadFailed(_why_unserved(model))
            self._check_labels(configs)
        self.is_started = True

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on. Raises LoadFailed or ServingError if a part of that failed."""

        def change() -> None:
            with self._turn:
                problems = self._apply(configs)
                problems += [_why_unserved(model) for model in self.models.values() if not model.available()]
                self._check_labels(configs)
            if problems:
                raise LoadFailed(problems[0])

        run_at_low_priority(change)

    def watch(self, every_s: float, also: Callable[[], None] = lambda: None) -> None:
        """Look for new versions every few seconds, in another thread, and call `also` then. 0: never."""
        if every_s <= 0:
            return

        def look() -> None:
            lower_priority()
            while not self._stop.wait(every_s):
                try:
                    also()
                    with self._turn:  # what comes is loaded before what leaves is unloaded
                        for model in self.models.values():
                            self._load_wanted(model)
                            self._unload_unwanted(model)
                except Exception:
                    log.exception("Bug while looking for new versions")

        threading.Thread(target=look, name="versions", daemon=True).start()

    def stop(self) -> None:
        """Change nothing any more, and let no version take new requests."""
        self._stop.set()
        for model in list(self.models.values()):
            for version in model.available():
                version.leaving()

    def _apply(self, configs: Sequence[ModelConfig]) -> list[str]:
        """Serve these models. Returns why the base path of a model could not be changed.

        First new versions are loaded, then the labels move, and only then the unwanted versions are unloaded:
        so every request to a label finds a version.
        """
        models: dict[str, ServedModel] = {}
        problems = []
        for config in configs:
            now = self.models.get(config.name)
            if now is None:
                models[config.name] = ServedModel(replace(config, labels={}))
            elif now.config.base_path == config.base_path:
                now.config = replace(config, labels=now.config.labels)
                models[config.name] = now
            else:
                moved = ServedModel(replace(config, labels={}))
                self._load_wanted(moved)  # the model at the old path answers meanwhile
                models[config.name] = moved if moved.available() else now
                problems += [] if moved.available() else [_why_unserved(moved)]
        gone = [model for name, model in self.models.items() if models.get(name) is not model]
        self.models = models
        for model in models.values():
            self._load_wanted(model)
        self._label(configs)
        for model in models.values():
            self._unload_unwanted(model)
        for model in gone:
            self._unload(model.available())
        return problems

    def _load_wanted(self, model: ServedModel) -> None:
        on_disk = self._on_disk(model)
        for number in sorted(model.config.policy.choose(on_disk)):
            if self._should_load(model.versions.get(number), on_disk[number]):
                self._load_version(model, Version(number, on_disk[number]))

    def _unload_unwanted(self, model: ServedModel) -> None:
        wanted = model.config.policy.choose(self._on_disk(model))
        served = {version.number for version in model.available()}
        if wanted & served:  # else no version would be left
            self._unload(version for version in model.available() if version.number not in wanted)
        model.forget(ENDED_KEPT)

    def _on_disk(self, model: ServedModel) -> dict[int, Path]:
        """The versions on disk; none if the directory can't be read: what is loaded then stays served."""
        try:
            return model_dir.versions_in(model.config.base_path)
        except OSError as problem:
            log.warning("%s: %s can't be read: %s", model.config.name, model.config.base_path, problem)
            return {}

    def _should_load(self, version: Version | None, path: Path) -> bool:
        """Whether it is new, was unloaded, or failed and its files changed since (an incomplete copy, say).

        A version that is still unloading counts as unloaded: it can't take requests again.
        """
        if version is None or version.status.state == UNLOADING:
            return True
        return version.status.state == END and version.files != model_dir.fingerprint(path)

    def _load_version(self, model: ServedModel, version: Version) -> None:
        log.info("Loading %s version %d from %s", model.config.name, version.number, version.path)
        started = time.perf_counter()
        files = model_dir.fingerprint(version.path)
        version.loading()
        before = model.latest()
        model.versions = {**model.versions, version.number: version}
        try:
            servable, shapes = self._load(version.path)
            self._refuse_change(model, before, version, servable, shapes)
        except Exception as problem:  # whatever it is: the files can be corrected
            is_expected = isinstance(problem, LoadFailed)
            reason = str(problem) if is_expected else _why_odd(version.path, problem)
            version.files = files
            version.failed(reason)
            message = "%s version %d is not served: %s"
            log.error(message, model.config.name, version.number, reason, exc_info=not is_expected)
            return
        self._shapes[version] = shapes
        version.available(servable)
        took_s = time.perf_counter() - started
        log.info("Serving %s version %d, ready after %.1f s", model.config.name, version.number, took_s)

    def _refuse_change(
        self, model: ServedModel, before: Version | None, version: Version, servable: Servable, shapes: Shapes
    ) -> None:
        """Raises LoadFailed if the outputs differ from those of the version `before`.

        Only under the policy "latest", where clients get a new version without asking for it.
        """
        policy = model.config.policy
        if before is None or self._accept_changes or policy.every or policy.specific is not None:
            return
        changed = difference(self._shapes.get(before, {}), shapes)
        if changed:
            servable.close()
            raise LoadFailed(
                f"Version {version.number} would not fit the clients of version {before.number}: {changed}. "
                "If that is meant, give it another model name, or start with --accept_changed_outputs."
            )

    def _unload(self, versions: Iterable[Version]) -> None:
        """Every version in another thread, because its last requests may take a while."""
        for version in list(versions):
            version.leaving()
            self._shapes.pop(version, None)
            threading.Thread(target=version.unload, name=f"unload-{version.number}", daemon=True).start()

    def _label(self, configs: Sequence[ModelConfig]) -> None:
        """Apply the labels. A model with a label that can't be applied keeps all its old ones."""
        for config in configs:
            model = self.models[config.name]
            if self._mislabelled(config) is None and model.config.base_path == config.base_path:
                model.config = config

    def _check_labels(self, configs: Sequence[ModelConfig]) -> None:
        """Raises FailedPrecondition when a label points at a version that is not available."""
        for config in configs:
            if label := self._mislabelled(config):
                raise FailedPrecondition(
                    f"Request to assign label to version {config.labels[label]} of model {config.name}, "
                    f"which is not currently available for inference. The label is {label}."
                )

    def _mislabelled(self, config: ModelConfig) -> str | None:
        served = {version.number for version in self.models[config.name].available()}
        wrong = (label for label, number in config.labels.items() if number not in served)
        return None if self._allow_labels else next(wrong, None)


def _why_odd(path: Path, problem: Exception) -> str:
    return (
        f"{path} can't be loaded: {type(problem).__name__}: {str(problem)[:REASON_LENGTH]}. "
        "Correct its files or copy them again; the server's log says where it happened."
    )


def _why_unserved(model: ServedModel) -> str:
    failed = filter(None, (version.status.error_message for version in model.versions.values()))
    return next(failed, f"{model.config.name} has no version to serve in {model.config.base_path}.")
