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
    versions = _versions(base_path)
    if not versions:
        raise EmbeddedFailed(
            f"MODEL_BASE_PATH={base_path} holds no model. "
            "It must hold one directory per version with saved_model.pb in it, like 1/saved_model.pb."
        )
    return {"name": "inception", "base_path": str(base_path), **_card(base_path, versions[-1])}


def model_in(base_path: str) -> dict[str, Any]:
    """What is known of one backend's own model, of any kind: at least `name` and `base_path`.

    A folder without a model is not refused here: the server that should load it says why it can't.
    """
    folder = Path(base_path).expanduser().resolve()
    versions = sorted(int(each.name) for each in folder.glob("*") if each.name.isdigit())
    card = _card(folder, versions[-1]) if versions else {}
    return {"name": folder.name, "base_path": str(folder), **card}


def _export_demo(base_path: Path) -> None:
    command = [sys.executable, "-m", "models", "demo", "--out", str(base_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EmbeddedFailed(f"The demo model could not be exported:\n{done.stderr.strip()[-2000:]}")


def _versions(base_path: Path) -> list[int]:
    found = (path.parent.name for path in base_path.glob("*/saved_model.pb"))
    return sorted(int(name) for name in found if name.isdigit())


def _card(base_path: Path, version: int) -> dict[str, Any]:
    path = base_path / str(version) / "assets.extra" / "pixelcost.json"
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return {"title": f"the model in {base_path}", "knows": None, "labels": []}
