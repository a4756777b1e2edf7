"""The study's plots as SVG, made from its tables: the project's own look, drawn by plotly.js in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import sync_playwright

from bench.study.cells import ONE
from bench.study.changes import ALL, PREDICTORS
from bench.study.models import LITE0, TITLES
from bench.study.runs import MADE
from bench.study.tables import Tables
from bench.support.servables import ROOT
from experiment.figures import Figure
from experiment.figures.frame import axis, base_layout, figure
from experiment.figures.palette import LIGHT
from experiment.wording import format_name
from tools import chromium

PLOTLY = ROOT / "static" / "vendor" / "plotly-basic.min.js"
WIDTH_PX, HEIGHT_PX = 760, 420
COLOURS = (*LIGHT.backends, LIGHT.preparing)
SYMBOLS = ("circle", "square-open", "diamond-open", "triangle-up-open", "cross-open")
# plotly.js takes the ids within a picture from Math.random: the same figure gives the same file.
DRAW = """async ({data, layout, width, height}) => {
  let seed = 1;
  Math.random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  return Plotly.toImage({data, layout}, {format: "svg", width, height});
}"""
Row = Mapping[str, str]


def plots(tables: Tables) -> dict[str, Figure]:
    """Every figure by the name of its file; those whose tables are not there are left out."""
    drawn = {
        "size": _by_size(tables.get("answers", [])),
        "format": _by_bytes(tables.get("answers", [])),
        "png": _ratios(tables.get("ratios", []), "PNG / JPEG"),
        "time": _ratios(tables.get("ratios", []), "size / smallest"),
        "metric": _areas(tables.get("areas", [])),
    }
    return {name: plot for name, plot in drawn.items() if plot is not None}


def _by_size(rows: Sequence[Row]) -> Figure | None:
    """What JPEGs lose against the photos themselves, a line for each network."""
    own = [row for row in rows if row["question"] == "size" and row["format"] == "jpeg" and row["points"]]
    lines = {
        model: [row for row in own if row["model"] == model]
        for model in dict.fromkeys(row["model"] for row in own)
    }
    data = [_line(model, line, "size_px", "points", nth) for nth, (model, line) in enumerate(lines.items())]
    layout = _layout(len(lines), _sides(own), axis(LIGHT, "top-1 against the original, points"))
    return figure(data, layout, "Accuracy by size", "", [], []) if data else None


def _by_bytes(rows: Sequence[Row]) -> Figure | None:
    """Top-1 over bytes of one network, a line for each format."""
    own = [row for row in rows if row["question"] == "format" and row["model"] == TITLES[LITE0]]
    lines: dict[str, list[Row]] = {}
    for row in own:
        lines.setdefault(row["format"], []).append(row)
    data = [
        _line(
            format_name(key),
            [{**row, "kilobytes": str(float(row["size_bytes"]) / 1000)} for row in line],
            "kilobytes",
            "top1_percent",
            nth,
        )
        for nth, (key, line) in enumerate(lines.items())
    ]
    x_axis = axis(LIGHT, "KB, median over photos", type="log", dtick="D2")
    layout = _layout(len(lines), x_axis, axis(LIGHT, f"top-1 of {TITLES[LITE0]}, %"))
    return figure(data, layout, "Accuracy by format and bytes", "", [], []) if data else None


def _ratios(rows: Sequence[Row], what: str) -> Figure | None:
    """Ratios of times on one core over the longest side, JPEG where sizes are compared."""
    own = [
        row
        for row in rows
        if (row["what"], row["photo"], row["backend"]) == (what, MADE, ONE)
        and row["machine"] == "here"
        and row["size_px"] != "original"
    ]
    lines = {
        model: [row for row in own if row["model"] == model]
        for model in dict.fromkeys(row["model"] for row in own)
    }
    data = [_line(model, line, "size_px", "ratio", nth) for nth, (model, line) in enumerate(lines.items())]
    shown = f"time, {what}" if what.startswith("PNG") else "time / that of the smallest JPEG"
    layout = _layout(len(lines), _sides(own), axis(LIGHT, shown, rangemode="tozero"))
    return figure(data, layout, what, "", [], []) if data else None


def _areas(rows: Sequence[Row]) -> Figure | None:
    """How well each predictor foresees changed answers, over all sizes, best at the top."""
    own = [row for row in rows if row["size_px"] == ALL]
    ranked = sorted((row for row in own if row["network"] == ALL), key=lambda row: float(row["auc"]))
    names = [PREDICTORS[row["predictor"]] for row in ranked]
    networks = [ALL, *dict.fromkeys(row["network"] for row in own if row["network"] != ALL)]
    data = []
    for nth, network in enumerate(networks):
        line = [{**row, "name": PREDICTORS[row["predictor"]]} for row in own if row["network"] == network]
        trace = _line("all networks" if network == ALL else TITLES[network], line, "auc", "name", nth)
        data.append(trace | {"mode": "markers"})
    layout = _layout(
        len(networks),
        axis(LIGHT, "area under the ROC curve: 0.5 is by chance, 1 tells every change"),
        axis(LIGHT, "", type="category", categoryorder="array", categoryarray=names, automargin=True),
    )
    return figure(data, layout, "What tells that an answer will change", "", [], []) if own else None


def _layout(lines: int, x_axis: dict[str, Any], y_axis: dict[str, Any]) -> dict[str, Any]:
    return base_layout(LIGHT, HEIGHT_PX, lines) | {"xaxis": x_axis, "yaxis": y_axis}


def _sides(rows: Iterable[Row]) -> dict[str, Any]:
    sizes_px = sorted({int(row["size_px"]) for row in rows})
    return axis(LIGHT, "Longest side, px", type="log", tickvals=sizes_px, ticktext=[*map(str, sizes_px)])


def _line(name: str, rows: Sequence[Row], x: str, y: str, nth: int) -> dict[str, Any]:
    """With 95 % intervals of the quantity that has them. `nth` chooses colour and symbol."""
    measured, side = (x, "error_x") if x == "auc" else (y, "error_y")
    stem = measured.removesuffix("_percent")
    values = [float(row[measured]) for row in rows]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [float(row[x]) for row in rows],
        "y": [row[y] for row in rows] if y == "name" else [float(row[y]) for row in rows],
        "line": {"color": COLOURS[nth % len(COLOURS)]},
        "marker": {"symbol": SYMBOLS[nth % len(SYMBOLS)], "size": 7},
        side: {
            "type": "data",
            "symmetric": False,
            "array": [float(row[f"{stem}_high"]) - value for row, value in zip(rows, values, strict=True)],
            "arrayminus": [
                value - float(row[f"{stem}_low"]) for row, value in zip(rows, values, strict=True)
            ],
            "thickness": 1,
            "width": 4,
        },
    }


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
        for name, plot in drawn.items():
            file = folder / f"{name}.svg"
            file.write_text(_svg(page, plot), "utf-8")
            yield file
        browser.close()


def _svg(page: Any, drawn: Figure) -> str:
    layout = drawn["layout"] | {"paper_bgcolor": "white", "plot_bgcolor": "white"}
    height = layout.get("height", HEIGHT_PX)
    arguments = {"data": drawn["data"], "layout": layout, "width": WIDTH_PX, "height": height}
    url = page.evaluate(DRAW, json.loads(json.dumps(arguments)))
    return unquote(str(url).partition(",")[2]) + "\n"
