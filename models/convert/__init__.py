"""From a model of any kind to a folder that the servers serve with the contract's signatures."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.convert import as_it_is, cluster_serving, proof, rewrite
from models.convert.labels import labels_beside
from models.convert.wanted import Say, Wanted
from models.kinds import CLUSTER_SERVING, KINDS, Found, find
from models.placing import CARD, Exported, hash_of, place
from models.problems import ModelProblem


def convert(path: Path, out: Path, wanted: Wanted, say: Say) -> Exported:
    """Make sure that `out/1` holds the model at `path`, and works. Raises ModelProblem and OSError."""
    found = find(path)
    if found.kind.name == CLUSTER_SERVING:
        return _configured(path, out, wanted, say)
    say(f"{found.path}: {found.kind.name}, {found.size_bytes / 1e6:.1f} MB")
    for remark in found.remarks:
        say(remark)
    if found.kind.way_on:
        raise ModelProblem(f"{found.path}: {found.kind.name}. {found.kind.way_on}")
    name = wanted.name or found.name
    wanted = replace(wanted, likely_labels=labels_beside(found.path))
    made_from = _made_from(found, wanted)
    return place(out, name, made_from, lambda directory: _write(found, directory, name, wanted, say))


def _configured(file: Path, out: Path, wanted: Wanted, say: Say) -> Exported:
    """The model that a Cluster Serving configuration names."""
    configuration = cluster_serving.read(file, say)
    if configuration.model.exists() and find(configuration.model).kind.name == CLUSTER_SERVING:
        raise ModelProblem(
            f"{file}: its model, {configuration.model}, is such a configuration too, and no model."
        )
    done = convert(configuration.model, out, configuration.completed(wanted), say)
    if configuration.batch_size:
        cluster_serving.write_batching(out, configuration.batch_size, say)
    return done


def _write(found: Found, directory: Path, name: str, wanted: Wanted, say: Say) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="convert-") as scratch:
        written, sections = _written(found, directory, wanted, Path(scratch), say)
    labels = sections.get("labels", [])
    card: dict[str, object] = {
        "title": name,
        "knows": f"{len(labels)} classes" if labels else None,
        "classes": len(labels),
        **sections,
        "name": name,
        "converted_from": {"file": found.path.name, "kind": found.kind.name},
    }
    (directory / CARD).parent.mkdir(exist_ok=True)
    (directory / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    proof.prove(written, directory, wanted, say)
    return card


def _written(
    found: Found, directory: Path, wanted: Wanted, scratch: Path, say: Say
) -> tuple[Found, Mapping[str, Any]]:
    """What was written of which model, and the card's sections."""
    hints = None
    if wanted.to and wanted.to != rewrite.TENSORFLOW:
        found, hints, wanted = rewrite.rewritten(found, wanted, scratch, say)
        say(f"written as {found.kind.name}, {found.size_bytes / 1e6:.1f} MB")
    if found.kind.runtimes and wanted.to != rewrite.TENSORFLOW:
        return found, as_it_is.write(found, directory, wanted, say, hints)
    from models.convert import as_graph  # imports TensorFlow

    if found.kind.name not in as_graph.LOAD:
        raise ModelProblem(f"--to {wanted.to}: there is no way from {found.kind.name} to it here.")
    sections = as_graph.write(found, directory, wanted, say)
    return Found(KINDS["SavedModel"], directory), sections


def _made_from(found: Found, wanted: Wanted) -> str:
    files = [found.path, *found.beside]
    if found.path.is_dir():
        files = [file for file in sorted(found.path.rglob("*")) if file.is_file()]
    labels = [wanted.labels] if wanted.labels else wanted.likely_labels
    return hash_of([*files, *labels], repr(wanted), hashlib.sha256(_sources()).hexdigest())


def _sources() -> bytes:
    """This code: a model that an older one wrote is written anew."""
    return b"".join(file.read_bytes() for file in sorted(Path(__file__).parents[1].rglob("*.py")))
