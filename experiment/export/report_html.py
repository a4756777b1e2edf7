"""The report as one HTML file that opens from disk, needs no network and prints well.

The templates escape everything that is put into them. The file's own policy lets only its own two scripts
and its own style in, each by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiment.decide.sections import sections
from experiment.export.filmstrip import filmstrip
from experiment.export.pictures import data_uri, pictures_of, without_pictures
from experiment.figures import figures
from experiment.figures.view import view_of
from experiment.report.contention import NOT_THERE
from experiment.report.method import method
from experiment.under_load.capacities import capacity_words
from experiment.wording import (
    margin_words,
    number,
    p_words,
    percent,
    runtime_words,
    short_label,
    short_name,
    size,
    sized_name,
    span,
)

TEMPLATES = Path(__file__).parent / "templates"
VENDORED = Path(__file__).parents[2] / "static" / "vendor"
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FILTERS = (
    *(capacity_words, margin_words, number, p_words, percent, runtime_words),
    *(short_label, short_name, size, sized_name, span),
)


def report_html(report: Mapping[str, Any]) -> str:
    """The exported report as a page. Raises FileNotFoundError when static/vendor lacks plotly.js.

    The report's pictures stand in the page itself, and not again in its JSON.
    """
    pictures, report = pictures_of(report), without_pictures(report)
    style, script = _asset("report.css") + _vendored("plotly*.css"), _asset("report.js")
    plotly, view = _vendored("plotly*.min.js"), view_of(report)
    drawn = {theme: figures(report, theme, view=view) for theme in THEMES}
    decided = {theme: sections(report, theme=theme, view=view).values() for theme in THEMES}
    # Backends that could not be used are left out of the table: a warning says all that is known of them.
    unused = {info.name for info in view.backends if info.state in NOT_THERE}
    one_photo = view.photo_set is None
    page = (
        _templates()
        .get_template("one_photo.html" if one_photo else "photo_set.html")
        .render(
            policy=_policy([plotly, script], style),
            style=style,
            script=script,
            plotly=plotly,
            report=report,
            strip=filmstrip(view, report),
            pictures={key: (picture, data_uri(picture)) for key, picture in pictures.items()},
            photo_set=view.photo_set,
            variants={variant.id: variant for variant in view.variants},
            cells=[
                cell
                for cell in view.cells
                if cell.count or cell.unanswered or (one_photo and cell.backend_name not in unused)
            ],
            backends=view.backends,
            curves={curve.key: curve for curve in view.load},
            figures=drawn["light"],
            sections=[section for section in decided["light"] if section.figures],  # others lack something
            all_figures=_in_both_themes(
                *(
                    drawn[theme] | {k: v for section in decided[theme] for k, v in section.figures.items()}
                    for theme in THEMES
                )
            ),
            method=method(report),
        )
    )
    return page.encode("utf-8", "replace").decode()  # a file name may hold what UTF-8 can't


def _in_both_themes(light: Mapping[str, Any], dark: Mapping[str, Any]) -> dict[str, Any]:
    """What the page's script draws: the light figures, and of the dark ones only what differs."""
    plain = [
        {name: {key: figure[key] for key in ("data", "layout")} for name, figure in drawn.items()}
        for drawn in (light, dark)
    ]
    return {"light": plain[0], "dark": _differences(*plain) or {}}


def _differences(base: Any, other: Any) -> dict[str, Any] | list[Any] | None:
    """What `other` has otherwise than `base`: by key or index, down to [the other value]; None: nothing."""
    if base == other:
        return None
    if isinstance(base, dict) and isinstance(other, dict) and base.keys() == other.keys():
        pairs = [(key, base[key], other[key]) for key in base]
    elif isinstance(base, list) and isinstance(other, list) and len(base) == len(other):
        pairs = [(str(place), *both) for place, both in enumerate(zip(base, other, strict=True))]
    else:
        return [other]
    return {key: _differences(one, two) for key, one, two in pairs if one != two}


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_words,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update({written.__name__: _of_known(written) for written in FILTERS})
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return made


def _words(value: Any) -> Any:
    """None is a dash; yes and no are words."""
    if value is None:
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _of_known(written: Callable[..., str | None]) -> Callable[..., str | None]:
    """The same, but what is unknown stays unknown."""

    @wraps(written)
    def words(value: Any, *more: Any) -> str | None:
        return None if value is None or None in more else written(value, *more)

    return words


@cache
def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


@cache
def _vendored(pattern: str) -> str:
    found = sorted(VENDORED.glob(pattern))
    if not found:
        raise FileNotFoundError(f"static/vendor/{pattern} is missing. It comes with the repository.")
    return found[-1].read_text("utf-8")


def _policy(scripts: Iterable[str], style: str) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
