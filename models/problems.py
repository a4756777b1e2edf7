"""Expected failures of `python -m models`, and how the messages of other libraries are shortened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


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


LONGEST = 400  # characters of another library's message
KERAS_REASON = "Exception encountered: "  # after the whole configuration of a layer


def first_line(problem: Exception) -> str:
    """Another library's message as one sentence of at most LONGEST characters."""
    text = str(problem).rpartition(KERAS_REASON)[2]
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith("[[")] or [type(problem).__name__]
    # TensorFlow puts its traceback first, and the reason last.
    line = said[-1] if said[0].startswith("Graph execution error") else said[0]
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."
    return line if line.endswith((".", "!", "?")) else f"{line}."
