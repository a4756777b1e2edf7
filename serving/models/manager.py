"""Keeps the served models as the configuration and the disk want them.

A new version is loaded and warmed beside the old one, at low priority, and only then takes over; the
old one is unloaded when its last request is answered. A version that fails gets no request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from serving.errors import FailedPrecondition, LoadFailed
from serving.machine import priority
from serving.models import model_dir
from serving.models.config import ModelConfig
from serving.models.servable import Servable
from serving.models.served_model import ServedModel
from serving.models.version import END, UNLOADING, Version
from serving.models.warmup import Shapes, difference

log = logging.getLogger(__name__)

REASON_LENGTH = 300  # characters of what a library said
ENDED_KEPT = 100  # versions of a model whose end is still told

Load = Callable[[Path], tuple[Servable, Shapes]]  # raises LoadFailed


class Manager:
    """All served models. `models` is read from any thread; one thread at a time changes it."""

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
        """Load everything for the first time. Raises LoadFailed: then there is nothing to fall back on."""
        with self._turn:
            self._apply(configs)
            for model in self.models.values():
                if not model.available():
                    raise LoadFailed(_why_unserved(model))
            self._check_labels(configs)
        self.is_started = True

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on. Raises LoadFailed or a ServingError; the rest is applied."""
        priority.run_low(lambda: self._reload(configs))

    def _reload(self, configs: Sequence[ModelConfig]) -> None:
        with self._turn:
            problems = self._apply(configs)
            problems += [_why_unserved(model) for model in self.models.values() if not model.available()]
            self._check_labels(configs)
        if problems:
            raise LoadFailed(problems[0])

    def watch(self, every_s: float, also: Callable[[], None] = lambda: None) -> None:
        """From now on look at the disk every few seconds, in a thread of its own. 0: look only now."""
        if every_s <= 0:
            return

        def look() -> None:
            priority.lower()
            while not self._stop.wait(every_s):
                try:
                    also()
                    with self._turn:
                        self._look_at_disk()
                except Exception:
                    log.exception("Bug while looking for new versions")

        threading.Thread(target=look, name="versions", daemon=True).start()

    def stop(self) -> None:
        """No more changes, and no new requests: every version is on its way out."""
        self._stop.set()
        for model in list(self.models.values()):
            for version in model.available():
                version.leaving()

    def _apply(self, configs: Sequence[ModelConfig]) -> list[str]:
        """Serve these. Returns why the base path of a model could not be changed.

        First what is new is loaded, then labels move, and only then goes what is not wanted any more: no
        request on its way to a label finds nothing.
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
                self._bring_up_wanted(moved)  # beside the one before, which answers meanwhile
                models[config.name] = moved if moved.available() else now
                problems += [] if moved.available() else [_why_unserved(moved)]
        gone = [model for name, model in self.models.items() if models.get(name) is not model]
        self.models = models
        for model in models.values():
            self._bring_up_wanted(model)
        self._label(configs)
        for model in models.values():
            self._let_go(model)
        for model in gone:
            self._unload(model.available())
        return problems

    def _look_at_disk(self) -> None:
        """Availability first: what leaves is unloaded after what comes has been loaded."""
        for model in self.models.values():
            self._bring_up_wanted(model)
            self._let_go(model)

    def _bring_up_wanted(self, model: ServedModel) -> None:
        on_disk = self._on_disk(model)
        for number in sorted(model.config.policy.choose(on_disk)):
            if self._should_load(model.versions.get(number), on_disk[number]):
                self._bring_up(model, Version(number, on_disk[number]))

    def _let_go(self, model: ServedModel) -> None:
        wanted = model.config.policy.choose(self._on_disk(model))
        served = {version.number for version in model.available()}
        if wanted & served:  # else nothing would be left
            self._unload(version for version in model.available() if version.number not in wanted)
        model.forget(ENDED_KEPT)

    def _on_disk(self, model: ServedModel) -> dict[int, Path]:
        """What vanished from the disk is not loaded again, but stays served while nothing replaces it."""
        try:
            return model_dir.versions_in(model.config.base_path)
        except OSError as problem:
            log.warning("%s: %s can't be read: %s", model.config.name, model.config.base_path, problem)
            return {}

    def _should_load(self, version: Version | None, path: Path) -> bool:
        """New, unloaded before, or failed and changed since: a copy that was not complete, say.

        One that still unloads, while its last request is answered, is gone already: it never comes back.
        """
        if version is None or version.status.state == UNLOADING:
            return True
        return version.status.state == END and version.files != model_dir.fingerprint(path)

    def _bring_up(self, model: ServedModel, version: Version) -> None:
        log.info("Loading %s version %d from %s", model.config.name, version.number, version.path)
        started = time.perf_counter()
        files = model_dir.fingerprint(version.path)
        version.loading()
        before = model.latest()
        model.versions = {**model.versions, version.number: version}
        try:
            servable, shapes = self._load(version.path)
            self._refuse_change(model, before, version, servable, shapes)
        except Exception as problem:  # whatever is odd about its files: it can be mended and tried again
            is_expected = isinstance(problem, LoadFailed)
            reason = str(problem) if is_expected else _why_odd(version.path, problem)
            version.files = files
            version.failed(reason)
            told = "%s version %d is not served: %s"
            log.error(told, model.config.name, version.number, reason, exc_info=not is_expected)
            return
        self._shapes[version] = shapes
        version.available(servable)
        took_s = time.perf_counter() - started
        log.info("Serving %s version %d, ready after %.1f s", model.config.name, version.number, took_s)

    def _refuse_change(
        self, model: ServedModel, before: Version | None, version: Version, servable: Servable, shapes: Shapes
    ) -> None:
        """Under the policy "latest" clients get the new version without asking for it."""
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
        """Each in a thread of its own: its last requests may take a while."""
        for version in list(versions):
            version.leaving()
            self._shapes.pop(version, None)
            threading.Thread(target=version.unload, name=f"unload-{version.number}", daemon=True).start()

    def _label(self, configs: Sequence[ModelConfig]) -> None:
        """From now on these labels count; for a model with one that can't, those before stay."""
        for config in configs:
            model = self.models[config.name]
            if self._mislabelled(config) is None and model.config.base_path == config.base_path:
                model.config = config

    def _check_labels(self, configs: Sequence[ModelConfig]) -> None:
        """Raises FailedPrecondition when a label points at a version that does not answer."""
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
