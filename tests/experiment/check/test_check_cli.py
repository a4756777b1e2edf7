"""python -m experiment check, against real servers and real files."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from experiment.cli.check import main
from experiment.export.import_report import read_report
from experiment.export.report_json import report_dict, report_json
from tests.support.photo_sets import blind_when_small, colour_server, write_folders
from tests.support.processes.app_process import CAT, ROOT
from tests.support.records import sample_report
from tests.support.scripted_server import aborting, always, good_answer, grpc, grpc_server

QUICK = ("--sizes", "64,32", "--formats", "jpeg", "--warmups", "1")
KEPT = "[[goals]]\nmax_p50_ms = 30_000\nmax_size_bytes = 1_000_000\n"


def waiting(seconds: float):
    def answer(request, context):
        time.sleep(seconds)
        return good_answer()

    return answer


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """The command in this process: starting one takes seconds. Returns the exit code, stdout and stderr."""
    monkeypatch.setenv("PIXELCOST_DATA_DIR", str(tmp_path))

    def run(what: object, budget: str, *arguments: object) -> SimpleNamespace:
        path = tmp_path / "budget.toml"
        path.write_text(budget)
        code = main([str(what), "--budget", str(path), *map(str, arguments)])
        stdout, stderr = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=stdout, stderr=" ".join(stderr.split()))

    return run


@pytest.fixture
def report(tmp_path):
    """An exported report of one photo."""
    path = tmp_path / "report.json"
    path.write_text(report_json(report_dict(sample_report())))
    return path


def test_the_module_takes_check_as_its_first_word(report, tmp_path):
    budget = tmp_path / "budget.toml"
    budget.write_text("[[goals]]\nmax_size_bytes = 10\n")
    command = [sys.executable, "-m", "experiment", "check", str(report), "--budget", str(budget)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(
        "## Pixelcost: a goal is missed\n\n33 of 33 goals failed. cat.jpg, judged by"
    )


def test_a_photo_is_measured_judged_and_its_report_is_kept(check, tmp_path):
    summary, junit, out = (tmp_path / name for name in ("summary.md", "junit.xml", "out.json"))
    summary.write_text("# An earlier step\n")
    files = ("--summary", summary, "--junit", junit, "--json", out)
    with grpc_server(waiting(0.02)) as address:  # longer than a busy machine makes a doubt of
        done = check(CAT, KEPT, *QUICK, "--repeats", 12, "--servers", f"A:{address}", *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0 of 6 goals failed.\n"
    written = summary.read_text()
    assert written.startswith("# An earlier step\n## Pixelcost: all goals are kept\n")
    assert written.count("| pass |") == 6
    assert ElementTree.parse(junit).getroot().get("tests") == "6"
    assert [cell["count"] for cell in read_report(out.read_bytes(), "out.json")["cells"]] == [12] * 3


def test_a_goal_that_is_missed_ends_with_1_and_the_report_can_be_judged_again(check, tmp_path):
    out = tmp_path / "out.json"
    missed = KEPT + '[[goals]]\nvariants = ["32-jpeg-85"]\nmax_size_bytes = 10\n'
    servers = ("--repeats", 6, "--json", out)
    with grpc_server(always(good_answer())) as address:
        done = check(CAT, missed, *QUICK, *servers, "--servers", f"A:{address}")
    assert done.returncode == 1, done.stderr
    assert "| **FAIL** | 32-jpeg-85 on A | at most 10 bytes |" in done.stdout
    again = check(out, missed)
    assert (again.returncode, again.stdout) == (1, done.stdout)


def test_a_backend_half_again_as_slow_is_found_beside_the_other_in_one_run(check, tmp_path):
    budget = '[baseline]\nbackend = "old"\nmax_slower_percent = 2\nsame_answer = true\n'
    with grpc_server(waiting(0.03)) as old, grpc_server(waiting(0.06)) as new:
        servers = ("--servers", f"old:{old};new:{new}", "--repeats", 12, "--json", tmp_path / "out.json")
        done = check(CAT, budget, "--sizes", 32, "--formats", "jpeg", "--warmups", 1, *servers)
    assert done.returncode == 1, done.stderr
    assert "| **FAIL** | all 2 variants on new | p50 at most 2 % above the baseline's |" in done.stdout
    assert done.stdout.count("| pass |") == 2
    assert json.loads((tmp_path / "out.json").read_text())["plan"]["order"] == "in_turns"


def test_a_set_of_photos_is_judged_by_its_accuracy(check, tmp_path):
    photos = write_folders(tmp_path / "photos", 24)
    budget = (
        "[[goals]]\nmin_top1_percent = 60\n"
        '[[goals]]\nvariants = ["24-png"]\nmax_accuracy_lost_points = 1\nmin_agreement_percent = 90\n'
    )
    with colour_server(blind_when_small) as address:
        done = check(photos, budget, "--sizes", "32,24", "--formats", "png", "--servers", f"a:{address}")
    assert done.returncode == 1, done.stderr
    assert "| **FAIL** | 24-png on a | accuracy at most 1 points below the original's |" in done.stdout
    assert "24 photos of photos, judged by budget.toml." in done.stdout


def test_the_zip_file_of_a_run_is_a_report_and_a_baseline(check, tmp_path, report):
    packed = tmp_path / "run.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(report, "report.json")
        archive.writestr("original.jpg", b"")
    budget = (
        KEPT.replace("1_000_000", "9_000_000") + "[baseline]\nsame_answer = true\nmax_larger_percent = 0\n"
    )
    done = check(packed, budget, "--baseline", packed, report)
    assert done.returncode == 0, done.stderr
    assert "0 of 132 goals failed." in done.stdout


@pytest.mark.parametrize(
    ("budget", "arguments", "words"),
    [
        ("[[goals]]\nmax_p50 = 3", (), 'budget.toml: [[goals]] 1 has no key "max_p50".'),
        (KEPT, ("--baseline", "none.json"), "none.json can't be read: No such file or directory."),
        (KEPT, ("--baseline", "README.md"), "README.md is not"),
        (KEPT, ("--junit", "/nowhere/j.xml"), "/nowhere/j.xml"),
        ("[baseline]\nsame_answer = true", (), "Give its report with --baseline"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(check, tmp_path, report, budget, arguments, words):
    done = check(report, budget, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("what", "arguments", "words"),
    [
        ("report", ("--repeats", 3), "is a report: nothing is measured, and --repeats has no use"),
        ("report", ("--json", "again.json"), "is a report: nothing is measured, and --json has no use"),
        (CAT, ("--labels", "l.csv"), "--labels is for a set of photos"),
        (ROOT / "tests", ("--true-label", "cat"), "--true-label is for one photo"),
    ],
)
def test_an_option_without_a_use_is_refused(check, capsys, report, what, arguments, words):
    with pytest.raises(SystemExit) as ended:
        check(report if what == "report" else what, KEPT, *arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_bad_input_ends_before_anything_is_measured(check, tmp_path):
    asked = []
    with grpc_server(lambda request, _: asked.append(request) or good_answer()) as address:
        servers = (*QUICK, "--servers", f"A:{address}")
        wrong = [
            check(CAT, "[[goals]]\nmax_p50_ms = -1", *servers),
            check(CAT, "[baseline]\nsame_answer = true", *servers),
            check(CAT, KEPT, *servers, "--summary", "/nowhere/s.md"),
            check(CAT, KEPT, *servers, "--json", tmp_path / "a", "--junit", tmp_path / "a"),
        ]
    assert [done.returncode for done in wrong] == [2] * 4
    assert asked == []


def test_a_server_that_answers_nothing_is_no_verdict_and_the_report_is_kept(check, tmp_path):
    out = tmp_path / "out.json"
    with grpc_server(aborting(grpc.StatusCode.INVALID_ARGUMENT, "no")) as address:
        done = check(CAT, KEPT, *QUICK, "--repeats", 2, "--servers", f"A:{address}", "--json", out)
    assert done.returncode == 2, done.stderr
    assert "No backend answered. All 2 requests failed" in done.stdout
    assert json.loads(out.read_text())["requests"]["failed"] == 9
