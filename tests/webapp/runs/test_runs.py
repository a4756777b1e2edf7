"""The run manager with real child processes that play a script."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiment.errors import ImageRefused
from experiment.records import BackendInfo, Plan
from tests.support.processes.databases import another_writer
from tests.support.processes.webapp_parts import SCRIPTED, eventually, photo_bytes, settings
from webapp.metrics import Metrics
from webapp.runs.live_run import LiveRun
from webapp.runs.manager import RunManager
from webapp.runs.queue import TooBusy
from webapp.runs.submission import Submission, pieces_of
from webapp.store.store import Event, Store
from webapp.worker.large_photos import LargePhotoBusy
from webapp.worker.pipe import PhotoJob
from webapp.worker.process import WorkerProcess

BACKENDS = [BackendInfo("1 CPU"), BackendInfo("8 CPU")]
PLAN = Plan(sizes_px=(32,), formats=("png", "jpeg"), warmups=1, repeats=2)
LONG = Plan(sizes_px=(32,), formats=("png",), repeats=1000)
REQUESTS = 3 * 2 * 3  # variants, backends, warm-ups and repeats


def headline(run_id: str) -> str:
    return f"Headline of {run_id}."


class Bench:
    """A run manager, its store and its metrics."""

    def __init__(self, folder: Path, **changes: Any):
        chosen = settings(folder, **changes)
        self.url = chosen.store_url
        self.store = Store(self.url)
        self.metrics = Metrics()
        self.runs = RunManager(chosen, self.store, self.metrics, headline, SCRIPTED)

    def submit(self, name: str = "cat.png", plan: Plan = PLAN) -> LiveRun:
        data = photo_bytes()
        submission = Submission(PhotoJob(name, "tabby", len(data)), pieces_of(io.BytesIO(data)))
        return self.runs.submit(submission, plan, BACKENDS)

    def events(self, live: LiveRun, kind: str = "") -> list[dict[str, Any]]:
        found = self.store.events(live.id, limit=100_000)
        return [json.loads(each.data) for each in found if kind in {"", each.kind}]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.runs.close()
    made.store.close()


def ended(live: LiveRun) -> LiveRun:
    assert live.ended.wait(20)
    return live


def test_a_run_ends_with_everything_stored(bench: Bench) -> None:
    live = ended(bench.submit())
    run = bench.store.run(live.id)
    assert (run.state, run.requests_done, run.requests_failed) == ("done", REQUESTS, 0)
    assert run.headline == f"Headline of {live.id}."
    assert run.environment["cpu_count"] == 2
    assert len(bench.events(live, "measurement")) == REQUESTS
    assert b"".join(bench.store.blob(live.id, "32-jpeg") or ()) == b"32-jpeg"


def test_events_are_numbered_without_gaps_from_source_to_end(bench: Bench) -> None:
    live = ended(bench.submit())
    events = bench.store.events(live.id, limit=1000)
    assert [each.seq for each in events] == list(range(1, len(events) + 1))
    assert (events[0].kind, events[-1].kind) == ("source", "end")
    assert json.loads(events[0].data)["requests_planned"] == REQUESTS
    assert json.loads(events[-1].data)["text"].endswith(f"{REQUESTS} requests, 0 failed.")


def test_the_last_progress_counts_every_request(bench: Bench) -> None:
    live = ended(bench.submit())
    assert bench.events(live, "progress")[-1]["done"] == REQUESTS


def test_streams_get_measurements_without_their_distribution(bench: Bench) -> None:
    live = ended(bench.submit())
    assert {each["prediction"]["distribution"] for each in bench.events(live, "measurement")} == {None}
    kept = [each.scores for each in bench.store.events(live.id, limit=1000, with_scores=True) if each.scores]
    assert kept == ["[0.7, 0.3]"] * 6  # one for each cell


def test_a_refused_photo_leaves_no_run_behind(bench: Bench) -> None:
    with pytest.raises(ImageRefused, match=r"refuse-me\.png is damaged") as refused:
        bench.submit("refuse-me.png")
    assert (refused.value.code, refused.value.http_status) == ("damaged", 422)
    assert bench.store.count() == {}


def test_a_photo_that_kills_its_reader_is_refused(bench: Bench) -> None:
    with pytest.raises(ImageRefused, match="process that decodes this photo crashed") as refused:
        bench.submit("die-at-once-bomb.png")
    assert refused.value.code == "damaged"


def test_a_photo_that_takes_too_long_to_decode_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, read_timeout_s=0.5)
    with pytest.raises(ImageRefused, match=r"longer than the limit of 0\.5 s"):
        bench.submit("hang-bomb.png")
    bench.runs.close()


def test_a_child_that_never_worked_is_our_fault(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        bench.submit("broken-worker.png")


def test_refusals_give_their_place_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, queue_length=0)
    for _ in range(3):
        with pytest.raises(ImageRefused):
            bench.submit("refuse-me.png")
    assert ended(bench.submit()).state == "done"
    bench.runs.close()


def test_a_child_that_dies_in_mid_run_fails_the_run_and_keeps_its_measurements(bench: Bench) -> None:
    live = ended(bench.submit("die-soon.png"))
    run = bench.store.run(live.id)
    assert run.state == "failed"
    assert run.failure is not None
    assert run.failure["code"] == "worker_died"
    assert "killed by signal 9" in run.failure["message"]
    assert (run.requests_done, len(bench.events(live, "measurement"))) == (5, 5)


def test_a_photo_that_is_refused_when_it_is_read_again_fails_the_run_with_the_reason(bench: Bench) -> None:
    live = ended(bench.submit("refuse-later-wall.png"))
    run = bench.store.run(live.id)
    assert (run.state, run.failure) == (
        "failed",
        {"code": "damaged", "message": "refuse-later-wall.png is damaged."},
    )
    assert bench.events(live, "end")[0]["text"] == "refuse-later-wall.png is damaged."


def test_runs_wait_for_each_other_and_know_their_place(bench: Bench) -> None:
    first = bench.submit("slow-1.png", LONG)
    eventually(lambda: bench.runs.queue.is_measuring)
    second, third = bench.submit("b.png"), bench.submit("c.png")
    assert [bench.runs.queue.position(live) for live in (first, second, third)] == [0, 1, 2]
    bench.runs.queue.cancel(first)
    assert [ended(live).state for live in (first, second, third)] == ["cancelled", "done", "done"]
    assert [each["position"] for each in bench.events(third, "state")] == [2, 1, 0]


def test_the_queue_is_limited_and_says_when_to_come_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, queue_length=1)
    first, second = bench.submit("slow-1.png", LONG), bench.submit("slow-2.png")
    with pytest.raises(TooBusy) as busy:
        bench.submit("c.png")
    assert busy.value.http_status == 429
    assert busy.value.retry_after_s >= 2
    for live in (first, second):
        bench.runs.queue.cancel(live)
        ended(live)
    bench.runs.close()


def test_cancelling_keeps_what_was_measured(bench: Bench) -> None:
    live = bench.submit("slow-1.png", LONG)
    eventually(lambda: live.log.progress.done >= 3)
    bench.runs.queue.cancel(live)
    run = bench.store.run(ended(live).id)
    assert run.state == "cancelled"
    assert 3 <= run.requests_done < 4000
    (end,) = bench.events(live, "end")
    assert end["text"].startswith(f"Stopped after {run.requests_done} of ")


def test_a_waiting_run_can_be_cancelled_before_it_begins(bench: Bench) -> None:
    first, second = bench.submit("slow-1.png", LONG), bench.submit("b.png")
    bench.runs.queue.cancel(second)
    assert ended(second).state == "cancelled"
    assert bench.events(second, "measurement") == []
    bench.runs.queue.cancel(first)


def test_a_run_over_its_time_limit_is_stopped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_run_s=0.5)
    live = ended(bench.submit("slow-1.png", Plan(repeats=900)))
    failure = bench.store.run(live.id).failure
    assert failure is not None
    assert failure["code"] == "too_long"
    bench.runs.close()


def test_a_restart_ends_the_runs_that_it_interrupted(bench: Bench) -> None:
    former = Store(bench.url)  # another process, before this one
    former.create("0123", "cat.png", {}, [], {}, 10)
    former.append("0123", [Event(1, "source", "{}"), Event(2, "measurement", "{}")], done=1, failed=0)
    former.close()
    bench.runs.start(lambda: True)
    run = bench.store.run("0123")
    assert (run.state, run.last_seq, run.requests_done) == ("failed", 3, 1)
    assert run.failure is not None
    assert run.failure["code"] == "app_restarted"
    assert [each.kind for each in bench.store.events("0123")] == ["source", "measurement", "end"]


def test_a_run_goes_on_while_another_program_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.store.database.PATIENCE_S", 0.1)
    bench = Bench(tmp_path)
    live = bench.submit("slow-cat.png", Plan(sizes_px=(32,), formats=("png",), warmups=1, repeats=20))
    eventually(lambda: live.log.progress.done)
    with another_writer(tmp_path / "pixelcost.db"):
        time.sleep(0.5)
    run = bench.store.run(ended(live).id)
    assert (run.state, run.failure, run.requests_done) == ("done", None, 2 * 2 * 21)
    assert len(bench.events(live, "measurement")) == 2 * 2 * 21
    bench.runs.close()


def test_stopping_the_app_ends_its_runs_and_says_so(bench: Bench) -> None:
    live = bench.submit("slow-1.png", Plan(repeats=900))
    eventually(lambda: live.log.progress.done)
    bench.runs.close()
    failure = bench.store.run(live.id).failure
    assert failure is not None
    assert failure["code"] == "app_stopped"


def test_the_spare_child_serves_the_next_run(bench: Bench) -> None:
    bench.runs.start(lambda: True)
    spare = bench.runs._spare._process
    assert spare is not None
    live = bench.submit()
    assert live._process is spare
    ended(live)
    assert eventually(lambda: bench.runs._spare._process) is not spare


def test_a_dead_spare_is_replaced(bench: Bench) -> None:
    bench.runs.start(lambda: True)
    spare = bench.runs._spare._process
    assert spare is not None
    os.kill(spare.pid, signal.SIGKILL)
    eventually(lambda: not spare.is_alive)
    assert ended(bench.submit()).state == "done"


def test_children_end_with_the_process_that_started_them(bench: Bench) -> None:
    live = bench.submit("slow-1.png")
    live._process._stdin.close()  # what the end of this process would do
    assert ended(live).state == "failed"
    assert not live._process.is_alive


def test_finished_runs_and_latencies_are_counted(bench: Bench) -> None:
    ended(bench.submit())
    text = bench.metrics.text("")[0].decode()
    assert 'pixelcost_runs_finished_total{state="done"} 1.0' in text
    assert 'pixelcost_measured_latency_seconds_count{backend="8 CPU"} 6.0' in text


def test_the_child_that_decodes_knows_no_secret_and_can_gain_no_rights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIXELCOST_TOKEN", "an-example-token")
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:secret@nowhere/runs")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    child = WorkerProcess()
    try:
        # Empty for an instant: exec closes files, for which Popen waits, before it places the environment.
        environ: bytes = eventually(Path(f"/proc/{child.pid}/environ").read_bytes)
        told = {line.split(b"=")[0] for line in environ.split(b"\0") if line}
        assert b"PATH" in told
        assert not told & {b"PIXELCOST_TOKEN", b"DATABASE_URL", b"AWS_SECRET_ACCESS_KEY"}
        eventually(lambda: "NoNewPrivs:\t1" in Path(f"/proc/{child.pid}/status").read_text())
    finally:
        child.close()


def holder_of_the_turn(bench: Bench) -> LiveRun:
    """A run that makes copies of a large photo until it is cancelled."""
    live = bench.submit("large-slow-wall.png")
    eventually(lambda: bench.runs._large.locked() and live._has_turn)
    return live


def test_an_upload_is_not_kept_waiting_while_all_copies_of_a_large_photo_are_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.runs.live_run.TURN_PATIENCE_S", 0.2)
    first = holder_of_the_turn(bench)
    with pytest.raises(LargePhotoBusy, match="one at a time") as busy:
        bench.submit("large-phone.png")
    assert (busy.value.http_status, busy.value.retry_after_s) == (429, 30)
    small = bench.submit("cat.png")  # the place of the refused one is free again
    bench.runs.queue.cancel(first)
    assert ended(first).state == "cancelled"
    assert ended(small).state == "done"
    assert ended(bench.submit("large-phone.png")).state == "done"


def test_the_turn_of_a_large_photo_goes_on_when_the_process_that_holds_it_is_killed(bench: Bench) -> None:
    first = holder_of_the_turn(bench)
    os.kill(first._process.pid, signal.SIGKILL)
    assert ended(first).state == "failed"
    assert ended(bench.submit("large-phone.png")).state == "done"


def test_a_run_that_is_stopped_while_it_waits_for_the_turn_ends(bench: Bench) -> None:
    first, waiting = bench.submit("slow-first.png"), bench.submit("large-phone.png")
    with bench.runs._large:  # as another run does for minutes
        bench.runs.queue.cancel(first)
        eventually(lambda: waiting.state == "running")
        waiting.kill({"code": "too_long", "message": "Stopped."})
        assert ended(waiting).state == "failed"
