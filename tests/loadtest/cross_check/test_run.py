"""The whole cross-check, with a few requests in every scenario."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path

import pytest

from loadtest.arrivals.schedules import even
from loadtest.cross_check import run, scenarios
from loadtest.cross_check.comparison import OURS, Figures
from loadtest.cross_check.run import cross_check
from loadtest.cross_check.scenarios import queue_of_one
from loadtest.cross_check.tables import as_dict, markdown
from loadtest.cross_check.tools import TOOLS
from loadtest.errors import LoadRefused

FEW = {"CLOSED_REQUESTS": 5, "SERVER_REQUESTS": 8, "OFFLINE_REQUESTS": 4}
HAS_LOADGEN = importlib.util.find_spec("mlperf_loadgen") is not None


@pytest.fixture(autouse=True)
def _few_requests(monkeypatch):
    for name, count in FEW.items():
        monkeypatch.setattr(scenarios, name, count)


@pytest.mark.skipif(not HAS_LOADGEN, reason="mlcommons-loadgen is in the lock for development only")
def test_every_scenario_of_loadgen_leaves_pairs_files_and_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the command's own folder is below the working folder
    found = cross_check([TOOLS["loadgen"], TOOLS["ghz"]], Path(), pairs=1)
    named = {(row.scenario, row.figure) for row in found.rows if row.tool == "LoadGen"}
    latencies = {
        (scenario, figure) for scenario in ("SingleStream", "Server") for figure in ("p50_ms", "p90_ms")
    }
    assert named == {*latencies, ("Offline", "rate_per_s")}
    assert all(len(row.theirs) == len(row.ours) == 1 for row in found.rows)
    assert all(len(row.dictated) == 1 for row in found.rows if row.tool == "LoadGen")
    for name, count in (("SingleStream", 5), ("Server", 8), ("Offline", 4)):
        assert (tmp_path / name / "00-LoadGen" / "mlperf_log_summary.txt").exists()
        assert len((tmp_path / name / f"00-{OURS}" / "samples.csv").read_text().splitlines()) == count + 1
    kept = json.loads(json.dumps(as_dict(found)))
    assert [row["agrees"] for row in kept["rows"]] == ["too few pairs"] * len(found.rows)
    lines = list(markdown(found))
    assert " cores, load " in lines[0]
    assert sum(line.startswith("| LoadGen") for line in lines) == 5


def test_a_tool_that_fails_is_left_out_with_a_sentence_and_the_others_go_on(tmp_path, monkeypatch):
    def fails(loop, asked):
        raise LoadRefused("ab ended with 22: no memory")

    monkeypatch.setattr(scenarios, "figures_from", fails)
    monkeypatch.setattr(type(TOOLS["ab"]), "is_installed", True)
    found = cross_check([TOOLS["ab"]], tmp_path, pairs=2)
    assert found.rows == []
    assert found.left_out == ["ab was left out of REST, one connection: ab ended with 22: no memory"]


def test_after_a_cancel_the_complete_pairs_are_kept_and_nothing_more_is_sent(tmp_path, monkeypatch):
    cancel, said = threading.Event(), []

    def say(line):
        said.append(line)
        if "pair 2 " in line:
            cancel.set()  # as Ctrl-C, while the first of the pair's two runs goes on

    monkeypatch.setattr(type(TOOLS["ab"]), "is_installed", True)
    monkeypatch.setattr(scenarios, "figures_from", lambda loop, asked: Figures(20.0, 21.0))
    found = cross_check([TOOLS["ab"]], tmp_path, pairs=100, say=say, cancel=cancel, stalled=[])
    assert len(said) == 3
    assert [len(row.ours) for row in found.rows] == [1, 1]
    assert found.stall == []


def test_our_own_failure_ends_the_comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(type(TOOLS["ab"]), "is_installed", True)
    monkeypatch.setattr(run, "SERVICE_MS", 50.0)
    monkeypatch.setattr(scenarios, "TIMEOUT_S", 0.01)
    with pytest.raises(LoadRefused, match="our requests failed"):
        cross_check([TOOLS["ab"]], tmp_path, pairs=1)


def test_a_queue_with_one_server_is_computed_exactly():
    # 20 ms of work every 10 ms: each request waits 10 ms longer than the one before.
    figures = queue_of_one(even(100, 0.1), 20.0)
    assert figures.p50_ms == pytest.approx(20 + 5 * 10)
    assert figures.rate_per_s == pytest.approx(50)
    assert queue_of_one(even(10, 1.0), 20.0).p90_ms == pytest.approx(20)
