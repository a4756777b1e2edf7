"""Expected failures of `python -m models`, and how the messages of other libraries are shortened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.words import first_line


class ModelProblem(Exception):
    """The user can mend it. The message's first line says what happened, the rest what to do next."""


class FetchFailed(ModelProblem):
    """A file could not be downloaded. What has arrived is kept, unless it is damaged."""


def without_scratch(problem: ModelProblem, names: Mapping[Path, str]) -> ModelProblem:
    """The same message with the user's own names in place of the paths of temporary files."""
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
