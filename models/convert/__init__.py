"""Converts a model of any kind into a folder that the model servers serve with the signatures that we ask."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.convert import as_it_is, cluster_serving, proof, rewrite
from models.formats.exporter_notes import notes_of
from models.formats.kinds import CLUSTER_SERVING, KINDS, Found, find
from models.formats.other_tasks import stated_task
from models.interface.labels import labels_beside, read_labels
from models.interface.wanted import Say, Wanted
from models.placing import VERSION, Placed, hash_of, place, refuse_patterns, write_card
from models.problems import ModelProblem, without_scratch

DESCRIPTION = ("title", "knows", "labels_note", "wnids")  # of a card: still true in another format


def convert(path: Path, out: Path, wanted: Wanted, say: Say) -> Placed:
    """Make sure that `out/1` holds the model at `path`, and works. Says what was read and assumed.

    Raises ModelProblem and OSError.
    """
    found = find(path)
    if found.kind.name == CLUSTER_SERVING:
        return _configured(path, out, wanted, say)
    say(f"{found.path}: {found.kind.name}, {found.size_bytes / 1e6:.1f} MB")
    for remark in found.remarks:
        say(remark)
    if found.kind.way_on:
        raise ModelProblem(f"{found.path}: {found.kind.name}. {found.kind.way_on}")
    _refuse_its_own_place(found, out)
    if wanted.photo and not wanted.photo.is_file():
        raise ModelProblem(f"--photo {wanted.photo}: the file does not exist.")
    notes = notes_of(found)
    if other := stated_task(found):
        raise ModelProblem(f"{found.path}: {other}")
    if wanted.to == rewrite.TENSORFLOW or not (wanted.to or found.kind.runtimes):
        refuse_patterns(out)
    if wanted.labels:
        read_labels(wanted.labels)
    name = str(wanted.name or found.card.get("name") or found.name).encode("utf-8", "replace").decode()
    beside = labels_beside(found.path)
    wanted = replace(wanted, likely_labels=(notes.beside, *beside) if notes.beside else beside, name=name)
    made_from = _made_from(found, wanted)
    return place(out, name, made_from, lambda directory: _write(found, directory, name, wanted, say))


def _refuse_its_own_place(found: Found, out: Path) -> None:
    """Raises ModelProblem if the model would be written over itself or into its own folder."""
    target = Path(os.path.realpath(out / VERSION))
    folder = Path(os.path.realpath(found.path if found.path.is_dir() else found.path.parent))
    if target == folder or target in folder.parents or (found.path.is_dir() and folder in target.parents):
        raise ModelProblem(
            f"--out {out}: the model would be written over itself or into its own folder. Name another one."
        )


def _configured(file: Path, out: Path, wanted: Wanted, say: Say) -> Placed:
    """Convert the model that a Cluster Serving configuration names."""
    configuration = cluster_serving.read(file, say)
    if configuration.model.exists() and find(configuration.model).kind.name == CLUSTER_SERVING:
        raise ModelProblem(
            f"{file}: its model, {configuration.model}, is not a model but another configuration."
        )
    done = convert(configuration.model, out, configuration.completed(wanted), say)
    if configuration.batch_size:
        cluster_serving.write_batching(out, configuration.batch_size, say)
    return done


def _write(found: Found, directory: Path, name: str, wanted: Wanted, say: Say) -> dict[str, object]:
    """Write the model into `directory`, serve it once, and return its card."""
    with tempfile.TemporaryDirectory(prefix="convert-") as folder:
        scratch = Path(folder)
        try:
            written, sections = _written(found, directory, wanted, scratch, say)
            card = _card(found, name, sections)
            write_card(directory, card)
            proof.prove(written, directory, wanted, say)
        except ModelProblem as problem:
            copy = {directory / found.kind.stored_as: str(found.path)} if found.kind.stored_as else {}
            names = {**copy, directory: "the converted model", scratch: "the rewritten model"}
            raise without_scratch(problem, names) from problem
    return card


def _card(found: Found, name: str, sections: Mapping[str, Any]) -> dict[str, object]:
    """The sections, with the source's own description if name and labels are still the same."""
    labels = sections.get("labels", [])
    of_source = {key: found.card[key] for key in DESCRIPTION if key in found.card}
    return {
        "title": name,
        "knows": f"{len(labels)} classes" if labels else None,
        "classes": len(labels),
        **(of_source if labels == found.card.get("labels") and name == found.card.get("name") else {}),
        **sections,
        "name": name,
        "converted_from": {"file": found.path.name, "kind": found.kind.name},
    }


def _written(
    found: Found, directory: Path, wanted: Wanted, scratch: Path, say: Say
) -> tuple[Found, Mapping[str, Any]]:
    """Write files into `directory`. Returns the model that they hold, and the card's sections."""
    hints, scores_of = None, None
    if wanted.to and wanted.to != rewrite.TENSORFLOW:
        found, hints, wanted, scores_of = rewrite.rewritten(found, wanted, scratch, say)
        say(f"written as {found.kind.name}, {found.size_bytes / 1e6:.1f} MB")
    if found.kind.runtimes and wanted.to != rewrite.TENSORFLOW:
        return found, as_it_is.write(found, directory, wanted, say, hints, scores_of)
    from models.convert import as_graph  # imports TensorFlow

    if found.kind.name not in as_graph.LOAD:
        raise ModelProblem(f"--to {wanted.to}: {found.kind.name} can't be rewritten for it.")
    return Found(KINDS["SavedModel"], directory), as_graph.write(found, directory, wanted, say)


def _made_from(found: Found, wanted: Wanted) -> str:
    """A hash of the model's files, the options, and this code: a newer version converts anew."""
    files = [found.path, *found.beside]
    if found.path.is_dir():
        files = [file for file in sorted(found.path.rglob("*")) if file.is_file()]
    likely = [file for file in wanted.likely_labels if os.access(file, os.R_OK)]
    labels = [wanted.labels] if wanted.labels else likely
    code = hash_of(sorted(Path(__file__).parents[1].rglob("*.py")))
    return hash_of([*files, *labels], repr(wanted), repr(found.card), code)
