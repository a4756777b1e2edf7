"""What moved the answer: the section about factors."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.decide.section import Section
from experiment.decide.sensitivity import Effect, effects
from experiment.decide.sensitivity_figure import between, score_words, sensitivity
from experiment.figures.palette import Palette
from experiment.figures.view import View
from experiment.wording import capitalised, listed

TITLE = "What moved the answer"
FORMATS_NOTE = (
    "Formats are compared in their usual quality, or the first that was tried; places of resizing in the "
    "encoder and filter that each has."
)
HARDLY_POINTS = 0.05  # what is written as 0.0


def sensitivity_section(view: View, palette: Palette) -> Section:
    """Empty of figures where nothing was varied, or no two cells can be compared."""
    if not view.points:
        return Section(TITLE, "Nothing was measured yet.")
    every = effects(view)
    known = [each for each in every if each.mean_points is not None]
    without = [each.factor.name for each in every if each.mean_points is None]
    if not known:
        return Section(TITLE, _nothing(without))
    notes = [FORMATS_NOTE] if {"format", "made_in"} & {each.factor.key for each in known} else []
    if without:
        notes.append(_unknown(without))
    figures = {"sensitivity": sensitivity(view, known, palette)}
    return Section(TITLE, _conclusion(view, known), (), tuple(notes), figures)


def _unknown(factors: Sequence[str]) -> str:
    return f"The effect of {listed(factors)} is not known: no two answered cells differ in that alone."


def _nothing(without: Sequence[str]) -> str:
    if without:
        return _unknown(without)
    return (
        "Only one value of everything was tried. Try several sizes, formats or qualities to see what matters."
    )


def _conclusion(view: View, known: Sequence[Effect]) -> str:
    first = known[0]
    if (first.mean_points or 0.0) < HARDLY_POINTS:
        return f"Nothing that was varied moved {score_words(view)}."
    others = [f"{each.factor.name} {each.mean_points:.1f}" for each in known[1:]]
    rest = f", {listed(others)}" if others else ""
    name = first.factor.name
    return (
        f"{capitalised(name)} moved {score_words(view)} most: {first.mean_points:.1f} points on "
        f"average{rest}. The largest change is {first.largest_points:.1f} points, between "
        f"{between(first.largest)}."
    )
