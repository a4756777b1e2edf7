"""Prepares the model that the embedded servers serve: finds it or exports it once, and reads its card."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment.embedded.models_cli import run_models
from experiment.errors import EmbeddedFailed

DEFAULT = "efficientnet-lite0"
FIRST_BYTE_S = 5.0  # short, because somebody waits for the start
STALL_S = 15.0


@dataclass(frozen=True)
class ModelChoice:
    """The settings about the model. All empty: the default model, installed with Pixelcost."""

    base_path: str = ""  # MODEL_BASE_PATH: a folder with a model; comes before the name
    name: str = ""  # MODEL: a name of `python -m models list`
    weights_url: str = ""  # PIXELCOST_WEIGHTS_URL: a mirror


def prepare_model(
    data_dir: Path, choice: ModelChoice | None = None, stop: threading.Event | None = None
) -> dict[str, Any]:
    """The model to serve: its card (name, title, knows, labels) and `base_path`.

    A model of the catalogue is exported once, after downloading its weights if necessary. Raises
    EmbeddedFailed if the directory holds no model, ModelUnavailable if a download or the export fails, and
    StartStopped if `stop` is set meanwhile.
    """
    choice = choice or ModelChoice()
    if choice.base_path:
        return _card_in(Path(choice.base_path).resolve())
    return _exported(data_dir, choice.name or DEFAULT, choice, stop)


def model_in(base_path: str) -> dict[str, Any]:
    """The card of one backend's own model, of any kind: at least `name` and `base_path`.

    A folder without a model is not refused here: the server says why it can't load it.
    """
    folder = Path(base_path).expanduser().resolve()
    version = _latest(folder)
    return {"name": folder.name, "base_path": str(folder), **(_card(version) if version else {})}


def place_of(data_dir: Path, name: str) -> Path:
    """Where a model of the catalogue is exported to."""
    return (data_dir / "models" / name).resolve()


def is_exported(data_dir: Path, name: str) -> bool:
    """Whether it has been exported, so that it can be served without a download."""
    return _latest(place_of(data_dir, name)) is not None


def _exported(data_dir: Path, name: str, choice: ModelChoice, stop: threading.Event | None) -> dict[str, Any]:
    """The card of a model of the catalogue, which is exported unless it is there already."""
    place = place_of(data_dir, name)
    mirror = ["--mirror", choice.weights_url] if choice.weights_url else []
    limits = ["--first-byte-timeout", f"{FIRST_BYTE_S:g}", "--stall-timeout", f"{STALL_S:g}"]
    run_models(["export", "--out", str(place), "--quiet", *mirror, *limits, "--", name], stop)
    return _card_in(place)


def _card_in(base_path: Path) -> dict[str, Any]:
    version = _latest(base_path)
    if not version:
        raise EmbeddedFailed(
            f"MODEL_BASE_PATH={base_path} holds no model. "
            "It must hold a numbered directory for every version with the model in it, like 1/saved_model.pb."
        )
    return {"name": "inception", "base_path": str(base_path), **_card(version)}


def _latest(base_path: Path) -> Path | None:
    """The highest numbered directory that is not empty. Only the server knows whether it holds a model."""
    found = {path.parent for path in base_path.glob("*/*") if path.parent.name.isdigit()}
    return max(found, key=lambda directory: int(directory.name), default=None)


def _card(version: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((version / "assets.extra" / "pixelcost.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {"title": f"the model in {version.parent}", "knows": None, "labels": []}
