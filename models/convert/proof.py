"""Serves a converted model once and classifies a photo, so that the user sees whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.formats.kinds import Found
from models.interface.wanted import PROBABILITIES, Say, Wanted
from models.problems import ModelProblem
from models.task import NEEDED
from models.trial import ROOT, NotServed, runtimes_for, served

SAMPLE = ROOT / "static" / "samples" / "cat.png"
NEARLY, LEAST = 0.02, -1e-3  # how far a sum and a score may be off by rounding


def prove(found: Found, directory: Path, wanted: Wanted, say: Say) -> None:
    """Says what the model in `directory`, `<base>/1`, answers on every installed runtime that may read it.

    Raises ModelProblem if the default runtime does not serve it, or the scores are not probabilities.
    """
    photo = wanted.photo or SAMPLE
    first, *others = runtimes_for(found)
    classes, scores = _answer(directory, first, photo)
    if (odd := why_no_probabilities(scores)) and wanted.scores != PROBABILITIES:
        raise ModelProblem(odd)
    say(f"served with {first}, {photo.name} is: {_best(classes, scores)}")
    for runtime in others:
        try:
            say(f"served with {runtime}: {_best(*_answer(directory, runtime, photo))}")
        except NotServed as problem:
            reason = str(problem).replace(str(directory.resolve()), "it")
            say(f"not served with {runtime}: {reason.partition('. ')[0].split('; or ')[0]}")


def why_no_probabilities(scores: Sequence[float]) -> str:
    """A sentence if the best scores for one image can't be a classifier's probabilities; else empty."""
    if all(LEAST <= score <= 1 - LEAST for score in scores) and sum(scores) <= 1 + NEARLY:
        return ""
    listed = ", ".join(f"{score:.3g}" for score in scores)
    return (
        f"Its best scores for a photo are {listed}, which are not probabilities: those lie between 0 and 1 "
        f"and don't add up to more than 1. {NEEDED}"
    )


def _answer(directory: Path, runtime: str, photo: Path) -> tuple[list[str], list[float]]:
    with served(directory.parent, runtime) as server:
        return server.classify(photo.read_bytes())


def _best(classes: Sequence[str], scores: Sequence[float]) -> str:
    return ", ".join(
        f"{label} {100 * score:.1f} %" for label, score in zip(classes[:3], scores, strict=False)
    )
