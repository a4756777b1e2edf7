"""Finds the version to serve: the highest numbered directory that holds a SavedModel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartRefused

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model on disk."""

    number: int
    path: Path


def latest_version(base: Path) -> ModelVersion:
    """Raises StartRefused with what was looked for, what was found and what to do."""
    if not base.is_dir():
        what = "is a file" if base.exists() else "does not exist"
        raise StartRefused(
            f"--model_base_path {base} {what}. It must be a directory that holds 1/saved_model.pb."
        )
    numbers = sorted(int(entry.name) for entry in base.iterdir() if _is_version(entry))
    if not numbers:
        raise StartRefused(_no_version(base))
    latest = ModelVersion(numbers[-1], base / str(numbers[-1]))
    if not _has_model(latest.path):
        raise StartRefused(
            f"{latest.path} is the highest version but holds no saved_model.pb ({_contents(latest.path)}). "
            "Export the model again, or remove that directory."
        )
    return latest


def _is_version(entry: Path) -> bool:
    return entry.is_dir() and entry.name.isascii() and entry.name == str(_number(entry.name))


def _number(name: str) -> int | None:
    return int(name) if name.isdigit() else None


def _has_model(path: Path) -> bool:
    return any((path / name).is_file() for name in SAVED_MODEL_FILES)


def _no_version(base: Path) -> str:
    if _has_model(base):
        return (
            f"--model_base_path {base} is itself a SavedModel. Move it to {base / '1'} (one numbered "
            "directory per version) and give its parent."
        )
    return (
        f"--model_base_path {base} holds no version directory: looked for {base / '1' / 'saved_model.pb'}, "
        f"found {_contents(base)}. Name each version's directory by its number."
    )


def _contents(directory: Path) -> str:
    names = sorted(entry.name for entry in directory.iterdir())
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"
