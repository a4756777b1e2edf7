"""The arithmetic of the benchmarks, and their generator of load against a real server."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import commits
from bench.batching import steady_rate
from bench.check import simulated
from bench.check.tally import tally
from bench.load import verdicts
from bench.support.callers import calling, ends_s, request_of
from bench.support.errors import CannotRun
from bench.support.figures import figure
from bench.support.open_loop import OK, offer
from bench.support.servables import photo_of
from bench.support.side_by_side import by_turns
from bench.sweep import stub_server
from loadtest.cross_check.comparison import Row
from loadtest.cross_check.run import CrossCheck
from loadtest.cross_check.stall import StallRow

ROOT = Path(__file__).resolve().parents[2]


def test_a_target_is_met_only_when_the_bad_end_of_the_interval_meets_it():
    samples = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05]
    assert figure("name", samples, at_most=1.05).endswith("target <= 1.05: met")
    assert figure("name", samples, at_most=1.03).endswith("target <= 1.03: not sure")
    assert figure("name", samples, at_most=0.99).endswith("target <= 0.99: missed")
    assert figure("name", samples, at_least=1.0).endswith("target >= 1.0: met")
    assert figure("name", samples[:5], at_least=1.0).endswith("(too few blocks), target >= 1.0: not known")


@pytest.mark.parametrize(
    ("ours", "p99_ms", "met"),
    [
        (101.0, 830.0, ["met", "met"]),
        (103.0, 870.0, ["missed", "missed"]),
        (None, 800.0, ["not sure", "met"]),
    ],
)
def test_the_targets_of_load_are_agreement_with_loadgen_and_the_p99_of_the_schedule(ours, p99_ms, met):
    pairs = [(100.0, ours)] * 6 if ours else [(100.0, 99.0)] * 3 + [(100.0, 104.0)] * 3
    rows = [
        Row("LoadGen", scenario, "p50_ms", *map(tuple, zip(*pairs, strict=True)))
        for scenario in ("SingleStream", "Server")
    ]
    stalled = [StallRow("ours", "open", p99_ms, 820.0), StallRow("ab", "closed", 11.0, 820.0)]
    found = CrossCheck(rows=rows, stall=stalled, left_out=[], versions={}, environment={}, pairs=6)
    assert [line.rpartition(": ")[2] for line in verdicts(found)] == met


def test_agreement_in_one_scenario_alone_is_not_enough():
    row = Row("LoadGen", "SingleStream", "p50_ms", (100.0,) * 6, (101.0,) * 6)
    failed = "LoadGen was left out of Server: it crashed."
    found = CrossCheck(rows=[row], stall=[], left_out=[failed], versions={}, environment={}, pairs=6)
    assert [line.rpartition(": ")[2] for line in verdicts(found)] == ["not sure"]


def test_a_rate_counts_whole_batches_and_not_the_start():
    start = [0.5]  # one alone, then batches of four every tenth of a second
    batches = [1.0 + number / 10 + index / 1000 for number in range(9) for index in range(4)]
    assert round(steady_rate([*start, *batches]), 6) == 40


def test_a_photo_is_filled_up_to_the_size_and_still_decodes():
    data = photo_of(400_000)
    assert abs(len(data) - 400_000) < 8
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.width == 1024


def test_every_request_of_an_open_loop_is_accounted_for():
    with stub_server(5) as port, calling(f"127.0.0.1:{port}") as predict:
        answered = offer(predict, request_of(b"x"), rate_per_s=50, seconds=0.4, timeout_s=10, read=len)
    with stub_server(500) as port, calling(f"127.0.0.1:{port}") as predict:
        late = offer(predict, request_of(b"x"), rate_per_s=100, seconds=0.1, timeout_s=0.0001)
    assert answered.codes == {OK: 20}
    assert len(answered.latencies_ms) == len(answered.others) == 20
    assert late.codes == {"DEADLINE_EXCEEDED": 10}


def test_callers_ask_as_often_as_they_should_and_together():
    with stub_server(20) as port, calling(f"127.0.0.1:{port}") as predict:
        ends = ends_s(lambda: predict(request_of(b"x")), callers=2, count=6)
    assert len(ends) == 6
    assert ends == sorted(ends)


def test_each_block_takes_every_way_once_and_the_first_is_not_counted():
    asked: list[str] = []
    ways = {name: lambda name=name: asked.append(name) or len(asked) for name in ("a", "b", "c")}
    samples = by_turns(ways, blocks=5)
    blocks = [tuple(asked[start : start + 3]) for start in range(0, len(asked), 3)]
    assert len(blocks) == 6
    assert all(sorted(block) == ["a", "b", "c"] for block in blocks)
    assert len(set(blocks)) > 1  # in random order
    assert sorted(place for places in samples.values() for place in places) == list(range(4, 19))


def test_two_trees_are_compared_block_by_block_and_the_first_run_of_each_is_left_out():
    runs: Counter[Path] = Counter()

    def cost(tree: Path) -> tuple[float, float]:
        runs[tree] += 1
        if runs[tree] == 1:
            return 1000.0, 1000.0
        slow = 1.01 ** runs[tree]  # the machine gets slower, and both trees with it
        return (2.0 * slow, 30.0) if tree == Path("new") else (1.0 * slow, 40.0)

    seconds, megabytes = commits.compared("start", {"new": Path("new"), "old": Path("old")}, cost, blocks=9)
    assert runs == {Path("new"): 10, Path("old"): 10}
    assert seconds.startswith("start: 2.12 / 1.06 s ") and " 2.000 (95 %: 2.000 to 2.000)" in seconds
    assert megabytes.startswith("start: 30.00 / 40.00 MB ") and " 0.750 (95 %: 0.750 to 0.750)" in megabytes


def repository(folder: Path, *versions: str) -> Path:
    """A git repository whose one file had these contents, a commit for each."""
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for version in versions:
        (folder / "file.txt").write_text(version)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", version], check=True)
    return folder


def test_the_files_of_another_commit_are_written_beside_and_the_repository_stays_as_it_is(tmp_path):
    source = repository(tmp_path / "source", "first", "second")
    (source / "file.txt").write_text("not committed")
    for revision, content in (("HEAD", "second"), ("HEAD~1", "first")):
        commits.check_out(revision, tmp_path / content, source)
        assert [path.name for path in (tmp_path / content).iterdir()] == ["file.txt"]
        assert (tmp_path / content / "file.txt").read_text() == content
    assert (source / "file.txt").read_text() == "not committed"


@pytest.mark.parametrize("revision", ["no-such-revision", "HEAD~1", "--all", ""])
def test_a_commit_that_a_shallow_clone_lacks_is_named_in_one_sentence(tmp_path, revision):
    source = repository(tmp_path / "source", "first", "second")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", source.as_uri(), str(shallow)], check=True)
    with pytest.raises(CannotRun, match=f"^{revision} is not a commit of this clone. Name another one"):
        commits.check_out(revision, tmp_path / "tree", shallow)


def test_without_git_or_a_repository_there_is_nothing_to_compare_with(tmp_path, monkeypatch):
    with pytest.raises(CannotRun, match="not a git repository"):
        commits.check_out("HEAD", tmp_path / "tree", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match="git is not installed"):
        commits.check_out("HEAD", tmp_path / "tree", ROOT)


def test_a_tree_that_can_not_be_started_is_no_measurement(tmp_path):
    with pytest.raises(CannotRun, match=r"python -m webapp.worker ended with exit code 1: .*No module named"):
        commits._worker(tmp_path)


def test_a_part_that_can_not_run_says_why_and_the_others_go_on():
    command = [sys.executable, "-m", "bench", "commits", "commits"]
    environ = os.environ | {"AGAINST": "no-such-revision"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.count("  skipped: no-such-revision is not a commit of this clone.") == 2
    assert "Traceback" not in done.stderr


def test_a_check_finds_what_is_planted_and_raises_no_alarm_otherwise():
    wanted = (
        "quiet, 10 variants, 64 repeats, limit 2 %: A/A",
        "quiet, 10 variants, 64 repeats, limit 2 %: all",
    )
    same, slower = (
        next(each for each in simulated.in_one_run() if each.name.startswith(name)) for name in wanted
    )
    at_random = np.random.default_rng(1)
    assert sum(same.attempt(at_random) for _ in range(20)) == 0  # of 1,000: 2
    assert sum(slower.attempt(at_random) for _ in range(20)) >= 16  # of 1,000: 973
    assert slower.is_planted and not same.is_planted


def test_twice_the_loss_needs_a_quarter_of_the_photos():
    few, many = (simulated.photos_to_find(lost, 0.1, comparisons=4) for lost in (0.02, 0.01))
    assert 3.9 < many / few < 4.1


def test_a_tally_shows_the_interval_of_its_share():
    line = tally("A/A", [True, *[False] * 99], is_planted=False)
    assert line.split(maxsplit=1) == ["A/A", "1 of 100 false alarms, 1.0 % (0.2 to 5.4)"]
