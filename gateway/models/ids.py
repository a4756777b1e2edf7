"""Ids of models and labels: computed from their names, so that every replica gives the same ones."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID(
    "6f0f2c52-6a0b-5c1e-9d3c-2f7f3a1b9e44"
)  # drawn once; another one would change every id


def model_id(name: str) -> str:
    """The id of the model in the folder `name`. It stays when the model's files change."""
    return str(uuid5(NAMESPACE, f"model\0{name}"))


def label_id(model: str, label: str) -> str:
    """The id of a class of the model `model`."""
    return str(uuid5(NAMESPACE, f"label\0{model}\0{label}"))
