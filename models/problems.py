"""What can go wrong with a model that is not a bug."""

from __future__ import annotations


class ModelProblem(Exception):
    """It could not be done. The message says what happened and what to do next."""
