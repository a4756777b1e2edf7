"""The store: events, blobs, history and eviction, on SQLite and, where there is one, PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from experiment.errors import ConfigRefused
from tests.support.processes.databases import another_writer, url
from webapp.config import Settings
from webapp.storage_errors import is_busy, is_no_room
from webapp.store.store import Event, Follows, NoSuchRun, Store

__all__ = ["url"]  # a fixture


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url, keep_runs=3, keep_bytes=10_000)
    yield opened
    opened.close()


def add(store: Store, run_id: str, state: str = "done", size_bytes: int = 0) -> None:
    store.create(run_id, "cat.jpg", {"repeats": 2}, [{"name": "1 CPU"}], {"cpu_count": 2}, 10)
    store.change(run_id, state=state, size_bytes=size_bytes)


def event(seq: int, kind: str = "measurement") -> Event:
    return Event(seq, kind, f'{{"n":{seq}}}')


def test_a_run_is_read_back_as_it_was_created(store: Store) -> None:
    add(store, "a", "queued")
    run = store.run("a")
    assert (run.name, run.plan, run.backends) == ("cat.jpg", {"repeats": 2}, [{"name": "1 CPU"}])
    assert (run.environment, run.failure, run.requests_planned) == ({"cpu_count": 2}, None, 10)
    assert run.is_live


def test_an_unknown_run_is_refused_with_how_many_are_kept(store: Store) -> None:
    with pytest.raises(NoSuchRun, match="the last 3 runs are kept"):
        store.run("nowhere")


def test_events_come_back_in_order_from_any_point(store: Store) -> None:
    add(store, "a")
    store.append("a", [event(1), event(2)], done=2, failed=0)
    store.append("a", [event(3)], done=3, failed=1)
    assert [each.seq for each in store.events("a")] == [1, 2, 3]
    assert store.events("a", after=2) == [event(3)]
    assert store.events("a", after=3) == []
    run = store.run("a")
    assert (run.last_seq, run.requests_done, run.requests_failed, run.size_bytes) == (3, 3, 1, 21)


def test_scores_are_kept_apart_from_what_streams_send(store: Store) -> None:
    add(store, "a")
    store.append("a", [Event(1, "measurement", "{}", "[0.5]")], done=1, failed=0)
    assert store.events("a")[0].scores is None
    assert store.events("a", with_scores=True)[0].scores == "[0.5]"


def test_the_same_event_is_never_stored_twice(store: Store) -> None:
    add(store, "a")
    store.append("a", [event(1)], done=1, failed=0)
    with pytest.raises(Exception, match=r"(?i)unique"):
        store.append("a", [event(1)], done=2, failed=0)
    assert store.run("a").requests_done == 1


def test_a_blob_comes_back_part_by_part(store: Store) -> None:
    add(store, "a")
    store.add_blob("a", "512-png", [b"first", b"second"])
    assert list(store.blob("a", "512-png") or ()) == [b"first", b"second"]
    assert store.blob("a", "other") is None
    assert store.run("a").size_bytes == 11


def test_history_is_newest_first_and_paged(store: Store) -> None:
    for run_id in ("a", "b", "c"):
        add(store, run_id)
    first = store.history(limit=2)
    assert [run.id for run in first] == ["c", "b"]
    assert [run.id for run in store.history(limit=2, before=first[-1].number)] == ["a"]


def test_the_history_reads_no_more_than_it_shows(store: Store) -> None:
    """The environment of one imported run could make every look at the history take seconds."""
    add(store, "a")
    store.change("a", environment='{"cut off', plan='{"cut off')
    assert [run.id for run in store.history(limit=2)] == ["a"]


def test_the_oldest_runs_go_when_there_are_too_many(store: Store) -> None:
    for run_id in "abcde":
        add(store, run_id)
    assert store.evict() == ["b", "a"]
    assert store.count() == {"done": 3}


def test_the_oldest_runs_go_when_they_take_too_much_space(store: Store) -> None:
    for run_id in "abc":
        add(store, run_id, size_bytes=4_000)
    assert store.evict() == ["a"]


def test_the_newest_run_stays_however_large_it_is(store: Store) -> None:
    add(store, "a", size_bytes=50_000)
    assert store.evict() == []


def test_a_live_run_is_never_evicted_but_its_size_counts(store: Store) -> None:
    add(store, "a", "running", size_bytes=9_000)
    for run_id in "bc":
        add(store, run_id, size_bytes=800)
    assert store.evict() == ["b"]
    assert store.count() == {"running": 1, "done": 1}


def test_removing_a_run_removes_all_that_belongs_to_it(store: Store) -> None:
    add(store, "a")
    store.append("a", [event(1)], done=1, failed=0)
    store.add_blob("a", "original", [b"bytes"])
    store.remove("a")
    assert store.events("a") == []
    assert store.blob("a", "original") is None


def test_runs_survive_a_new_process(store: Store, url: str) -> None:
    add(store, "a")
    again = Store(url)
    assert again.run("a").name == "cat.jpg"
    again.close()


def test_many_threads_may_write_and_read_at_once(store: Store) -> None:
    for run_id in "abcd":
        add(store, run_id, "running")

    def write(run_id: str) -> None:
        for seq in range(1, 21):
            store.append(run_id, [event(seq)], done=seq, failed=0)
            store.events(run_id)

    threads = [threading.Thread(target=write, args=(run_id,)) for run_id in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(store.events(run_id)) for run_id in "abcd"] == [20] * 4


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////proc/nowhere/runs.db", r"can't be opened .*folder's rights.*DATABASE_URL"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9/runs", r"can't be opened .*server runs.*DATABASE_URL"),
        ("postgresql+psycopg://me:secret@127.0.0.1:nine/secret", "DATABASE_URL can't be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_database_that_cannot_be_opened_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ConfigRefused, match=words) as refused:
        Store(url)
    assert "secret" not in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("folder", ["feature%2Flogin", "what?x=1", "a b%20c", "#1", "a@b:c", "käse"])
def test_any_name_of_the_data_folder_is_the_place_of_its_database(tmp_path: Path, folder: str) -> None:
    store = Store(Settings(data_dir=str(tmp_path / folder)).store_url)
    add(store, "a")
    store.close()
    assert (tmp_path / folder / "pixelcost.db").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_a_new_database_and_its_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = Store(f"sqlite:///{tmp_path}/data/runs.db")
        add(store, "a")
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert set(modes) >= {"runs.db", "runs.db-wal"}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_runs_are_read_while_another_program_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.store.database.PATIENCE_S", 0.1)
    path = tmp_path / "runs.db"
    store = Store(f"sqlite:///{path}")
    add(store, "a")
    store._engine.dispose()  # so that each connection from here on is a new one
    with another_writer(path):
        assert [run.id for run in store.history(limit=5)] == ["a"]
        with pytest.raises(SQLAlchemyError) as busy:
            store.remove("a")
    assert is_busy(busy.value)
    assert not is_no_room(busy.value)
    store.remove("a")
    store.close()


def test_the_log_beside_the_database_does_not_stay_large(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/runs.db", keep_bytes=10**9)
    add(store, "a")
    with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchall()  # while somebody reads, the log only grows
        store.add_blob("a", "original", [bytes(1_000_000)] * 20)
    log = tmp_path / "runs.db-wal"
    assert log.stat().st_size > 15_000_000
    for seq in range(1, 4):
        store.append("a", [event(seq)], done=seq, failed=0)
    assert log.stat().st_size <= 4_000_000
    store.close()


def test_space_is_given_back_in_steps_that_need_little_room_themselves(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/runs.db", keep_bytes=10**9)
    for run_id in "ab":
        add(store, run_id)
        store.add_blob(run_id, "original", [bytes(1_000_000)] * 20)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    largest = [0]
    with watched(tmp_path / "runs.db-wal", largest):
        store.remove("a")  # what stays lies behind it, and has to be moved
    assert (tmp_path / "runs.db").stat().st_size < 22_000_000
    assert 0 < largest[0] < 12_000_000
    assert sum(map(len, store.blob("b", "original") or ())) == 20_000_000
    store.close()


@contextmanager
def watched(path: Path, largest: list[int]) -> Iterator[None]:
    """Keep how large a file was at its largest."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            largest[0] = max(largest[0], path.stat().st_size)

    thread = threading.Thread(target=look)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_what_was_measured_after_a_run_counts_as_part_of_its_size(store: Store) -> None:
    for run_id in "abc":
        add(store, run_id, size_bytes=1_000)
    for number in range(3):
        store.create(f"more-{number}", "cat.jpg", {}, [], {}, 10, Follows("b", "repeats"))
        store.change(f"more-{number}", state="done", size_bytes=4_000)
    assert store.evict() == ["b", "a"]
    assert store.count() == {"done": 1}


def test_space_is_given_back_when_runs_go(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = Store(f"sqlite:///{path}", keep_runs=1, keep_bytes=100_000_000)
    for run_id in "ab":
        add(store, run_id)
        store.add_blob(run_id, "original", [bytes(1_000_000)] * 4)
    store.evict()
    store.close()
    assert path.stat().st_size < 5_000_000


def test_processes_that_start_at_once_make_the_tables_once(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("one process has an SQLite file")
    with ThreadPoolExecutor(4) as starters:
        for store in [starting.result() for starting in [starters.submit(Store, url) for _ in range(4)]]:
            store.close()
