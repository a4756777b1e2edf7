"""notebooks/load.ipynb: the same cells as its script, and what they show of stored load runs."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import IPython.display
import jupytext
import nbclient
import pandas as pd
import plotly.graph_objects as go
import pytest

from loadtest.commands.capacity import capacity_dict
from loadtest.records import Load
from loadtest.results.folder import new_folder
from loadtest.results.steps import joined, steps
from loadtest.results.summary import summarise
from loadtest.search.records import Capacity, Limits, Point, Target
from tests.support.load.command_line import known_options
from tests.support.load.records import load, sample
from tools import notebooks

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "notebooks" / "load.py"
STORED = ROOT / "tests" / "support" / "load" / "runs"  # see its README
FIGURE = "application/vnd.plotly.v1+json"


def test_a_notebook_holds_the_cells_of_its_script_and_no_outputs():
    ((path, text),) = notebooks.notebooks()
    assert path.read_text("utf-8") == text, "run: .venv/bin/python -m tools.notebooks"
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert cells and not any(cell["outputs"] or cell["execution_count"] for cell in cells)


@pytest.mark.parametrize(("given", "port"), [((), "8889"), (("NOTEBOOK_PORT=9000",), "9000")])
def test_make_notebook_listens_on_this_machine_only(given, port, tmp_path):
    command = ["make", "--dry-run", "notebook", f"VENV={tmp_path}", *given]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"jupyter-lab --ip=127.0.0.1 --port={port} --ServerApp.port_retries=0" in said
    assert "token=" not in said and "password" not in said, "Jupyter's own token guards it"


def with_runs(folder: Path) -> Any:
    """The notebook with another parameter, as a reader would set it."""
    notebook = jupytext.read(SCRIPT)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    cell.source += f"\nRUNS = {str(folder)!r}"
    return notebook


class Shown(list[Any]):
    """What the cells displayed."""

    @property
    def text(self) -> str:
        return "\n".join(each.data for each in self if hasattr(each, "data") and isinstance(each.data, str))

    @property
    def figures(self) -> dict[str, go.Figure]:
        return {each.layout.title.text: each for each in self if isinstance(each, go.Figure)}


@pytest.fixture
def cells_on(monkeypatch):
    """Runs the cells in this process: faster than a kernel, and what they display can be looked at."""

    def run(folder: Path) -> tuple[Shown, dict[str, Any]]:
        shown, names = Shown(), {}
        monkeypatch.setattr(IPython.display, "display", shown.append)
        monkeypatch.chdir(SCRIPT.parent)
        code = "\n".join(cell.source for cell in with_runs(folder).cells if cell.cell_type == "code")
        exec(compile(code, SCRIPT, "exec"), names)
        return shown, names

    return run


def stored(root: Path, taken: Load, name: str | None = None, **extra: Any) -> Path:
    """A folder as the commands write it. `extra` are further keys of load.json."""
    folder = new_folder(root / name if name else None, taken.kind, taken.target.name, root)
    with folder:
        for each in taken.taken.samples:
            folder.keep(each)
    assert folder.write(taken, summarise(taken), **extra).problems == ()
    return folder.path


def closed(in_flight: int, latency_ms: float, protocol: str = "grpc", **changes: Any) -> Load:
    """A closed loop, 700 answers of one latency."""
    taken = [sample(number / 100, latency_ms) for number in range(700)]
    values = {"kind": "ladder", "arrivals": "closed", "offered_per_s": None, "in_flight": in_flight}
    made = load(taken, **values | changes)
    return replace(made, target=replace(made.target, protocol=protocol))


def test_the_notebook_runs_in_a_kernel_of_its_own_on_a_stored_run():
    notebook = with_runs(STORED)
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(SCRIPT.parent)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    drawn = [output for output in outputs if FIGURE in output.get("data", {})]
    assert len(drawn) >= 5
    assert not [output for output in outputs if output["output_type"] == "stream"], "a warning of a library"


def test_without_runs_every_section_names_the_command_that_makes_them(tmp_path, cells_on):
    shown, _ = cells_on(tmp_path)
    assert "0 runs in" in shown.text
    named = re.findall(r"python -m loadtest (\w+) ([^`]+)", shown.text)
    assert {command for command, _ in named} == {"rate", "burst", "ladder", "capacity", "users"}
    for command, options in named:
        assert set(re.findall(r"--[a-z0-9-]+", options)) <= known_options()[command]
    assert not shown.figures


@pytest.mark.parametrize("kind", ["rate", "burst", "closed"])
def test_one_kind_of_run_alone_is_enough(tmp_path, cells_on, kind):
    made = {
        "rate": load([sample(number / 10, 20) for number in range(50)]),
        "burst": load(
            [sample(0.0, 20 + number) for number in range(20)],
            kind="burst", arrivals="burst", offered_per_s=None, planned_s=None,
        ),
        "closed": closed(4, 20.0),
    }[kind]  # fmt: skip
    stored(tmp_path, made)
    shown, names = cells_on(tmp_path)
    assert list(names["runs"]["count"]) == [made.taken.samples.__len__()]
    assert {"Answered within", "Latency by percentile"} <= set(shown.figures)


def test_failed_requests_are_never_answered_in_the_curve_and_count_in_the_table(tmp_path, cells_on):
    taken = [sample(number / 10, 20.0 + number) for number in range(80)]
    taken += [sample(8 + number / 10, 1.0, cause="overloaded") for number in range(20)]
    stored(tmp_path, load(taken, seconds=10.0))
    shown, names = cells_on(tmp_path)
    (curve,) = shown.figures["Answered within"].data
    assert max(curve.y) == 80.0 and min(curve.x) == 20.0
    (row,) = names["failures"].to_dict("records")
    assert (row["failed_percent"], row["sent_per_s"], row["answered_per_s"]) == (20.0, 10.0, 8.0)
    assert row["causes"] == "20 x overloaded"


def test_the_newest_of_two_runs_with_the_same_settings_is_shown(tmp_path, cells_on):
    older, newer = closed(4, 20.0), closed(4, 30.0)
    newer_taken = replace(
        newer.taken, started_at=older.taken.started_at + 60, samples=newer.taken.samples[1:]
    )
    newer = replace(newer, taken=newer_taken)
    stored(tmp_path, newer, "a")
    stored(tmp_path, older, "b")
    stored(tmp_path, closed(8, 50.0), "c")
    _, names = cells_on(tmp_path)
    assert sorted(zip(names["runs"]["in_flight"], names["runs"]["p50_ms"], strict=True)) == [
        (4, 30.0),
        (8, 50.0),
    ]


def test_grpc_and_rest_are_compared_at_equal_load_only(tmp_path, cells_on):
    stored(tmp_path, closed(4, 20.0))
    stored(tmp_path, closed(4, 30.0, "rest"))
    stored(tmp_path, closed(8, 90.0, "rest"))
    shown, _ = cells_on(tmp_path)
    (table,) = [each for each in shown if isinstance(each, pd.DataFrame) and "REST over gRPC, p50" in each]
    (row,) = table.to_dict("records")
    assert (row["gRPC"], row["REST"]) == ("GPU gRPC 4 in flight", "GPU REST 4 in flight")
    assert (row["REST over gRPC, p50"], row["95 % from"], row["to"]) == (1.5, 1.5, 1.5)


def test_an_invalid_run_is_a_cross_and_a_percentile_of_too_few_samples_a_gap(tmp_path, cells_on):
    stored(tmp_path, load([sample(number / 10, 20) for number in range(50)], offered_per_s=10.0))
    late = [sample(number / 20, 20, late_ms=15) for number in range(100)]
    stored(tmp_path, load(late, offered_per_s=20.0))
    shown, _ = cells_on(tmp_path)
    p50, p90, p99 = shown.figures["Latency over the rate"].data
    assert (list(p50.x), list(p50.y), list(p50.marker.symbol)) == (
        [10.0, 20.0],
        [20.0, 20.0],
        ["circle", "x"],
    )
    assert pd.isna(p90.y[0]) and p90.y[1] == 20.0 and all(map(pd.isna, p99.y))


def test_bursts_over_replicas_are_drawn_by_their_makespan(tmp_path, cells_on):
    one, four = (
        load(
            [sample(0.0, latency_ms), sample(0.0, latency_ms / 2)],
            kind="burst", arrivals="burst", offered_per_s=None, planned_s=None, seconds=latency_ms / 1e3,
        )
        for latency_ms in (400.0, 300.0)
    )  # fmt: skip
    both = [one, replace(four, taken=replace(four.taken, started_at=one.taken.started_at + 5))]
    places = [{"replicas": replicas, "hosts": 1, "requests": 2} for replicas in (1, 4)]
    extra = {"steps": steps(both, list(map(summarise, both))), "places": places}
    stored(tmp_path, joined(both, "burst"), **extra)
    shown, names = cells_on(tmp_path)
    (drawn,) = shown.figures["Bursts by replicas"].data
    assert (list(drawn.x), list(drawn.y)) == (["1", "4"], [0.4, 0.3])
    assert list(names["runs"]["run"]) == ["GPU gRPC 2 at once on 1 x 1", "GPU gRPC 2 at once on 4 x 1"]


def test_a_burst_on_servers_that_were_not_scaled_has_an_unknown_number_of_replicas(tmp_path, cells_on):
    asked = {"kind": "burst", "arrivals": "burst", "offered_per_s": None, "planned_s": None}
    places = [{"replicas": None, "hosts": 1, "requests": 2}]
    stored(tmp_path, load([sample(0.0, 400.0), sample(0.0, 200.0)], **asked), places=places)
    shown, names = cells_on(tmp_path)
    assert list(shown.figures["Bursts by replicas"].data[0].x) == ["?"]
    assert list(names["runs"]["run"]) == ["GPU gRPC 2 at once on ? x 1"]


def point(offered_per_s: float, p99_ms: float | None, stopped: bool) -> Point:
    """A point of a search's curve."""
    return Point(
        offered_per_s, offered_per_s, None, 700, 0, None, 0, 20.0, 30.0, p99_ms, 5, trials=1, stopped=stopped
    )


