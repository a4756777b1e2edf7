"""A service around a model that takes every element type, without TensorFlow: for the protocols' targets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# First: it lets the messages load without TensorFlow.
from experiment.protocol import types_pb2  # isort: skip
from serving.models.config import ModelConfig, Policy
from serving.models.manager import Manager
from serving.models.servable import Servable
from serving.runtimes.base import About
from serving.service import Service
from serving.values.signatures import Signature, TensorSpec

NAME = "numbers"
TYPES = ("FLOAT", "DOUBLE", "HALF", "INT8", "UINT8", "INT32", "INT64", "UINT64", "BOOL", "STRING")


def _signatures() -> dict[str, Signature]:
    specs = {name.lower(): TensorSpec(types_pb2.DataType.Value(f"DT_{name}"), (None,)) for name in TYPES}
    made = {key: Signature(key, {"x": spec}, {"y": spec}) for key, spec in specs.items()}
    square = TensorSpec(types_pb2.DT_FLOAT, (None, 2, 2))
    made["square"] = Signature("square", {"x": square}, {"y": square})
    made["serving_default"] = Signature("serving_default", {"x": specs["float"]}, {"y": specs["float"]})
    return made


@dataclass
class Numbers:
    """Gives back what it gets."""

    about: About = field(default_factory=lambda: About("fuzz", "f32", "CPU"))
    signatures: Mapping[str, Signature] = field(default_factory=_signatures)

    def infer(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"y": inputs["x"]}

    def close(self) -> None:
        """Nothing to give back."""


def serving() -> Service:
    """A service that has loaded it."""
    base = Path(tempfile.mkdtemp(prefix="pixelcost-fuzz-"))
    (base / "1").mkdir()
    manager = Manager(lambda path: (Servable(Numbers()), {}))
    manager.start([ModelConfig(NAME, base, Policy(), {})])
    return Service(manager)
