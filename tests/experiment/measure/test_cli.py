"""python -m experiment, as a process, against real servers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import jsonschema
import pytest

from experiment.export.import_report import read_report
from experiment.export.report_json import SCHEMA
from tests.support.processes.app_process import CAT, ROOT, free_port
from tests.support.processes.command_line import command, run
from tests.support.scripted_server import (
    aborting,
    always,
    good_answer,
    grpc,
    grpc_server,
    hanging,
    rest_server,
)


def test_a_run_prints_a_table_and_writes_json_csv_and_html(tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    with grpc_server(always(good_answer())) as one, grpc_server(always(good_answer())) as other:
        done = run("--servers", f"A:{one};B:{other}", *options)
    assert done.returncode == 0, done.stderr
    assert "32 px JPEG q85 on" in done.stdout
    report = json.loads(files["json"].read_text())
    jsonschema.validate(report, SCHEMA)
    assert report["requests"] == {"planned": 70, "done": 70, "failed": 0, "not_sent": 0}
    assert len(list(csv.DictReader(files["csv"].open()))) == 10
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    assert set(report["pictures"]) == {variant["id"] for variant in report["variants"]}
    assert files["html"].read_text().count('src="data:image/webp;base64,') == len(report["variants"])


def test_names_in_brackets_are_shown_as_they_are(tmp_path):
    photo = tmp_path / "cat [edited] :cat:.png"
    photo.write_bytes(CAT.read_bytes())
    out = tmp_path / "out [edited]" / "o.json"
    out.parent.mkdir()
    quick = ("--sizes", "32", "--formats", "jpeg", "--repeats", "1", "--json", str(out))
    with (
        grpc_server(always(good_answer(("tabby [/x]", "b"), (0.7, 0.3)))) as one,
        grpc_server(always(good_answer())) as other,
    ):
        both = ("--servers", f"CPU [/new]:{one};CPU [old]:{other}")
        for more in ((), ("--breaking-point",)):
            done = subprocess.run(
                [sys.executable, "-m", "experiment", str(photo), *quick, *both, *more],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode in {0, 1}, done.stderr
            assert "Traceback" not in done.stderr
            assert "CPU [/new]" in done.stdout
            assert "CPU [old]" in done.stdout
            assert f"Wrote {out}" in done.stderr
            if not more:
                assert "cat [edited] :cat:.png, " in done.stdout
                assert "tabby [/x] 70%" in done.stdout


def test_a_label_that_is_no_text_costs_no_file(tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    body = rb'{"predictions": [{"classes": ["caf\ud83d", "b"], "scores": [0.7, 0.3]}]}'
    with rest_server(200, body) as (address, _):
        servers = f"A:127.0.0.1:{free_port()}?rest={address.partition(':')[2]}"
        done = run("--servers", servers, "--backends", "A over REST", *options)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Wrote ") == 3
    cells = json.loads(files["json"].read_text("utf-8"))["cells"]
    assert {label["label"][:3] for cell in cells for label in cell["top"]} == {"caf", "b"}
    assert "caf" in files["html"].read_text("utf-8")
    assert "caf" in done.stdout


def test_a_server_named_in_bytes_that_are_no_text_is_measured_and_its_report_can_be_imported(tmp_path):
    out = tmp_path / "o.json"
    with grpc_server(always(good_answer())) as address:
        done = run("--json", str(out), env={**os.environ, "TF_SERVERS": f"caf\udce9\u202e:{address}"})
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in read_report(out.read_bytes(), "o.json")["backends"]] == ["caf\ufffd"]


def by_bytes(surely, less_surely, limit_bytes=2000):
    """A server that is less sure of a small image."""

    def behave(request, context):
        score = surely if len(request) > limit_bytes else less_surely
        return good_answer(("tabby", "lynx"), (score, 1 - score))

    return behave


@pytest.mark.parametrize(
    ("margin", "sentence", "next_lighter"),
    [
        ((), "128 px JPEG q85 on A", "confidence drops by 16 points (5 allowed)."),
        (("--margin", "16.5"), "32 px JPEG q85 on A", None),
        (("--margin", "0"), "128 px JPEG q85 on A", "drops by 16 points (none allowed)."),
    ],
)
def test_the_probability_of_one_photo_may_fall_by_a_margin_which_is_5_points(
    tmp_path, margin, sentence, next_lighter
):
    files = {name: tmp_path / f"out.{name}" for name in ("json", "html")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    with grpc_server(by_bytes(0.9, 0.74)) as address:
        done = run("--servers", f"A:{address}", "--formats", "jpeg", "--sizes", "128,32", *margin, *options)
    assert done.returncode == 0, done.stderr
    told = json.loads(files["json"].read_text())["recommendation"]
    assert sentence in told["sentence"]
    assert told["sentence"] in done.stdout
    if next_lighter is None:
        assert told["next_lighter"] is None
        assert (
            "next-lighter"
            not in files["html"].read_text().partition("</header>")[0].rpartition("</style>")[2]
        )
        return
    assert told["next_lighter"].startswith("Below this the answer gets less sure: at 32 px JPEG ")
    assert told["next_lighter"].endswith(next_lighter)
    assert done.stdout.index(told["sentence"]) < done.stdout.index(told["next_lighter"])
    assert f'<p class="next-lighter">{told["next_lighter"]}</p>' in files["html"].read_text()


def test_one_server_down_gives_a_result_for_the_other_and_exit_code_1():
    with grpc_server(always(good_answer())) as address:
        done = run("--servers", f"up:{address};gone:127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "32 px JPEG q85 on up" in done.stdout
    assert "connection refused" in done.stdout


def test_a_server_that_refuses_everything_still_gives_a_report():
    with grpc_server(aborting(grpc.StatusCode.INVALID_ARGUMENT, "no")) as address:
        done = run("--servers", f"strict:{address}")
    assert done.returncode == 1
    assert "bad_request" in done.stdout


def test_ctrl_c_keeps_what_was_measured(tmp_path):
    out, asked, slow = tmp_path / "out.json", threading.Semaphore(0), hanging(0.02)

    def counting(request, context):
        asked.release()
        return slow(request, context)

    with grpc_server(counting) as address:
        process = subprocess.Popen(
            command("--repeats", "900", "--servers", f"slow:{address}", "--json", str(out)),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(20):
            assert asked.acquire(timeout=60), "the run did not begin"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    report = json.loads(out.read_text())
    assert report["state"] == "cancelled"
    assert 0 < report["requests"]["done"] < report["requests"]["planned"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "64,-1"], "size"),
        (["--formats", "tiff"], "tiff"),
        (["--quality", "0"], "quality"),
        (["--servers", "GPU:tf-gpu"], "has no port"),
        (["--servers", "a:h:1", "--backends", "b"], "no backend named b"),
        (["--json", "/nowhere/out.json"], "/nowhere/out.json can't be written"),
        (["--csv", "/tmp"], "/tmp can't be written"),
        (
            ["--csv", "same.out", "--html", "./same.out"],
            "same.out is named twice, with --csv and with --html",
        ),
        (["--sizes", "abc"], "is not a list of whole numbers"),
        (["--margin", "-1"], "margin_points must be a number from 0 to 100"),
        (["--margin", "nan"], "margin_points must be a number from 0 to 100"),
        (["--margin", "5%"], "--margin: '5%' is not a number like 5 or 0.5"),
        (["--breaking-point", "--margin", "5"], "leave out --margin"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_can_not_be_written_costs_only_that_file(tmp_path):
    with grpc_server(always(good_answer())) as address:
        done = run("--servers", f"a:{address}", "--json", "/dev/full", "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 2
    assert "/dev/full could not be written: No space left on device." in done.stderr
    assert (tmp_path / "out.csv").exists()
    assert " px JPEG q85 on " in done.stdout


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TF_REQUEST_TIMEOUT": "60s"}, "TF_REQUEST_TIMEOUT='60s' is not a number of seconds"),
        ({"TF_REQUEST_TIMEOUT": "nan"}, "TF_REQUEST_TIMEOUT='nan' is not a number of seconds"),
        ({"PIXELCOST_EMBEDDED": "1 CPU"}, "PIXELCOST_EMBEDDED entry 1 `1 CPU` has no cpus"),
        ({"MODEL_NAME": "caf\udce9"}, "is not a line of text in UTF-8"),
        (
            {"TF_SERVERS": "A:h:1?signature=caf\udce9"},
            "the option `signature` with characters that are not text",
        ),
        ({"TF_REQUEST_TIMEOUT": "x", "TF_SERVERS": "GPU:tf-gpu"}, "The configuration has 2 problems"),
    ],
)
def test_a_bad_setting_ends_with_2_and_is_named_as_the_page_names_it(environ, words):
    done = run(env=os.environ | environ)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_blank_settings_mean_the_defaults(tmp_path):
    out = tmp_path / "out.json"
    keys = (
        "TF_REQUEST_TIMEOUT",
        "MODEL_NAME",
        "MODEL_SIGNATURE_NAME",
        "MODEL_INPUT_KEY",
        "PIXELCOST_DATA_DIR",
    )
    blank = dict.fromkeys((*keys, "PIXELCOST_EMBEDDED", "MODEL"), " ")
    with grpc_server(always(good_answer())) as address:
        done = run("--json", str(out), env=os.environ | blank | {"TF_SERVERS": f"a:{address}"})
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    [backend] = report["backends"]
    assert (backend["model"], backend["signature"]) == ("inception", "predict_images")
    assert report["plan"]["timeout_s"] == 60


def test_a_blank_data_folder_is_the_usual_one_for_journals_too(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.png").write_bytes(CAT.read_bytes())
    arguments = ["--photos", str(photos), "--sizes", "64", "--formats", "jpeg", "--warmups", "0"]
    with grpc_server(always(good_answer())) as address:
        done = subprocess.run(
            [sys.executable, "-m", "experiment", *arguments],
            cwd=tmp_path,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "PIXELCOST_DATA_DIR": "", "TF_SERVERS": f"a:{address}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "journals").exists()
    assert len(list((tmp_path / "var" / "journals").iterdir())) == 1


def test_a_file_that_is_no_photo_ends_with_2_and_a_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "experiment", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "README.md is not a photo we can read" in done.stderr


def test_without_servers_it_starts_its_own_and_ends_them(tmp_path, default_model):
    environ = {key: value for key, value in os.environ.items() if key != "TF_SERVERS"}
    environ |= {"PIXELCOST_DATA_DIR": str(tmp_path), "MODEL_BASE_PATH": str(default_model)}
    done = run(env=environ)
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout
    assert not (tmp_path / "embedded.json").exists()


@pytest.mark.parametrize("more", [(), ("--breaking-point",)])
def test_a_model_of_numbers_alone_ends_with_code_2_and_its_sentence_before_anything_is_sent(more):
    asked = []
    with grpc_server(lambda request, _: asked.append(request) or good_answer(), input_dtype=1) as address:
        done = run("--servers", f"MNIST:{address}", *more)
    assert (done.returncode, asked) == (2, [])
    assert done.stderr.startswith("MNIST can't be measured: This model takes one number (float), not")
    assert "Traceback" not in done.stderr


def test_a_model_of_numbers_beside_another_one_is_left_out_with_a_warning(tmp_path):
    asked, out = [], tmp_path / "o.json"
    with (
        grpc_server(lambda request, _: asked.append(request) or good_answer(), input_dtype=1) as numbers,
        grpc_server(always(good_answer())) as pictures,
    ):
        done = run("--servers", f"MNIST:{numbers};CPU:{pictures}", "--json", str(out))
    report = json.loads(out.read_text())
    assert (done.returncode, asked) == (0, [])
    assert report["requests"] == {"planned": 35, "done": 35, "failed": 0, "not_sent": 0}
    assert [
        warning["message"].partition(",")[0] for warning in report["warnings"] if warning["code"] == "W8"
    ] == ["MNIST was left out: This model takes one number (float)"]
