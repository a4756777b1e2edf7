"""Loads a version so that it can take requests at once: from the file to a warm servable."""

from __future__ import annotations

import gc
import logging
import sys
from pathlib import Path

from serving import runtimes
from serving.errors import LoadFailed, ServingError
from serving.images import card
from serving.images.signatures import with_image_signatures
from serving.models import warmup
from serving.models.servable import Servable
from serving.models.warmup import Shapes
from serving.runtimes.base import Model, Setting
from serving.runtimes.devices import OTHERWISE, remedy

log = logging.getLogger(__name__)


class Loader:
    """What the manager calls for each version."""

    def __init__(
        self,
        runtime: str,
        setting: Setting,
        prefers_tflite: bool = False,
        needs_gpu: bool = False,
        warms: bool = True,
        warm_repeats: int = 1,
    ):
        self._runtime = runtime
        self._prefers_tflite = prefers_tflite
        self._needs_gpu = needs_gpu
        self._setting = setting
        self._warms = warms
        self._warm_repeats = warm_repeats

    def __call__(self, directory: Path) -> tuple[Servable, Shapes]:
        """Raises LoadFailed."""
        is_tflite = self._prefers_tflite and any(directory.glob("*.tflite"))
        runtime = "litert" if is_tflite else self._runtime
        servable = Servable(load(directory, runtime, self._setting))
        if self._needs_gpu and servable.about.device != "GPU":
            servable.close()
            raise LoadFailed(
                f"--device gpu: {servable.about.runtime} can't use a GPU here. {remedy()} "
                f"{OTHERWISE}, or --device cpu."
            )
        if not self._warms:
            return servable, {}
        try:
            warmed = warmup.warm(servable, directory, self._warm_repeats)
        except (LoadFailed, ServingError) as problem:
            servable.close()
            raise LoadFailed(f"{directory}: {problem}") from problem
        for line in warmed.cold:
            log.warning("Not warmed up: %s", line)
        return servable, warmed.shapes


def load(directory: Path, runtime: str, setting: Setting) -> Model:
    """The model of a version's directory, with the signatures that its card adds. Raises LoadFailed."""
    return with_image_signatures(runtimes.load(directory, runtime, setting), card.read(directory))


def settle() -> None:
    """After the first loading: what is in memory now stays, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    # A thread that wants the interpreter's lock waits this long: for a request, ten times shorter is better.
    sys.setswitchinterval(0.0005)