def test_a_capacity_is_told_and_drawn_with_its_interval_and_its_limit(tmp_path, cells_on):
    found = Capacity(
        outcome="found", sentence="At most 41 requests/s at p99 ≤ 100 ms (95 %: 39 to 43).",
        limits=Limits(100.0, 60.0), target=Target(20.0, 50.0),
        percentile=99, per_s=41.0, low_per_s=39.0, high_per_s=43.0, knee_per_s=40.0,
        points=(point(40.0, 40.0, False), point(80.0, None, True)),
    )  # fmt: skip
    trials = [
        load([sample(number / 10, 20) for number in range(50)], offered_per_s=rate) for rate in (40.0, 80.0)
    ]
    extra = {"steps": steps(trials, list(map(summarise, trials))), "capacity": capacity_dict(found, None)}
    stored(tmp_path, joined(trials, "capacity"), **extra)
    stricter = replace(found, limits=Limits(50.0, 60.0), sentence="Another limit.", points=())
    stored(tmp_path, joined(trials, "capacity"), **extra | {"capacity": capacity_dict(stricter, None)})
    shown, _ = cells_on(tmp_path)
    assert found.sentence in shown.text and stricter.sentence in shown.text
    figure = shown.figures["Capacity of GPU"]
    p50, _, p99, limit = figure.data
    assert list(p50.marker.symbol) == ["circle", "triangle-up"]
    assert p99.y[0] == 40.0 and pd.isna(p99.y[1])
    assert (set(limit.y), limit.name) == ({100.0}, "limit 100 ms")
    assert (39.0, 43.0) in {(shape.x0, shape.x1) for shape in figure.layout.shapes}
    assert "Latency over the rate" not in shown.figures, "the steps of a search are no runs of their own"


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path, cells_on):
    damaged = stored(tmp_path, closed(4, 20.0), "damaged") / "load.json"
    damaged.write_text(damaged.read_text()[:500])
    (stored(tmp_path, closed(8, 20.0), "killed") / "load.json").unlink()
    stored(tmp_path, closed(16, 20.0), "whole")
    shown, names = cells_on(tmp_path)
    assert "damaged/load.json is not JSON" in shown.text
    assert f"the first of them {tmp_path / 'killed'}:" in shown.text
    assert list(names["runs"]["in_flight"]) == [16]
