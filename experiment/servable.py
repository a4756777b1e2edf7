"""The model that the embedded servers serve: found, or exported once, and its card."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment.errors import EmbeddedFailed
from experiment.models_command import DownloadFailed, ModelUnavailable, run_models

DEFAULT, DEMO = "inception-v3", "demo"  # names of `python -m models list`
DEFAULT_TITLE = "Inception v3"
FIRST_BYTE_S = 5.0  # at a start; then the demo model has to do
STALL_S = 15.0


@dataclass(frozen=True)
class ModelChoice:
    """What the settings ask for. All empty: the default model, else the demo model."""

    base_path: str = ""  # MODEL_BASE_PATH: a folder with a model; comes before the name
    name: str = ""  # MODEL: a name of `python -m models list`
    weights_url: str = ""  # PIXELCOST_WEIGHTS_URL: a mirror


def prepare_model(
    data_dir: Path, choice: ModelChoice | None = None, stop: threading.Event | None = None
) -> dict[str, Any]:
    """The model to serve: its card (name, title, knows, labels) and `base_path`.

    The default model is downloaded and exported once. Where that fails the demo model takes its place, and
    the card's `notice` says so; a model that was asked for by name has no stand-in. Raises EmbeddedFailed
    when the directory holds no model or the export fails, StartStopped when `stop` is set meanwhile.
    """
    choice = choice or ModelChoice()
    if choice.base_path:
        return _card_in(Path(choice.base_path).resolve())
    if choice.name:
        return _exported(data_dir, choice.name, choice, stop)
    try:
        return _exported(data_dir, DEFAULT, choice, stop)
    except ModelUnavailable as problem:
        demo = _exported(data_dir, DEMO, choice, stop)
        return {**demo, "notice": _notice(problem, str(demo["knows"]))}


def is_downloaded(data_dir: Path, choice: ModelChoice) -> bool:
    """Whether the start needs no download."""
    name = choice.name or DEFAULT
    return bool(choice.base_path) or name == DEMO or _latest(_place(data_dir, name)) is not None


def model_in(base_path: str) -> dict[str, Any]:
    """What is known of one backend's own model, of any kind: at least `name` and `base_path`.

    A folder without a model is not refused here: the server that should load it says why it can't.
    """
    folder = Path(base_path).expanduser().resolve()
    version = _latest(folder)
    return {"name": folder.name, "base_path": str(folder), **(_card(version) if version else {})}


def _exported(data_dir: Path, name: str, choice: ModelChoice, stop: threading.Event | None) -> dict[str, Any]:
    """A model of the catalogue; nothing is done when it is there already."""
    place = _place(data_dir, name)
    mirror = ["--mirror", choice.weights_url] if choice.weights_url else []
    limits = ["--first-byte-timeout", f"{FIRST_BYTE_S:g}", "--stall-timeout", f"{STALL_S:g}"]
    run_models(["export", "--out", str(place), "--quiet", *mirror, *limits, "--", name], stop)
    return _card_in(place)


def _place(data_dir: Path, name: str) -> Path:
    return (data_dir / "models" / name).resolve()


def _notice(problem: ModelUnavailable, knows: str) -> str:
    failed = "downloaded" if isinstance(problem, DownloadFailed) else "prepared"
    reason = problem.message.partition("\n")[0].rstrip(".")
    return (
        f"The default model, {DEFAULT_TITLE}, could not be {failed} ({reason}). "
        f"This is the demo model, which knows {knows}."
    )


def _card_in(base_path: Path) -> dict[str, Any]:
    version = _latest(base_path)
    if not version:
        raise EmbeddedFailed(
            f"MODEL_BASE_PATH={base_path} holds no model. "
            "It must hold one numbered directory per version with the model in it, like 1/saved_model.pb."
        )
    return {"name": "inception", "base_path": str(base_path), **_card(version)}


def _latest(base_path: Path) -> Path | None:
    """The highest numbered directory with something in it. Whether that is a model, the server says."""
    found = {path.parent for path in base_path.glob("*/*") if path.parent.name.isdigit()}
    return max(found, key=lambda directory: int(directory.name), default=None)


def _card(version: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((version / "assets.extra" / "pixelcost.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {"title": f"the model in {version.parent}", "knows": None, "labels": []}
