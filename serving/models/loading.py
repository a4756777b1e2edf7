"""Loads the files of a version and warms it up, so that it can answer requests at once."""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from serving import runtimes
from serving.errors import LoadFailed, ServingError
from serving.images.signatures import read_card, with_image_signatures
from serving.machine.devices import OTHERWISE, remedy
from serving.models import warmup
from serving.models.servable import Servable
from serving.models.warmup import Shapes
from serving.runtimes.base import Model, Setting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loader:
    """Loads a version's directory and warms it up; the manager calls it for every version."""

    runtime: str
    setting: Setting
    prefers_tflite: bool = False
    needs_gpu: bool = False
    warms: bool = True
    warm_repeats: int = 1

    def __call__(self, directory: Path) -> tuple[Servable, Shapes]:
        """The servable, and the shapes of its outputs as its warm-up showed them. Raises LoadFailed."""
        is_tflite = self.prefers_tflite and any(directory.glob("*.tflite"))
        servable = Servable(load(directory, "litert" if is_tflite else self.runtime, self.setting))
        if self.needs_gpu and servable.about.device != "GPU":
            servable.close()
            raise LoadFailed(
                f"--device gpu: {servable.about.runtime} can't use a GPU here. {remedy()} "
                f"{OTHERWISE}, or --device cpu."
            )
        if not self.warms:
            return servable, {}
        try:
            warmed = warmup.warm(servable, directory, self.warm_repeats)
        except (LoadFailed, ServingError) as problem:
            servable.close()
            raise LoadFailed(f"{directory}: {problem}") from problem
        for line in warmed.cold:
            log.warning("Not warmed up: %s", line)
        return servable, warmed.shapes


def load(directory: Path, runtime: str, setting: Setting) -> Model:
    """The model in a version's directory, with the signatures that its card adds. Raises LoadFailed."""
    return with_image_signatures(runtimes.load(directory, runtime, setting), read_card(directory))


def settle() -> None:
    """Call it once, after the first loading: shorter pauses for garbage collection and between threads."""
    gc.collect()
    gc.freeze()  # what is in memory now stays there, so the collector need not look at it again
    # How long a thread waits for the interpreter's lock: a tenth of the default suits requests better.
    sys.setswitchinterval(0.0005)
