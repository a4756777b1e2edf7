"""MLPerf LoadGen, the real one, beside ours."""

from __future__ import annotations

import pytest

from loadtest.cross_check.loadgen import Asked, figures_in, loadgen, mersenne_twister, poisson_of_loadgen
from loadtest.cross_check.stub import running_stub
from loadtest.cross_check.target import target_of
from loadtest.errors import LoadRefused

SERVICE_MS = 5.0
needs_loadgen = pytest.mark.usefixtures("_loadgen")


@pytest.fixture(scope="module")
def _loadgen():
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is in the lock for development only")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    with running_stub(SERVICE_MS) as stub:
        yield target_of(stub.grpc, tmp_path_factory.mktemp("body"))


def asked(target, tmp_path, **changes):
    return Asked(**{"address": target.info.address, "body": target.body, "folder": tmp_path} | changes)


def test_the_random_numbers_are_those_of_cpp():
    twister = mersenne_twister(5489)
    assert [twister.getrandbits(32) for _ in range(10_000)][-1] == 4123659995  # [rand.predef] of C++


@needs_loadgen
def test_loadgen_sends_at_the_times_that_its_seed_gives_here(target, tmp_path):
    # loadgen() refuses a run whose queries were sent at other times.
    told = loadgen(asked(target, tmp_path, scenario="Server", requests=60, rate_per_s=50.0, seed=7))
    assert told.figures.p50_ms >= SERVICE_MS
    assert told.figures.p50_ms <= told.figures.p90_ms <= told.figures.p99_ms


@needs_loadgen
def test_other_times_than_those_of_the_seed_are_refused(target, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "loadtest.cross_check.loadgen.poisson_of_loadgen", lambda rate, n, seed: [n / 5 for n in range(n)]
    )
    with pytest.raises(LoadRefused, match="other times than its seed"):
        loadgen(asked(target, tmp_path, scenario="Server", requests=30, rate_per_s=100.0))


@needs_loadgen
@pytest.mark.parametrize(
    ("scenario", "count"), [("SingleStream", "min_query_count : 20"), ("Offline", "samples_per_query : 20")]
)
def test_the_summary_of_every_scenario_is_read_and_kept(target, tmp_path, scenario, count):
    figures = loadgen(asked(target, tmp_path, scenario=scenario, requests=20)).figures
    summary = (tmp_path / "mlperf_log_summary.txt").read_text()
    assert count in summary
    assert f"Scenario : {scenario}" in summary
    assert figures.p50_ms >= SERVICE_MS
    assert (figures.rate_per_s is not None) == (scenario == "Offline")


@needs_loadgen
def test_a_refused_query_of_loadgen_is_no_latency(tmp_path, target):
    with running_stub(200.0, most=1) as stub, pytest.raises(LoadRefused, match="RESOURCE_EXHAUSTED"):
        loadgen(asked(target, tmp_path, address=stub.grpc.address, scenario="Offline", requests=3))


def test_a_schedule_of_a_seed_has_the_rate_that_was_asked_for():
    schedule = poisson_of_loadgen(100.0, 5_000, seed=1)
    assert schedule == sorted(schedule)
    assert schedule[0] == 0.0
    assert schedule[-1] == pytest.approx(50.0, rel=0.05)
    assert schedule != poisson_of_loadgen(100.0, 5_000, seed=2)


def test_a_summary_without_a_figure_gives_none():
    assert figures_in("Scenario : Server\n").p50_ms is None
