"""Spark as an engine, on one real Spark that all tests here share. `make engines` runs them."""

from __future__ import annotations

import pytest

from experiment.engines.choose import engine
from tests.support.engines.queue_run import JOBS, counted, run_with_kills
from tests.support.engines.rules import Keeping, Spreading

pytest.importorskip(
    "pyspark", reason="Spark is not installed; `make engines` installs it and runs these tests"
)


@pytest.fixture(scope="module")
def made():
    """The engine, with a Spark of its own."""
    on_spark = engine("spark", {"spark.master": "local[4]", "spark.driver_memory": "1g"})
    with on_spark._context(4):
        yield on_spark


class TestSpark(Spreading, Keeping):
    """The rules of all engines."""


def test_2000_jobs_end_once_each_though_workers_are_killed(made, redis_client, queue):
    run_with_kills(made, redis_client, queue, kills=3)
    assert counted(redis_client, queue) == {"done 1": JOBS}
