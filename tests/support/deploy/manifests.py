"""The files of k8s/, read as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
WEB = "manifest-image-resizer.yaml"
SERVERS = ("manifest-serving-gpu.yaml", "manifest-serving-1cpu.yaml", "manifest-serving-8cpu.yaml")


def read(*names: str) -> list[dict[str, Any]]:
    """The objects in these files of k8s/; without names, those of all four manifests."""
    texts = [(ROOT / "k8s" / name).read_text("utf-8") for name in names or (WEB, *SERVERS)]
    return [each for text in texts for each in yaml.safe_load_all(text)]


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of this kind and name; there must be exactly one."""
    (found,) = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found
