"""The study's plots as SVG: the project's own figures, drawn by plotly.js in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import sync_playwright

from bench.servables import ROOT
from bench.study.cells import (
    EIGHT,
    GPU,
    ONE,
    Compared,
    Found,
    one_over_other,
    png_over_jpeg,
    size_over_smallest,
)
from bench.study.runs import LABELLED, MADE, TIME
from experiment.figures import Figure, figures
from experiment.figures.frame import axis, base_layout, figure
from experiment.figures.palette import LIGHT
from tools import chromium

PLOTLY = ROOT / "static" / "vendor" / "plotly-basic.min.js"
WIDTH_PX, HEIGHT_PX = 760, 420
DASHES, SYMBOLS = ("solid", "dash", "dot"), ("circle", "square-open", "diamond-open")  # of three backends
PREFERRED = ("mobilenet", "demo")  # whose answers are drawn: one model's, the best known first
DRAW = """async ({data, layout, width, height}) => {
  const url = await Plotly.toImage({data, layout}, {format: "svg", width, height});
  return url;
}"""

# Report of a question -> which of its figures, under which name.
OWN = {"size": "agreement_by_size", "quality": "by_quality", "filter": "agreement_by_size"}


def plots(found: Sequence[Found], reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Figure]:
    """Every figure by the name of its file. `reports` by the run's id."""
    drawn: dict[str, Figure] = {}
    for question, name in OWN.items():
        one = _preferred(
            [each for each in found if each.run.question == question and each.run.photos == LABELLED]
        )
        if one and name in (own := figures(reports[one.run.id])):
            drawn[question] = own[name]
    everywhere = [each for each in found if each.run.question == TIME and each.run.photos == MADE]
    times = [each for each in everywhere if not each.machine]
    pairs = {
        "png": ("PNG / JPEG", [each for one in times for each in png_over_jpeg(one)]),
        "time": ("time / that of 128 px, JPEG", _without_original(times)),
        "cpus": ("1 CPU / 8 CPU", [each for one in times for each in one_over_other(one, ONE, EIGHT)]),
        "gpu": ("8 CPU / GPU", [each for one in everywhere for each in one_over_other(one, EIGHT, GPU)]),
    }
    return drawn | {name: ratios(title, compared) for name, (title, compared) in pairs.items() if compared}


def ratios(title: str, compared: Sequence[Compared]) -> Figure:
    """Ratios over the longest side, one line for each model, backend and format, with 95 % intervals."""
    lines: dict[tuple[str, str], list[Compared]] = {}
    for each in compared:
        made_as = each.point.variant.format.upper() if "CPU /" in title else each.point.backend.name
        lines.setdefault((each.found.model, made_as), []).append(each)
    models, ways = (list(dict.fromkeys(names)) for names in zip(*lines, strict=True))
    data = [
        _line(f"{model}, {way}", line, LIGHT.backends[models.index(model)], ways.index(way))
        for (model, way), line in lines.items()
    ]
    layout = base_layout(LIGHT, HEIGHT_PX, len(lines)) | {
        "xaxis": axis(
            LIGHT,
            "Longest side, px",
            type="log",
            tickvals=_sizes(compared),
            ticktext=list(map(str, _sizes(compared))),
        ),
        "yaxis": axis(LIGHT, title, rangemode="tozero"),
    }
    return figure(data, layout, title, "", [], [])


def draw(drawn: Mapping[str, Figure], folder: Path) -> Iterator[Path]:
    """Write each as `folder/NAME.svg`. Nothing is drawn where there is no Chromium."""
    path = chromium.find()
    if path is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        page = browser.new_page()
        page.add_script_tag(path=str(PLOTLY))
        for name, each in drawn.items():
            file = folder / f"{name}.svg"
            file.write_text(_svg(page, each), "utf-8")
            yield file
        browser.close()


def _svg(page: Any, drawn: Figure) -> str:
    layout = drawn["layout"] | {"paper_bgcolor": "white", "plot_bgcolor": "white"}
    height = layout.get("height", HEIGHT_PX)
    asked = {"data": drawn["data"], "layout": layout, "width": WIDTH_PX, "height": height}
    url = page.evaluate(DRAW, json.loads(json.dumps(asked)))
    return unquote(str(url).partition(",")[2]) + "\n"


def _line(name: str, line: Sequence[Compared], colour: str, way: int) -> dict[str, Any]:
    """`way`: the place of its backend or format among all, told apart by dash and symbol."""
    line = [each for each in line if not each.point.variant.is_reference]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [each.point.variant.size_px for each in line],
        "y": [round(each.ratio.value, 3) for each in line],
        "line": {"color": colour, "dash": DASHES[way]},
        "marker": {"symbol": SYMBOLS[way], "size": 7},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(each.ratio.high - each.ratio.value, 4) for each in line],
            "arrayminus": [round(each.ratio.value - each.ratio.low, 4) for each in line],
            "thickness": 1,
            "width": 4,
        },
    }


def _without_original(times: Sequence[Found]) -> list[Compared]:
    compared = (each for one in times for each in size_over_smallest(one))
    return [each for each in compared if not each.point.variant.is_reference]


def _preferred(found: Sequence[Found]) -> Found | None:
    return next((each for name in PREFERRED for each in found if each.run.model == name), None)


def _sizes(compared: Sequence[Compared]) -> list[int]:
    return sorted({each.point.variant.size_px for each in compared if not each.point.variant.is_reference})
