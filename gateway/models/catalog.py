"""What is known about the folder of models: one process watches it and writes, others read and answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

FILE: Final = "models.json"
BEFORE: Final = "models.before.json"  # of the last start, as its model server is gone
VERSIONS: Final = "versions"  # folder: versions/<id>/<number>/ as model servers read them
CARD: Final = Path("assets.extra") / "pixelcost.json"

State = Literal["preparing", "served", "unusable", "other_task"]


@dataclass(frozen=True, slots=True)
class Model:
    """One sub-folder of the folder of models."""

    name: str
    id: str
    state: State
    reason: str = ""  # a sentence: why it is not served, or why its newest files are not
    version: int | None = None  # the one that is served
    next_version: int | None = None  # the one that the model server is loading
    fingerprint: str = ""  # of the files that the state was decided by


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of them, by name."""

    models: Mapping[str, Model] = field(default_factory=dict)
    server: str = ""  # host:port of the model server; empty: none yet
    is_ready: bool = False  # each model that was there at the start is served, or can't be

    def find(self, name_or_id: str) -> Model | None:
        """The model with that name, else with that id."""
        by_id = (model for model in self.models.values() if model.id == name_or_id.lower())
        return self.models.get(name_or_id) or next(by_id, None)


def read_catalog(cache: Path, name: str = FILE) -> Catalog:
    """The catalog in the cache folder; an empty one if there is none yet, or of another release."""
    try:
        written = json.loads((cache / name).read_bytes())
        keys = {each.name for each in fields(Model)}
        models = [Model(**row) for row in written["models"] if row.keys() == keys]
        by_name = {model.name: model for model in models}
        return Catalog(by_name, str(written["server"]), written["is_ready"] is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Catalog()


def write_catalog(cache: Path, catalog: Catalog) -> None:
    """Write it whole: a reader finds the one before or this one."""
    models = [asdict(model) for model in catalog.models.values()]
    written = {"server": catalog.server, "is_ready": catalog.is_ready, "models": models}
    replace_file(cache / FILE, json.dumps(written))


def set_aside(cache: Path) -> None:
    """Keep the catalog of the last start for a new one, but answer nobody by it."""
    with suppress(FileNotFoundError):
        (cache / FILE).replace(cache / BEFORE)


def replace_file(file: Path, text: str) -> None:
    """Write a file beside, then rename it."""
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text, "utf-8")
    beside.replace(file)


def card(cache: Path, model: str, version: int) -> Mapping[str, Any]:
    """The card of a version of the model with the id `model`; empty if it has none."""
    try:
        found = json.loads((cache / VERSIONS / model / str(version) / CARD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
