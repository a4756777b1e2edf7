"""Finds an engine by its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from experiment.engines.base import Engine, EngineFailed

ENGINES: Final = ("local", "ray", "spark")
PACKAGES: Final = {"ray": "ray", "pyspark": "spark"}  # module -> requirements/<name>.txt


def engine(name: str, options: Mapping[str, str] | None = None) -> Engine:
    """The engine of that name; its file's `make(options)` makes it.

    `options` are the engine's own, OPTIONS of its file: `spark.master` and the other five keys of Cluster
    Serving's file. Raises EngineFailed, with the command that installs it, if it is not there.
    """
    if name not in ENGINES:
        raise EngineFailed(f"There is no engine named {name}. There are {', '.join(ENGINES)}.")
    try:
        file = import_module(f"experiment.engines.{name}")
        if unknown := sorted(set(options or {}) - set(file.OPTIONS)):
            known = ", ".join(file.OPTIONS) or "none"
            raise EngineFailed(f"The engine {name} has no option {unknown[0]}. Its options are: {known}.")
        made: Engine = file.make(options or {})
        return made
    except ModuleNotFoundError as missing:
        lock = PACKAGES.get((missing.name or "").partition(".")[0])
        if lock is None:
            raise
        raise EngineFailed(
            f"The engine {name} is not installed. Install it with: pip install -r requirements/{lock}.txt"
        ) from None
