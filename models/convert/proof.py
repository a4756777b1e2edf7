"""Serves a converted model once and asks it about a photo: what a user will see, before they rely on it."""

from __future__ import annotations

from pathlib import Path

from models.convert.wanted import Say, Wanted
from models.kinds import Found
from models.trial import ROOT, NotServed, runtimes_for, served

SAMPLE = ROOT / "static" / "samples" / "cat.png"


def prove(found: Found, directory: Path, wanted: Wanted, say: Say) -> None:
    """Says what `directory`, `<base>/1`, answers on each installed runtime that may read it.

    Raises ModelProblem when the first of them, which will serve it by default, does not.
    """
    photo = wanted.photo or SAMPLE
    first, *others = runtimes_for(found)
    say(f"served with {first}, {photo.name} is: {_answer(directory, first, photo)}")
    for runtime in others:
        try:
            say(f"served with {runtime}: {_answer(directory, runtime, photo)}")
        except NotServed as problem:
            say(f"not served with {runtime}: {_short(problem, directory)}")


def _answer(directory: Path, runtime: str, photo: Path) -> str:
    with served(directory.parent, runtime) as server:
        classes, scores = server.classify(photo.read_bytes())
    return ", ".join(
        f"{label} {100 * score:.1f} %" for label, score in zip(classes[:3], scores, strict=False)
    )


def _short(problem: NotServed, directory: Path) -> str:
    """The first sentence, without the scratch folder."""
    return str(problem).replace(str(directory.resolve()), "it").partition(". ")[0].split("; or ")[0]
