"""What can go wrong with a model that is not a bug."""

from __future__ import annotations


class ModelProblem(Exception):
    """It could not be done. The first line says what happened, further ones what to do next."""


class FetchFailed(ModelProblem):
    """A file could not be downloaded. What arrived stays, unless it is damaged."""


def first_line(problem: Exception) -> str:
    """What another library says went wrong, as one sentence."""
    lines = [line.strip() for line in str(problem).splitlines()]
    said = [line for line in lines if line and not line.startswith("[[")] or [type(problem).__name__]
    line = (
        said[-1] if said[0].startswith("Graph execution error") else said[0]
    )  # TensorFlow's traceback first
    return line if line.endswith((".", "!", "?")) else f"{line}."
