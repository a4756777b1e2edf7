"""python -m experiment --photos, as a process, against real servers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from experiment.cli.main import main
from experiment.export.report_json import SCHEMA
from tests.support.photo_sets import blind_when_small, colour_server, packed, photo, write_folders, zipped
from tests.support.processes.app_process import ROOT
from tests.support.scripted_server import always, grpc_server

QUICK = ("--sizes", "32,24", "--formats", "png", "--warmups", "1", "--seed", "3")


def command(path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiment", "--photos", str(path), *QUICK, *arguments]


def run(data_dir: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PIXELCOST_DATA_DIR": str(data_dir)}
    return subprocess.run(
        command(path, *arguments), cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def without_times(report: dict) -> dict:
    """What must not depend on when and how fast a run was."""
    cells = [
        {key: each[key] for key in ("variant_id", "backend_name", "count", "failures", "over_photos")}
        for each in report["cells"]
    ]
    variants = [{key: each[key] for key in ("id", "size_bytes", "sha256")} for each in report["variants"]]
    return {"cells": cells, "variants": variants, "photo_set": report["photo_set"]}


def test_a_set_gives_a_table_and_every_file_asked_for(tmp_path):
    folder = write_folders(tmp_path / "set", 30)
    (folder / "red" / "broken.jpg").write_bytes(photo("red", 0)[:300])
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "html", "answers")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    with colour_server(blind_when_small) as one, colour_server() as other:
        done = run(tmp_path, folder, "--servers", f"A:{one};B:{other}", *options)
    assert done.returncode == 0, done.stderr
    assert "set, 30 photos, 30 of them with a label the model knows" in done.stdout
    report = json.loads(files["json"].read_text())
    jsonschema.validate(report, SCHEMA)
    cells = {(each["variant_id"], each["backend_name"]): each["over_photos"] for each in report["cells"]}
    assert cells["24-png", "A"]["top1"]["count"] == 10
    assert cells["24-png", "A"]["difference"]["lost"] == 20
    assert cells["24-png", "B"]["top1"]["count"] == cells["32-png", "A"]["top1"]["count"] == 30
    assert [each["name"] for each in report["photo_set"]["skipped"]] == ["red/broken.jpg"]
    answers = list(csv.DictReader(files["answers"].open()))
    assert len(answers) == 30 * 3 * 2
    assert sum(row["correct_top1"] == "false" for row in answers) == 20
    assert files["html"].read_text().startswith("<!DOCTYPE html>")


def test_a_killed_run_goes_on_and_ends_like_one_that_was_left_alone(tmp_path):
    packed = zipped(write_folders(tmp_path / "set", 40), tmp_path / "set.zip")
    whole, resumed = tmp_path / "whole.json", tmp_path / "resumed.json"
    journal = tmp_path / "j.jsonl"
    with colour_server(blind_when_small) as address:
        servers = ("--servers", f"A:{address}", "--journal", str(journal))
        process = subprocess.Popen(command(packed, *servers), cwd=ROOT, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 8):
            time.sleep(0.01)
        process.kill()
        process.wait()
        before = journal.read_bytes().count(b"\n")
        assert 8 <= before < 40
        done = run(tmp_path, packed, *servers, "--json", str(resumed))
        assert f"{before - 1} of 40 photos are in {journal}" in done.stderr.replace("\n", "")
        alone = ("--servers", f"A:{address}", "--journal", str(tmp_path / "other.jsonl"))
        run(tmp_path, packed, *alone, "--json", str(whole))
    assert done.returncode == 0, done.stderr
    assert without_times(json.loads(resumed.read_text())) == without_times(json.loads(whole.read_text()))


def test_ctrl_c_tells_how_to_go_on_and_the_same_command_does(tmp_path):
    folder = write_folders(tmp_path / "set", 60)
    env = {**os.environ, "PIXELCOST_DATA_DIR": str(tmp_path)}
    with colour_server() as address:
        arguments = command(folder, "--servers", f"A:{address}", "--repeats", "8")
        process = subprocess.Popen(arguments, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
        journals = tmp_path / "journals"
        while process.poll() is None and not any(
            each.read_bytes().count(b"\n") > 3 for each in journals.glob("*.jsonl")
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Run the same command again to continue. Journal:" in told
        done = run(tmp_path, folder, "--servers", f"A:{address}", "--repeats", "8")
        assert done.returncode == 0, done.stderr
        assert len(list(journals.iterdir())) == 1
        run(tmp_path, folder, "--servers", f"A:{address}", "--repeats", "8")
    assert len(list(journals.iterdir())) == 2  # it was complete, so this one is a new run


def test_labels_mended_since_count_for_what_the_journal_holds_and_nothing_is_asked_again(tmp_path):
    folder = write_folders(tmp_path / "set", 6)
    out, answers = tmp_path / "o.json", tmp_path / "a.csv"
    journal = ("--journal", str(tmp_path / "j.jsonl"), "--json", str(out), "--answers", str(answers))
    with colour_server() as address:
        run(tmp_path, folder, "--servers", f"A:{address}", *journal)
    before = json.loads(out.read_text())["photo_set"]
    names = [each.relative_to(folder).as_posix() for each in folder.rglob("*.jpg")]
    (tmp_path / "l.csv").write_text("file,label\n" + "".join(f"{name},blue\n" for name in names[1:]))
    done = run(tmp_path, folder, *journal, "--labels", str(tmp_path / "l.csv"))
    assert "6 of 6 photos are in" in done.stderr, done.stderr
    after = json.loads(out.read_text())
    assert (before["labelled"], after["photo_set"]["labelled"]) == (6, 5)
    assert after["photo_set"]["given_labels"]["photos"] == 5
    assert after["photo_set"]["sha256"] != before["sha256"]
    assert {row["label"] for row in csv.DictReader(answers.open())} == {"", "blue"}
    (folder / "red" / "0000.jpg").unlink()
    done = run(tmp_path, folder, *journal, "--servers", "A:127.0.0.1:9")
    assert "belongs to another run: other photos (6 in set before, 5 in set now)" in done.stderr.replace(
        "\n", " "
    )


def test_a_journal_that_could_not_be_read_again_is_refused_unread(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    done = run(tmp_path, folder, "--servers", "A:127.0.0.1:9", "--journal", "/dev/null")
    assert done.returncode == 2
    assert "/dev/null can't be a journal: it is not a regular file. Name another file." in done.stderr


def test_no_output_of_a_set_is_written_over_another_or_over_the_labels(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    csv_ = tmp_path / "l.csv"
    csv_.write_text("file,label\n0000.jpg,red\n")
    for arguments in (("--labels", str(csv_), "--answers", str(csv_)), ("--journal", "j", "--json", "j")):
        done = run(tmp_path, folder, "--servers", "A:127.0.0.1:9", *arguments)
        assert done.returncode == 2
        assert "is named twice" in done.stderr
    assert csv_.read_text() == "file,label\n0000.jpg,red\n"


def test_a_complete_journal_is_reported_again_without_any_server(tmp_path):
    folder = write_folders(tmp_path / "set", 6)
    journal = ("--journal", str(tmp_path / "j.jsonl"))
    with colour_server() as address:
        run(tmp_path, folder, "--servers", f"A:{address}", *journal)
    done = run(tmp_path, folder, *journal, "--margin", "50")
    assert "6 of 6 photos are in" in done.stderr
    assert "32-png" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["set", "--sizes", "16"], "belongs to another run: sizes_px 32, 24 before, 16 now"),
        (["set", "--labels", "bad.csv"], "must begin with a line that names the columns"),
        (["set", "--label-map", "none.txt"], "none.txt can't be read: No such file"),
        (["set", "--labels", "open.csv"], "line 2: a field is longer than 131,072 characters"),
        (["set", "--labels", "cp1252.csv"], "cp1252.csv is not text in UTF-8 in line 2"),
        (["encrypted.zip"], "labels.csv can't be read: it is encrypted"),
        (["set", "--true-label", "red"], "--true-label is for one photo"),
        (["set", "--margin", "-1"], "margin_points must be a number from 0 to 100"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(tmp_path, arguments, words):
    write_folders(tmp_path / "set", 2)
    (tmp_path / "bad.csv").write_text("a,b\n")
    (tmp_path / "open.csv").write_text('file,label\na.jpg,"x' + "\nb.jpg,y" * 20_000)
    (tmp_path / "cp1252.csv").write_text("file,label\na.jpg,Löwe\n", "cp1252")
    packed(tmp_path / "encrypted.zip", {b"labels.csv": b"file,label\n", b"a.jpg": b"x"}, flags=1)
    with colour_server() as address:
        shared = ("--servers", f"A:{address}", "--journal", str(tmp_path / "j.jsonl"))
        run(tmp_path, tmp_path / "set", *shared)
        paths = [str(tmp_path / each) if "." in each or each == "set" else each for each in arguments]
        done = run(tmp_path, Path(paths[0]), *shared, *paths[1:])
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", "").replace("  ", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cat.jpg", "--engine", "ray"], "--engine is for --photos"),
        (["cat.jpg", "--workers", "2"], "--workers is for --photos"),
        (["--photos", "set", "--workers", "0"], "'0' is not a whole number from 1 to 256"),
        (["--photos", "set", "--workers", "257"], "'257' is not a whole number from 1 to 256"),
        (["--photos", "set", "--workers", "two"], "'two' is not a whole number from 1 to 256"),
        (["--photos", "set", "--engine", "dask"], "invalid choice: 'dask'"),
    ],
)
def test_workers_and_engines_that_make_no_sense_are_refused(monkeypatch, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_an_engine_that_is_not_installed_says_how_to_install_it_before_anything_else(
    tmp_path, monkeypatch, capsys
):
    def make(options):
        raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark")

    monkeypatch.setitem(sys.modules, "experiment.engines.spark", SimpleNamespace(OPTIONS=(), make=make))
    assert main(["--photos", str(tmp_path), "--engine", "spark", "--servers", "A:127.0.0.1:9"]) == 2
    assert "requirements/spark.txt" in capsys.readouterr().err.replace("\n", " ")


def test_workers_alone_mean_processes_of_this_machine_and_ctrl_c_keeps_what_is_there(tmp_path):
    folder, out = write_folders(tmp_path / "set", 60), tmp_path / "o.json"
    env = {**os.environ, "PIXELCOST_DATA_DIR": str(tmp_path)}
    journal = tmp_path / "j.jsonl"
    with colour_server() as address:
        options = ("--servers", f"A:{address}", "--repeats", "4", "--journal", str(journal), "--workers", "2")
        process = subprocess.Popen(
            command(folder, *options),
            cwd=ROOT,
            env=env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 8):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it too
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130, told
        assert "Run the same command again to continue. Journal:" in told
        assert 7 <= journal.read_bytes().count(b"\n") - 1 < 60
        done = run(tmp_path, folder, *options, "--json", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    jsonschema.validate(report, SCHEMA)
    assert (report["state"], report["photo_set"]["measured"]) == ("done", 60)
    assert (report["environment"]["engine"], report["environment"]["workers"]) == ("local", 2)


def test_a_set_that_goes_away_ends_the_run_with_a_sentence_and_what_was_measured(tmp_path):
    folder, out = write_folders(tmp_path / "set", 60), tmp_path / "o.json"
    env = {**os.environ, "PIXELCOST_DATA_DIR": str(tmp_path)}
    journal = tmp_path / "j.jsonl"
    with colour_server() as address:
        options = (
            "--servers",
            f"A:{address}",
            "--repeats",
            "4",
            "--journal",
            str(journal),
            "--json",
            str(out),
        )
        process = subprocess.Popen(
            command(folder, *options), cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 8):
            time.sleep(0.01)
        folder.rename(tmp_path / "elsewhere")
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1, told
    assert "is not on" in told
    assert "Run the same command again to continue. Journal:" in told
    report = json.loads(out.read_text())
    assert (report["state"], report["failure"]["code"], report["photo_set"]["skipped"]) == (
        "failed",
        "set_not_here",
        [],
    )


def test_names_that_are_no_text_and_names_in_brackets_cost_no_file(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/set/caf\xe9 [x]"))
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xe9.jpg")).write_bytes(photo("red", 0))
    (folder / "broken.jpg").write_bytes(b"x")
    files = {name: tmp_path / f"out [new].{name}" for name in ("json", "csv", "html", "answers")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    with colour_server() as address:
        server = f"CPU [/old]:{address}"
        done = run(tmp_path, tmp_path / "set", "--servers", server, *options)
    assert done.returncode in {0, 1}, done.stderr
    assert "CPU [/old]" in done.stdout
    for path in files.values():
        assert f"Wrote {path}" in done.stderr
    report = json.loads(files["json"].read_text())
    assert report["photo_set"]["skipped"][0]["name"] == "caf\ufffd [x]/broken.jpg"
    answers = list(csv.DictReader(files["answers"].open()))
    assert {row["photo"] for row in answers} == {"caf\ufffd [x]/\ufffd.jpg"}
    assert "caf\ufffd [x]" in files["html"].read_text()


def test_a_file_that_can_not_be_written_costs_only_itself(tmp_path):
    folder, report = write_folders(tmp_path / "set", 2), tmp_path / "o.csv"
    with colour_server() as address:
        files = ("--json", "/dev/full", "--answers", "/dev/full", "--csv", str(report))
        done = run(tmp_path, folder, "--servers", f"A:{address}", *files)
    assert done.returncode == 2
    assert done.stderr.count("/dev/full could not be written: No space left on device.") == 2
    assert len(list(csv.DictReader(report.open()))) == 3


def test_labels_that_miss_the_photos_are_told_before_anything_is_measured(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    (tmp_path / "other.csv").write_text("file,label\npink/1.jpg,pink\n")
    with colour_server() as address:
        done = run(tmp_path, folder, "--servers", f"A:{address}", "--labels", str(tmp_path / "other.csv"))
    words = (
        f"W18: No photo has a label: {tmp_path / 'other.csv'} names 1 file, and none of them is in the set"
    )
    assert words in done.stderr
    assert words in done.stdout
    assert "3 photos, 0 of them with a label" in done.stdout


def test_a_set_on_a_model_of_numbers_alone_is_refused_before_a_journal_is_begun(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    with grpc_server(always(b""), input_dtype=1) as address:
        done = run(tmp_path, folder, "--servers", f"MNIST:{address}")
    assert done.returncode == 2
    assert done.stderr.startswith("MNIST can't be measured: This model takes one number (float), not")
    assert not list(tmp_path.rglob("*.jsonl"))


def test_one_photo_and_many_at_once_make_no_sense(tmp_path):
    both = [sys.executable, "-m", "experiment", "cat.jpg", "--photos", "set"]
    for arguments in (both, both[:3], [*both[:4], "--labels", "l.csv"]):
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2


PEAK = """
import json, resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module("experiment", run_name="__main__")
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path):
    """Photos of 0.5 MB as pixels, 10 and 100 of them: held on to they would be 45 MB more."""
    with colour_server() as address:
        peaks_kb = []
        for count in (10, 100):
            folder = write_folders(tmp_path / f"set{count}", count, side_px=480)
            servers = ("--servers", f"A:{address}", "--journal", str(tmp_path / f"{count}.jsonl"))
            arguments = [sys.executable, "-c", PEAK, *command(folder, *servers)[2:]]
            done = subprocess.run(
                arguments, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
            )
            peaks_kb.append(int(done.stderr.split()[-1]))
    assert peaks_kb[1] - peaks_kb[0] < 8000
