"""Reads what the files beside a model say about its task: those of training tools and of other servers.

`config.json` of BMW InnovationLab's inference APIs (type, inference_engine_name) and of Hugging Face
(architectures); `object-detection.pbtxt` and `pipeline.config` of TensorFlow's Object Detection API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.formats.kinds import Found, models_in
from models.task import DETECTOR, MAPS, NEEDED, POSES

CONFIG, LABEL_MAP, PIPELINE = "config.json", "object-detection.pbtxt", "pipeline.config"
LARGEST_BYTES = 1_000_000
CLASSIFIES = re.compile(r"classif", re.IGNORECASE)
TASKS = {
    DETECTOR: re.compile(r"detect|yolo", re.IGNORECASE),
    MAPS: re.compile(r"segment|semantic", re.IGNORECASE),
    POSES: re.compile(r"pose|keypoint", re.IGNORECASE),
}
NETWORK = re.compile(r"^\s*model\s*\{\s*(?:#.*\s*)*(\w+)\s*\{", re.MULTILINE)  # model { ssd { ...


def task_beside(found: Found) -> str:
    """One sentence if a file beside the model says that it is not a classifier; else empty.

    Only where the folder holds no other model, as the file could be another's.
    """
    for folder in _folders(found):
        config = config_in(folder)
        if CLASSIFIES.search(f"{config.get('type')} {config.get('inference_engine_name')}"):
            return ""  # then object-detection.pbtxt is only the list of its classes
        for look in (lambda _, config=config: _by_config(config), _by_label_map, _by_pipeline):
            if said := look(folder):
                return said
    return ""


def config_in(folder: Path) -> Mapping[str, Any]:
    """The `config.json` of a model's folder; empty if there is none or it is no JSON object."""
    try:
        written = json.loads(_text(folder / CONFIG))
    except (ValueError, RecursionError):
        return {}
    return written if isinstance(written, dict) else {}


def _folders(found: Found) -> list[Path]:
    """The folder that belongs to the model alone, and the one above if the inner one has a tool's name."""
    if not found.path.is_dir():
        folder = found.path.absolute().parent
        return [folder] if len(models_in(folder)[0]) == 1 else []
    inner = found.path.resolve()
    is_named_by_tool = inner.name.isdecimal() or inner.name == "saved_model"
    return [inner, inner.parent] if is_named_by_tool else [inner]


def _by_config(config: Mapping[str, Any]) -> str:
    said = {key: config.get(key) for key in ("type", "inference_engine_name", "architectures")}
    for key, value in said.items():
        words = " ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(words, str) and (what := _task(words)):
            return f"It is {what}: {CONFIG} beside it says {key} {words[:80]!r}. {NEEDED}"
    return ""


def _task(words: str) -> str:
    return next((what for what, pattern in TASKS.items() if pattern.search(words)), "")


def _by_label_map(folder: Path) -> str:
    if not (folder / LABEL_MAP).is_file():
        return ""
    return (
        f"It is {DETECTOR}: {LABEL_MAP} lies beside it. {NEEDED} If it is a classifier, rename that file to "
        f'labels.pbtxt, or say "type": "classification" in {CONFIG}.'
    )


def _by_pipeline(folder: Path) -> str:
    network = NETWORK.search(_text(folder / PIPELINE))
    return (
        f"It is {DETECTOR}: {PIPELINE} beside it trains the model {network[1]}. {NEEDED}" if network else ""
    )


def _text(file: Path) -> str:
    """A small file's text; empty if there is none."""
    try:
        is_small = file.is_file() and file.stat().st_size <= LARGEST_BYTES
        return file.read_text("utf-8", "replace") if is_small else ""
    except OSError:
        return ""
