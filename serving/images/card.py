"""The model's card, `assets.extra/pixelcost.json` beside its files: its labels, how it wants its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.errors import LoadFailed

CARD = Path("assets.extra") / "pixelcost.json"


def read(directory: Path) -> Mapping[str, Any]:
    """What stands on the card of a version's directory; empty without one. Raises LoadFailed."""
    path = directory / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise LoadFailed(f"{path} can't be read: {problem}. Correct it, or remove it.") from problem
    if not isinstance(card, dict):
        raise LoadFailed(f"{path} must hold a JSON object. Correct it, or remove it.")
    return card
