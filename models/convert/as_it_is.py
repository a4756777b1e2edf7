"""Copies models that the model server reads as they are, with a card that says how images become pixels."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.formats.kinds import Found
from models.interface.ends import LAYOUTS, Ends, choose, layout_of
from models.interface.hints import hints_of
from models.interface.labels import find_labels, label_count
from models.interface.pixels import Hints, Pixels, work_out
from models.interface.scores import is_logits, try_scores
from models.interface.wanted import Say, ScoresOf, Wanted
from models.problems import ModelProblem
from models.trial import NotServed, Server, runtimes_for, served

MOST_OFF = 1e-3  # by how much of the largest score any may differ after rewriting


def write(
    found: Found,
    directory: Path,
    wanted: Wanted,
    say: Say,
    hints: Hints | None = None,
    scores_of: ScoresOf | None = None,
) -> dict[str, Any]:
    """Copy the files into `directory`, `<base>/1`, and return the card's sections. Raises ModelProblem.

    For a rewritten model, `hints` is what the original file said, `scores_of` computes the original's scores.
    """
    runtime = runtimes_for(found)[0]
    copy_files(found, directory)
    hints = hints or hints_of(found)
    with served(directory.parent, runtime) as server:
        signatures = server.signatures()
        say(f"{runtime} reads it as {'; '.join(map(str, signatures))}")
        ends = choose(signatures, wanted, label_count(wanted, hints.labels), say)
        wanted = _with_layout(server, ends, wanted, hints, say)
        pixels = work_out(ends, wanted, hints, say)
        scores = _try(server, ends, pixels)
    if scores_of:
        _compare(scores, try_scores(scores_of, ends, pixels), say)
    softmax = is_logits(scores, pixels, wanted, say)
    labels = find_labels(wanted, hints.labels, scores.shape[-1], say)
    return {"labels": labels, "pixels": {**pixels.as_card(), "softmax": softmax}}


def copy_files(found: Found, directory: Path) -> None:
    """Copy a model's files under the names by which the model server finds them."""
    directory.mkdir(exist_ok=True)
    main = directory / found.kind.stored_as
    shutil.copyfile(found.path, main)
    for file in found.beside:
        is_pair = found.kind.name in {"OpenVINO IR", "Caffe"}
        shutil.copyfile(file, main.with_suffix(file.suffix) if is_pair else directory / file.name)


def _with_layout(server: Server, ends: Ends, wanted: Wanted, hints: Hints, say: Say) -> Wanted:
    """`wanted` with the layout that the model takes, found by trying if neither file nor user says it."""
    if layout_of(ends.input) or wanted.layout:
        return wanted
    likely = wanted.likely_layout or hints.layout
    for layout in sorted(LAYOUTS, key=lambda name: name != likely):
        said = replace(wanted, layout=layout)
        with suppress(ModelProblem):
            _try(server, ends, work_out(ends, said, hints, lambda _: None))
            say(f"tried: the model takes {layout} (--layout)")
            return said
    return wanted


def _try(server: Server, ends: Ends, pixels: Pixels) -> np.ndarray:
    def ask(image: np.ndarray) -> np.ndarray:
        return server.numbers(ends.signature, image)[ends.output.name]

    return try_scores(ask, ends, pixels, (NotServed,))


def _compare(scores: np.ndarray, expected: np.ndarray, say: Say) -> None:
    """Raises ModelProblem if the rewritten model's scores [images, classes] are not those of the original."""
    expected = expected.astype(float)
    if expected.shape != scores.shape:
        raise ModelProblem(
            f"The written file gives {scores.shape[-1]} scores instead of {expected.shape[-1]}."
        )
    off = np.abs(scores - expected).max() / np.abs(expected).max()
    if not off <= MOST_OFF:
        raise ModelProblem(
            f"The rewritten model's scores differ from the original's by up to {off:.2g} of the largest. The "
            "converter does not translate this network correctly, so nothing was kept. Choose another --to."
        )
    say(f"tried: its scores are those that TensorFlow computes, within {off:.1g}")
