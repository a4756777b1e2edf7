"""A model loaded into TensorFlow, of whatever kind its file was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.interface.pixels import Hints
from models.tensors import Signature


@dataclass(frozen=True)
class Network:
    """What it can be asked, and how: `call(signature's name, {input: tensor})` gives {output: tensor}."""

    signatures: Sequence[Signature]
    call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    keep: Sequence[Any] = ()  # what owns its variables: saved with whatever calls it
    hints: Hints = field(default_factory=Hints)
