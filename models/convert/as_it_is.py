"""Models that the model server reads as they are: their files with a card that makes images of pixels."""

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
from models.interface.pixels import Hints, work_out
from models.interface.preprocess import Pixels
from models.interface.scores import is_logits, made_up, rows_of
from models.interface.wanted import Say, ScoresOf, Wanted
from models.problems import ModelProblem
from models.trial import NotServed, Server, runtimes_for, served

MOST_OFF = 1e-3  # how far scores may be off after rewriting, of the largest


def write(
    found: Found,
    directory: Path,
    wanted: Wanted,
    say: Say,
    hints: Hints | None = None,
    scores_of: ScoresOf | None = None,
) -> dict[str, Any]:
    """Copy the files into `directory`, `<base>/1`. Gives the card's sections. Raises ModelProblem.

    `hints` is what is known of a model that was written anew, `scores_of` what the former one answers.
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
        _compare(scores, ends, pixels, scores_of, say)
    softmax = is_logits(scores, pixels, wanted, say)
    labels = find_labels(wanted, hints.labels, scores.shape[-1], say)
    return {"labels": labels, "pixels": {**pixels.as_card(), "softmax": softmax}}


def copy_files(found: Found, directory: Path) -> None:
    """Under the names by which the model server finds them."""
    directory.mkdir(exist_ok=True)
    main = directory / found.kind.stored_as
    shutil.copyfile(found.path, main)
    for file in found.beside:
        is_pair = found.kind.name in {"OpenVINO IR", "Caffe"}
        shutil.copyfile(file, main.with_suffix(file.suffix) if is_pair else directory / file.name)


def _with_layout(server: Server, ends: Ends, wanted: Wanted, hints: Hints, say: Say) -> Wanted:
    """With the layout that the model takes, where neither the file nor the user says it."""
    if layout_of(ends.input) or wanted.layout:
        return wanted
    likely = wanted.likely_layout or hints.layout
    for layout in sorted(LAYOUTS, key=lambda each: each != likely):
        said = replace(wanted, layout=layout)
        with suppress(ModelProblem):
            _try(server, ends, work_out(ends, said, hints, lambda _: None))
            say(f"tried: the model takes {layout} (--layout)")
            return said
    return wanted


def _try(server: Server, ends: Ends, pixels: Pixels) -> np.ndarray:
    """Scores [images, classes] for made-up images."""
    batch = _batch(ends)
    try:
        answers = [
            server.numbers(ends.signature, image)[ends.output.name] for image in made_up(pixels, batch)
        ]
    except NotServed as problem:
        height, width = pixels.side_px
        raise ModelProblem(
            f"The model does not take {height}x{width} pixels as {pixels.dtype} {pixels.layout}: {problem} "
            "Say what it takes with --size, --layout."
        ) from problem
    return np.concatenate([rows_of(answer, batch, ends.output) for answer in answers])


def _batch(ends: Ends) -> int:
    return (ends.input.shape or (None,))[0] or 1


def _compare(scores: np.ndarray, ends: Ends, pixels: Pixels, scores_of: ScoresOf, say: Say) -> None:
    """Raises ModelProblem where the written file computes something else than the model that it was."""
    batch = _batch(ends)
    former = [rows_of(scores_of(image), batch, ends.output) for image in made_up(pixels, batch)]
    expected = np.concatenate(former).astype(float)
    if expected.shape != scores.shape:
        raise ModelProblem(
            f"The written file gives {scores.shape[-1]} scores instead of {expected.shape[-1]}."
        )
    off = np.abs(scores - expected).max() / np.abs(expected).max()
    if not off <= MOST_OFF:
        raise ModelProblem(
            f"The written file answers otherwise than the model: its scores are up to {off:.2g} off. The "
            "converter does not translate this network right, so nothing was kept. Choose another --to."
        )
    say(f"tried: its scores are those that TensorFlow computes, within {off:.1g}")
