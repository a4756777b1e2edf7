"""Whether what arrived is a whole model, before a server may see it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from models.formats.kinds import GRAPH_FILE, find
from models.problems import ModelProblem, without_scratch

SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")


def refuse_half_a_model(folder: Path, shown: str) -> None:
    """Raises ModelProblem for no model, several, or a SavedModel without its graph or some variables."""
    if (folder / "variables").is_dir() and not (folder / GRAPH_FILE).is_file():
        raise ModelProblem(
            f"{shown} holds half a SavedModel: variables/ is there, {GRAPH_FILE} is missing. Upload it again."
        )
    if (folder / "variables" / "variables.index").is_file():
        _refuse_missing_shards(folder / "variables", shown)
    try:
        kind = find(folder).kind
    except ModelProblem as problem:
        raise without_scratch(problem, {folder: shown}) from None
    if kind.way_on:
        raise ModelProblem(f"{shown} holds a {kind.name}, which no server can load. {kind.way_on}")


def _refuse_missing_shards(variables: Path, shown: str) -> None:
    shards = [match for path in variables.iterdir() if (match := SHARD.fullmatch(path.name))]
    if not shards or len(shards) != int(shards[0][1]):
        wanted = int(shards[0][1]) if shards else 1
        raise ModelProblem(
            f"{shown} holds half a SavedModel: {len(shards)} of {wanted} files variables/variables.data-... "
            "are there. Upload it again."
        )


def settle(folder: Path) -> None:
    """Readable for everybody, and on the disk: a rename may otherwise outlive what it renamed."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
