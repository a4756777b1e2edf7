"""`python -m loadtest capacity`: a real server, real files, and sentences."""

from __future__ import annotations

import pytest
from PIL import Image

from experiment.export.schema_check import problems
from loadtest.commands.main import main
from loadtest.cross_check.stub import running_stub
from loadtest.results.load_json import SCHEMA, read_load
from loadtest.results.steps import loads_of


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The options that all searches have; results go to tmp_path/out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    monkeypatch.setattr("resource.setrlimit", lambda *arguments: None)
    Image.effect_noise((64, 48), 90).convert("RGB").save("noise.jpg")
    with running_stub(service_ms=10, one_at_a_time=True) as stub:
        yield ["capacity", "--target", stub.grpc.address, "--image", "noise.jpg", "--out", "out"]


def test_a_capacity_leaves_its_curve_all_requests_and_the_cost_of_a_million(asked, tmp_path, capsys):
    code = main([*asked, "--label", "stub", "--p99-ms", "300", "--budget", "3", "--price", "0.36"])
    found = read_load(tmp_path / "out")
    assert list(problems(found, SCHEMA)) == []
    capacity = found["capacity"]
    assert code == (0 if capacity["outcome"] in {"found", "at_least"} else 1)
    loads = loads_of(found)
    assert [load.offered_per_s for load in loads if load.arrivals == "poisson"] == [
        trial["offered_per_s"] for trial in capacity["trials"]
    ]
    assert sum(len(load.taken.samples) for load in loads) == found["summary"]["count"]
    assert len((tmp_path / "out" / "samples.csv").read_text().splitlines()) == found["summary"]["count"] + 1
    printed = capsys.readouterr()
    assert capacity["sentence"][1:] in printed.out
    assert "127.0.0.1:" in printed.out
    assert "shared this machine with the generator" in printed.out
    if capacity["outcome"] == "found":
        cost, low, high = capacity["cost_per_million"]
        assert cost == pytest.approx(100 / capacity["per_s"])  # 0.36 an hour is 0.0001 a second
        assert low <= cost <= high
        assert "per million (95 %" in printed.out


def test_a_limit_that_no_request_can_meet_is_said_and_written(asked, tmp_path, capsys):
    assert main([*asked, "--p99-ms", "5", "--budget", "2"]) == 1
    assert "None: the limit of 5 ms is below the unloaded latency of " in capsys.readouterr().out
    assert read_load(tmp_path / "out")["capacity"]["outcome"] == "below_unloaded"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--p99-ms", "0"], "A capacity needs a limit above 0 ms"),
        (["--p99-ms", "100", "--budget", "1"], "a budget of 2 s or more"),
        (["--p99-ms", "100", "--budget", "nan"], "A load can't take nan s"),
    ],
)
def test_what_cannot_be_searched_for_is_one_sentence(asked, wrong, words, capsys):
    assert main([*asked, *wrong]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_a_second_ctrl_c_says_where_the_requests_are(asked, monkeypatch, capsys):
    def left(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("loadtest.commands.capacity.find_capacity", left)
    assert main([*asked, "--p99-ms", "100"]) == 130
    assert "Left at once. The requests until then are in out." in capsys.readouterr().err


def test_a_search_that_is_given_up_after_failures_was_not_interrupted(asked, tmp_path):
    with running_stub(service_ms=5, one_at_a_time=True, most=2) as narrow:
        asked[2] = narrow.grpc.address
        assert main([*asked, "--p99-ms", "300", "--budget", "20", "--abort-after", "3"]) in {0, 1}
    assert "as --abort-after asks" in " ".join(read_load(tmp_path / "out")["reasons"])
