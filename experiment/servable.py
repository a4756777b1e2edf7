"""The model that the embedded servers serve: found, or exported once, and its card."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiment.errors import EmbeddedFailed

ROOT = Path(__file__).resolve().parent.parent


def prepare_model(data_dir: Path, model_base_path: str | None = None) -> dict[str, Any]:
    """The model to serve: the directory given, else the demo model, exported once.

    Returns its card (name, title, knows, labels) and `base_path`. Raises EmbeddedFailed
    when the directory holds no model or the export fails.
    """
    base_path = (Path(model_base_path) if model_base_path else data_dir / "models" / "demo").resolve()
    if not model_base_path:
        _export_demo(base_path)  # does nothing when it is there already
    version = _latest(base_path)
    if not version:
        raise EmbeddedFailed(
            f"MODEL_BASE_PATH={base_path} holds no model. "
            "It must hold one numbered directory per version with the model in it, like 1/saved_model.pb."
        )
    return {"name": "inception", "base_path": str(base_path), **_card(version)}


def model_in(base_path: str) -> dict[str, Any]:
    """What is known of one backend's own model, of any kind: at least `name` and `base_path`.

    A folder without a model is not refused here: the server that should load it says why it can't.
    """
    folder = Path(base_path).expanduser().resolve()
    version = _latest(folder)
    return {"name": folder.name, "base_path": str(folder), **(_card(version) if version else {})}


def _export_demo(base_path: Path) -> None:
    command = [sys.executable, "-m", "models", "demo", "--out", str(base_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EmbeddedFailed(f"The demo model could not be exported:\n{done.stderr.strip()[-2000:]}")


def _latest(base_path: Path) -> Path | None:
    """The highest numbered directory with something in it. Whether that is a model, the server says."""
    found = {path.parent for path in base_path.glob("*/*") if path.parent.name.isdigit()}
    return max(found, key=lambda directory: int(directory.name), default=None)


def _card(version: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((version / "assets.extra" / "pixelcost.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {"title": f"the model in {version.parent}", "knows": None, "labels": []}
