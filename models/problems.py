"""What can go wrong with a model that is not a bug."""

from __future__ import annotations


class ModelProblem(Exception):
    """It could not be done. The first line says what happened, further ones what to do next."""


class FetchFailed(ModelProblem):
    """A file could not be downloaded. What arrived stays, unless it is damaged."""
