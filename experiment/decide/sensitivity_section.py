"""What moved the answer: the section about factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.decide.sensitivity import Effect, effects
from experiment.figures.frame import Figure, axis, base_layout, figure, hover_text, words_at
from experiment.figures.palette import Palette
from experiment.figures.section import NOTHING_YET, Section
from experiment.figures.view import Point, View
from experiment.wording import capitalised, count, listed, sized_name

TITLE = "What moved the answer"
FORMATS_NOTE = (
    "Formats are compared at their default quality, or at the first one tried; places of resizing with the "
    "encoder and filter of each place."
)
ONE_VALUE_EACH = (
    "Every setting had only one value. Try several sizes, formats or qualities to see what matters."
)
HARDLY_POINTS = 0.05  # what is written as 0.0


def sensitivity_section(view: View, palette: Palette) -> Section:
    """Empty of figures where nothing was varied, or no two cells can be compared."""
    if not view.points:
        return Section(TITLE, NOTHING_YET)
    every = effects(view)
    known = [effect for effect in every if effect.mean_points is not None]
    without = [effect.factor.name for effect in every if effect.mean_points is None]
    no_pair = f"No two cells with a known score differ only in {listed(without)}." if without else ""
    if not known:
        return Section(TITLE, no_pair or ONE_VALUE_EACH)
    notes = [FORMATS_NOTE] if {"format", "made_in"} & {effect.factor.key for effect in known} else []
    if no_pair:
        notes.append(no_pair)
    figures = {"sensitivity": sensitivity(view, known, palette)}
    return Section(TITLE, _conclusion(view, known), (), tuple(notes), figures)


def _conclusion(view: View, known: Sequence[Effect]) -> str:
    first = known[0]
    if (first.mean_points or 0.0) < HARDLY_POINTS:
        return f"Nothing that was varied moved {score_words(view)}."
    moved = [effect for effect in known[1:] if (effect.mean_points or 0.0) >= HARDLY_POINTS]
    still = [effect.factor.name for effect in known[1:] if effect not in moved]
    rest = "".join(f", then {effect.factor.name} ({effect.mean_points:.1f})" for effect in moved)
    makes = "makes" if len(still) == 1 else "make"
    none = (
        f" {capitalised(listed([f'the {name}' for name in still]))} {makes} no difference." if still else ""
    )
    return (
        f"{capitalised(first.factor.name)} matters most ({first.mean_points:.1f} points of "
        f"{score_words(view)} on average){rest}.{none} The largest change is {first.largest_points:.1f} "
        f"points, between {between(first.largest)}."
    )


FIGURE_TITLE = "Mean change by factor"
MADE = {"server": "made on the server", "browser": "made in the browser"}
BAR_PX, FRAME_PX = 34, 96
FIGURE_COLUMNS = (
    "Factor", "Tried", "Mean change, points", "Largest change, points", "Between", "Pairs",
    "Other answer, pairs",
)  # fmt: skip


def sensitivity(view: View, effects: Sequence[Effect], palette: Palette) -> Figure:
    """`effects` have a mean each, the strongest first; there is at least one."""
    means = [round(effect.mean_points or 0.0, 4) for effect in effects]
    names = [effect.factor.name for effect in effects]
    ends = words_at(means, names, [f"{mean:.1f} points" for mean in means], palette)
    data = [_bars(effects, names, means, palette), ends]
    layout = base_layout(palette, FRAME_PX + BAR_PX * len(effects)) | {
        "showlegend": False,
        "bargap": 0.35,
        "xaxis": axis(
            palette, "Mean absolute change, percentage points", range=[0, max(means) * 1.22 or 1.0]
        ),
        "yaxis": axis(palette, "", type="category", autorange="reversed", ticks="", showgrid=False),
    }
    rows = [_row(effect) for effect in effects]
    return figure(data, layout, FIGURE_TITLE, _caption(view, effects), FIGURE_COLUMNS, rows)


def score_words(view: View) -> str:
    """What is moved."""
    if view.photo_set is not None:
        whose = "a right" if view.is_accuracy else "the original's"
        return f"the share of photos with {whose} top answer"
    whose = "the true label's" if view.true_label is not None else "the reference label's"
    return f"{whose} probability"


def between(pair: tuple[Point, Point] | None) -> str:
    """The two cells of a pair: "2048 px JPEG and 128 px JPEG on GPU"."""
    if pair is None:
        return ""
    first, second = (sized_name(point.variant) for point in pair)
    hosts = list(dict.fromkeys(point.backend.name for point in pair))
    if first == second and pair[0].variant.made_in != pair[1].variant.made_in:
        first, second = (f"{first} {MADE[point.variant.made_in]}" for point in pair)
    names = listed(list(dict.fromkeys((first, second))))
    return f"{names} on {listed(hosts)}"


def _bars(
    effects: Sequence[Effect], names: Sequence[str], means: Sequence[float], palette: Palette
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "x": list(means),
        "y": list(names),
        "marker": {"color": palette.serving, "line": {"width": 0}},
        "hovertext": [_hover(effect) for effect in effects],
        "hoverinfo": "text",
    }


def _hover(effect: Effect) -> str:
    return hover_text(
        f"{effect.factor.name}: {listed(effect.values)}",
        f"{effect.mean_points or 0:.1f} points on average over {count(effect.pairs, 'pair')}",
        f"at most {effect.largest_points or 0:.1f}: {between(effect.largest)}",
        f"another top answer in {count(effect.answers_changed, 'pair')}" if effect.answers_changed else "",
    )


def _row(effect: Effect) -> list[Any]:
    return [
        effect.factor.name, listed(effect.values), round(effect.mean_points or 0.0, 4),
        round(effect.largest_points or 0.0, 4), between(effect.largest), effect.pairs, effect.answers_changed,
    ]  # fmt: skip


def _caption(view: View, effects: Sequence[Effect]) -> str:
    what = (
        f"A bar is the mean absolute change of {score_words(view)}, in percentage points, between two cells "
        "that differ in this factor alone, over all such pairs."
    )
    unknown = sum(effect.unknown for effect in effects)
    if not unknown:
        return what
    are = "pair is" if unknown == 1 else "pairs are"
    return (
        f"{what} {unknown} {are} left out: there the label is below the top 5, with an unknown probability."
    )
