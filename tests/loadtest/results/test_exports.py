"""The files that other tools read: Locust's CSV files and HdrHistogram."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import random
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from experiment.records import BackendInfo
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from loadtest.records import Payload
from loadtest.results.exports import exports_of
from loadtest.results.locust_csv import requests_for
from tests.support.load.records import load, sample, samples


def files(asked, folder):
    for name, make in exports_of(asked).items():
        (folder / name).write_bytes(make())
    return folder


def random_load(count=5000, failed=50):
    draw = random.Random(7)
    taken = [sample(n / 500, draw.lognormvariate(3, 1), answer_bytes=100 + n % 3) for n in range(count)]
    for number in range(failed):
        taken[number * 7] = sample(number * 7 / 500, 60_000.0, cause="deadline")
    return load(taken, seconds=20.0, messages={"deadline": "GPU did not answer in time."})


@pytest.mark.parametrize(
    ("protocol", "batch", "prefix"),
    [
        ("grpc", 1, "grpc_single"),
        ("grpc", 4, "grpc_batch"),
        ("rest", 1, "rest_single"),
        ("rest", 4, "rest_batch"),
    ],
)
def test_the_four_csv_files_are_named_after_protocol_and_batch(protocol, batch, prefix):
    target = BackendInfo("GPU", protocol, address="tf-gpu:8500")
    names = exports_of(load(samples(3), target=target, payload=Payload("image", (b"x",), ("cat",), batch)))
    assert {name for name in names if name.endswith(".csv")} == {
        f"{prefix}_{kind}.csv" for kind in ("stats", "stats_history", "failures", "exceptions")
    }


# In a process of its own: locust replaces parts of Python when it is imported.
LOCUST = """
import json, sys
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter
writer = StatsCSVFileWriter(Environment(), PERCENTILES_TO_REPORT, sys.argv[1])
columns = (writer.requests_csv_columns, writer.stats_history_csv_columns, writer.failures_columns)
print(json.dumps([*columns, writer.exceptions_columns]))
"""


def test_the_csv_files_have_the_columns_that_locust_itself_writes(tmp_path):
    if not importlib.util.find_spec("locust"):
        pytest.skip("no Locust: it is in requirements/locust.txt")
    asked = [sys.executable, "-c", LOCUST, tmp_path / "locust"]
    theirs = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    files(random_load(), tmp_path)
    for kind, columns in zip(("stats", "stats_history", "failures", "exceptions"), theirs, strict=True):
        with (tmp_path / f"grpc_single_{kind}.csv").open(newline="") as file:
            assert next(csv.reader(file)) == columns


def test_pandas_reads_the_figures_of_all_requests_out_of_the_stats(tmp_path):
    asked = random_load()
    table = pd.read_csv(files(asked, tmp_path) / "grpc_single_stats.csv")
    times_ms = [each.latency_ms for each in asked.taken.samples]
    assert list(table["Name"]) == ["/tensorflow.serving.PredictionService/Predict", "Aggregated"]
    total = table.iloc[1]
    assert (total["Request Count"], total["Failure Count"], total["Requests/s"]) == (5000, 50, 250)
    for column, value in {
        "Median Response Time": np.median(times_ms),
        "Average Response Time": np.mean(times_ms),
        "Min Response Time": min(times_ms),
        "Max Response Time": 60_000,
        "99%": np.percentile(times_ms, 99),
        "95%": np.percentile(times_ms, 95),
    }.items():
        assert total[column] == pytest.approx(value, abs=0.001)
    assert np.isnan(total["99.9%"])  # needs 6,636 requests
    assert total["Average Content Size"] == pytest.approx(101, abs=0.1)


def test_the_history_adds_up_second_by_second(tmp_path):
    asked = random_load()
    table = pd.read_csv(files(asked, tmp_path) / "grpc_single_stats_history.csv")
    times_ms = [each.latency_ms for each in asked.taken.samples]
    assert list(table["Timestamp"]) == list(range(1_780_000_000, 1_780_000_010))
    assert list(table["Requests/s"]) == [500] * 10
    assert list(table["Total Request Count"]) == list(range(500, 5001, 500))
    assert table["Failures/s"].sum() == table["Total Failure Count"].iloc[-1] == 50
    for row in range(10):
        so_far = times_ms[: 500 * (row + 1)]
        assert table["Total Median Response Time"][row] == pytest.approx(np.median(so_far), abs=0.001)
        assert table["50%"][row] == pytest.approx(np.median(so_far[-500:]), abs=0.001)
    assert table["99%"].isna().all()  # 500 requests in a second are not enough


def test_failures_have_their_message_and_times(tmp_path):
    table = pd.read_csv(files(random_load(), tmp_path) / "grpc_single_failures.csv")
    (row,) = table.to_dict("records")
    assert (row["Method"], row["Occurrences"]) == ("grpc", 50)
    assert row["Error"] == "deadline: GPU did not answer in time."
    assert (row["First Seen"], row["Last Seen"]) == ("2026-05-28T20:27:40Z", "2026-05-28T20:27:40Z")


def test_the_files_of_a_load_without_a_request_can_be_read(tmp_path):
    files(load([]), tmp_path)
    assert pd.read_csv(tmp_path / "grpc_single_stats.csv")["Request Count"].tolist() == [0]
    assert len(pd.read_csv(tmp_path / "grpc_single_stats_history.csv")) == 0


def test_a_percentile_needs_as_many_requests_as_everywhere_else():
    assert (requests_for(90), requests_for(99)) == (SAMPLES_FOR_P90, SAMPLES_FOR_P99)
    assert requests_for(50) == requests_for(100) == 1


def test_hdr_histograms_give_the_percentiles_of_the_raw_samples_within_a_thousandth(tmp_path):
    asked = random_load(20_000, failed=0)
    reader = HistogramLogReader(
        str(files(asked, tmp_path) / "latency.hlog"), HdrHistogram(1, 3_600_000_000, 3)
    )
    whole = HdrHistogram(1, 3_600_000_000, 3)
    intervals = 0
    while reader.add_next_interval_histogram(whole):
        intervals += 1
    reader.close()
    assert (intervals, whole.get_total_count()) == (40, 20_000)
    ordered_ms = sorted(each.latency_ms for each in asked.taken.samples)
    for percent in (1, 25, 50, 90, 99, 99.9, 100):
        exact_ms = ordered_ms[max(int(np.ceil(percent / 100 * 20_000)), 1) - 1]
        assert whole.get_value_at_percentile(percent) / 1000 == pytest.approx(exact_ms, rel=0.001, abs=0.001)


@pytest.mark.parametrize("started_at", [1_796_056_421.481827, 1_796_056_421.4822, 1_796_056_421.4829999])
def test_readers_of_the_histograms_do_not_lose_the_first_second(tmp_path, started_at):
    asked = load(samples(150))
    asked = replace(asked, taken=replace(asked.taken, started_at=started_at))
    reader = HistogramLogReader(
        str(files(asked, tmp_path) / "latency.hlog"), HdrHistogram(1, 3_600_000_000, 3)
    )
    whole = HdrHistogram(1, 3_600_000_000, 3)
    while reader.add_next_interval_histogram(whole):
        pass
    reader.close()
    assert whole.get_total_count() == 150


def test_the_table_of_percentiles_is_in_milliseconds(tmp_path):
    asked = load(samples(1000))
    lines = io.StringIO((files(asked, tmp_path) / "latency.hgrm").read_text()).readlines()
    values = [list(map(float, line.split()[:3])) for line in lines[2:] if not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert values[0][0] == pytest.approx(10, rel=0.001) and values[-1][0] == pytest.approx(109.9, rel=0.001)
    assert values[-1][1:] == [1.0, 1000]


def test_failed_requests_are_not_in_the_histogram_and_an_hour_is_the_most(tmp_path):
    asked = load([sample(0, 5.0), sample(1, 9e9), sample(2, 60_000, cause="deadline")])
    text = (files(asked, tmp_path) / "latency.hgrm").read_text()
    assert "TotalCount     =        2.000" in text and "3600" in text.replace(",", "")


def test_every_number_of_the_table_of_percentiles_is_in_milliseconds(tmp_path):
    text = (files(load([sample(0, 10.0), sample(1, 30.0)]), tmp_path) / "latency.hgrm").read_text()
    (mean, deviation) = re.search(r"Mean += +([0-9.]+), StdDeviation += +([0-9.]+)]", text).groups()
    assert float(mean) == pytest.approx(20, rel=0.001) and float(deviation) == pytest.approx(10, rel=0.001)
