"""What can go wrong with a model that is not a bug."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class ModelProblem(Exception):
    """It could not be done. The first line says what happened, further ones what to do next."""


class FetchFailed(ModelProblem):
    """A file could not be downloaded. What arrived stays, unless it is damaged."""


def without_scratch(problem: ModelProblem, names: Mapping[Path, str]) -> ModelProblem:
    """The same with the names that the user knows, for files that are gone when they read it."""
    text = str(problem)
    for path, name in names.items():
        text = text.replace(str(path.resolve()), name).replace(str(path), name)
    return ModelProblem(text)


LONGEST = 400  # characters of another library's message
KERAS_REASON = "Exception encountered: "  # after the whole configuration of a layer


def first_line(problem: Exception) -> str:
    """What another library says went wrong, as one sentence."""
    text = str(problem).rpartition(KERAS_REASON)[2]
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith("[[")] or [type(problem).__name__]
    line = (
        said[-1] if said[0].startswith("Graph execution error") else said[0]
    )  # TensorFlow's traceback first
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."
    return line if line.endswith((".", "!", "?")) else f"{line}."
