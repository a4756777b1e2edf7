"""`import experiment` in a notebook or a script, against real servers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

import jsonschema
import plotly.graph_objects
import pytest

import experiment
from experiment.export.report_json import SCHEMA
from experiment.figures import FIGURES
from experiment.protocol import predict_pb2
from tests.support.processes.app_process import CAT, ROOT
from tests.support.scripted_server import always, good_answer, grpc_server, hanging

PLAN = {"sizes_px": [64, 32], "formats": ["jpeg"], "repeats": 6, "warmups": 1}


@pytest.fixture(scope="module")
def report():
    with grpc_server(always(good_answer())) as one:
        return experiment.measure_photo(CAT, PLAN, servers=f"A:{one}?price_per_hour=0.2")


def run_script(code: str, folder: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_example_in_the_docstring_runs(tmp_path):
    shutil.copy(CAT, tmp_path / "cat.png")
    code = (
        "import doctest, experiment, sys; sys.exit(doctest.testmod(experiment, raise_on_error=False).failed)"
    )
    with grpc_server(always(good_answer())) as one:
        script = run_script(code, tmp_path, TF_SERVERS=f"A:{one}")
        told, errors = script.communicate(timeout=120)
    assert script.returncode == 0, told + errors
    assert (tmp_path / "trade_off.html").stat().st_size > 1000


def test_eleven_names_are_there_and_importing_them_loads_nothing_of_ours():
    assert len(experiment.NAMES) == 11
    assert tuple(import_module("experiment.python_api").__all__) == experiment.NAMES
    assert set(experiment.NAMES) <= set(dir(experiment))
    assert all(getattr(experiment, name).__doc__ for name in experiment.NAMES)
    code = "import sys, experiment; dir(experiment); print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert [name for name in modules if name.startswith("experiment")] == ["experiment"]
    with pytest.raises(AttributeError, match="no attribute 'colour_of_the_sky'"):
        _ = experiment.colour_of_the_sky


def test_a_report_from_a_script_is_the_one_that_is_exported(report, tmp_path):
    jsonschema.validate(report, SCHEMA)
    assert report["requests"] == {"planned": 21, "done": 21, "failed": 0, "not_sent": 0}
    assert report["recommendation"]["variant_id"] == "32-jpeg-85"
    path = tmp_path / "report.json"
    path.write_text(experiment.report_json(report), "utf-8")
    assert experiment.load_report(path) == report
    assert experiment.report_csv(report).count("\n") == 4
    assert experiment.report_html(report).startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", [*FIGURES, "cost_by_size", "end_to_end", "sensitivity"])
def test_every_plot_of_the_page_is_a_figure_of_plotlys_package(report, name):
    figure = experiment.figure(report, name, theme="dark")
    assert isinstance(figure, plotly.graph_objects.Figure)
    assert figure.data


def test_a_plot_that_a_report_does_not_have_is_refused_with_those_it_has(report):
    with pytest.raises(
        experiment.PixelcostError, match=r"no plot 'by_quality'. It has: trade_off, latency_by"
    ):
        experiment.figure(report, "by_quality")


def test_a_figure_without_plotly_says_what_to_install(report, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(report), "utf-8")
    code = (
        "import sys, experiment; sys.modules['plotly'] = None\n"
        "experiment.figure(experiment.load_report('report.json'), 'trade_off')"
    )
    _, errors = run_script(code, tmp_path).communicate(timeout=60)
    assert errors.splitlines()[-1] == (
        "ImportError: experiment.figure() needs Plotly: python -m pip install plotly"
    )


def test_other_goals_change_what_is_recommended_and_unknown_ones_are_refused(report):
    assert experiment.with_goals(report, max_size_bytes=1)["recommendation"]["variant_id"] is None
    assert report["recommendation"]["variant_id"] == "32-jpeg-85"
    with pytest.raises(experiment.PixelcostError, match=r"max_p50 is not a goal\. Goals are max_p50_ms, "):
        experiment.with_goals(report, max_p50=5)
    with pytest.raises(experiment.PixelcostError, match="margin_points"):
        experiment.with_goals(report, margin_points=-1)


def test_a_report_is_compared_with_itself(report):
    assert experiment.compare(report, report).tables


def test_wrong_input_is_one_error_whose_message_says_what_to_do(tmp_path):
    with pytest.raises(experiment.PixelcostError, match="is not a photo we can read"):
        experiment.measure_photo(ROOT / "README.md", servers="A:127.0.0.1:1")
    with pytest.raises(experiment.PixelcostError, match="TF_SERVERS entry 1 `nonsense` has no host and port"):
        experiment.measure_photo(CAT, servers="nonsense")
    with pytest.raises(experiment.PixelcostError, match=r"nothing.json can't be read"):
        experiment.load_report(tmp_path / "nothing.json")


def test_an_interrupted_script_keeps_what_was_measured(tmp_path):
    code = (
        "import experiment, signal; before = signal.getsignal(signal.SIGINT)\n"
        f"report = experiment.measure_photo({str(CAT)!r}, {PLAN!r})\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
        "print(report['state'], report['requests']['planned'])"
    )
    started, slow = tmp_path / "started", hanging(1)

    def answer(request, context):
        started.touch()
        return slow(request, context)

    with grpc_server(answer) as one:
        script = run_script(code, tmp_path, TF_SERVERS=f"A:{one}", TF_REQUEST_TIMEOUT="1")
        while not started.exists() and script.poll() is None:
            time.sleep(0.05)
        script.send_signal(signal.SIGINT)
        told, errors = script.communicate(timeout=60)
    assert told.split() == ["cancelled", "21"], errors


def test_ctrl_c_ends_the_wait_for_one_answer_at_once(tmp_path):
    asked, hung_up, wait = tmp_path / "asked", threading.Event(), hanging(60)

    def answer(request, context):
        asked.touch()
        said = wait(request, context)  # returns early when the client has hung up
        hung_up.set()
        return said

    with grpc_server(answer) as one:
        # A shell that starts the tests in the background has them ignore Ctrl-C, and children inherit that.
        code = (
            "import experiment, signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"experiment.classify({str(CAT)!r})"
        )
        script = run_script(code, tmp_path, TF_SERVERS=f"A:{one}", TF_REQUEST_TIMEOUT="50")
        while not asked.exists() and script.poll() is None:
            time.sleep(0.05)
        script.send_signal(signal.SIGINT)
        _, errors = script.communicate(timeout=60)
        assert hung_up.wait(10)
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors


def test_one_photo_is_classified_as_asked_or_as_a_report_recommends(report):
    asked: Counter[str] = Counter()  # by the picture's hash

    def answer(request, context):
        image = predict_pb2.PredictRequest.FromString(request).inputs["images"].string_val[0]
        asked[hashlib.sha256(image).hexdigest()] += 1
        return good_answer()

    with grpc_server(answer) as one:
        plain = experiment.classify(CAT, servers=f"A:{one}")
        small = experiment.classify(CAT, size=48, format="webp", servers=f"B:{one};A:{one}", backend="A")
        like = experiment.classify(str(CAT), report=report, servers=f"B:{one};A:{one}")
    assert [asked[each["sent"]["sha256"]] for each in (plain, small, like)] == [1, 1, 1]
    assert [label["label"] for label in plain["top"]] == ["tabby", "tiger cat"]
    assert (plain["sent"]["encoder"], plain["run_id"]) == ("as uploaded, without metadata", None)
    assert (small["sent"]["format"], small["sent"]["quality"], small["sent"]["width_px"]) == ("webp", 80, 48)
    assert (small["backend"], like["backend"], like["run_id"]) == ("A", "A", report["run_id"])
    chosen = next(row for row in report["variants"] if row["id"] == report["recommendation"]["variant_id"])
    same = ("width_px", "height_px", "format", "quality", "subsampling", "resampler", "encoder")
    assert {key: like["sent"][key] for key in same} == {key: chosen[key] for key in same}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"size": 10**6}, "size must be a whole number from 16 to 8192"),
        ({"size": 8000}, "Nothing is enlarged"),
        ({"backend": "C"}, "There is no backend named C. The backends are: A."),
        ({}, "No answer from A at 127.0.0.1:1 "),
    ],
)
def test_a_photo_that_can_not_be_classified_so_raises_a_sentence(asked, words):
    with pytest.raises(experiment.PixelcostError) as caught:
        experiment.classify(CAT, servers="A:127.0.0.1:1", **asked)
    assert words in caught.value.message


def test_a_model_of_numbers_is_not_asked_to_classify():
    with (
        grpc_server(always(b""), input_dtype=1) as numbers,
        pytest.raises(experiment.PixelcostError, match="This model takes one number"),
    ):
        experiment.classify(CAT, servers=f"A:{numbers}")
