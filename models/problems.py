"""What can go wrong with a model that is not a bug."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.words import first_line


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


KERAS_REASON = "Exception encountered: "  # after the whole configuration of a layer


def what_went_wrong(problem: Exception) -> str:
    """What another library says, as one sentence."""
    text = str(problem).rpartition(KERAS_REASON)[2]
    said = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("[[")]
    if said and said[0].startswith("Graph execution error"):  # TensorFlow's traceback comes first
        said = said[-1:]
    return first_line("\n".join(said), type(problem).__name__, longest=400)
