"""Several web processes on one database: whose run is whose, whose turn it is, and what becomes of lost ones.

Each `Store` here is what a process has of its own. On SQLite there is one process in life; the rules hold
there too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import update

from tests.support.processes.databases import url
from webapp.store.store import Store
from webapp.store.tables import leases

__all__ = ["url"]  # a fixture


@pytest.fixture
def process(url: str) -> Iterator[Callable[[], Store]]:
    """Makes one more process's store."""
    with ExitStack() as stack:

        def start() -> Store:
            store = Store(url)
            stack.callback(store.close)
            return store

        yield start


def submit(store: Store, run_id: str) -> str:
    store.create(run_id, "cat.jpg", {}, [], {}, 10)
    return run_id


def vanish(store: Store) -> None:
    """As if the process had been silent for a minute."""
    with store._engine.begin() as connection:
        mine = leases.c.owner == store.leases.owner
        connection.execute(update(leases).where(mine).values(seen_at=leases.c.seen_at - 60))


def test_a_run_of_a_process_that_is_there_is_nobodys_orphan(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")
    assert other.leases.orphans() == []
    assert other.leases.is_held("a")


def test_the_run_of_a_process_that_has_gone_is_given_to_one_other_only(process: Callable[[], Store]) -> None:
    gone, second, third = process(), process(), process()
    submit(gone, "a")
    vanish(gone)
    assert second.leases.orphans() == ["a"]
    assert third.leases.orphans() == []
    assert third.run("a").state == "failed"
    assert not third.leases.is_held("a")


def test_renewing_keeps_a_run_from_becoming_an_orphan(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")
    vanish(one)
    assert one.leases.renew(["a"]) == []
    assert other.leases.orphans() == []


def test_an_ended_run_is_no_orphan(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    one.change(submit(one, "a"), state="done")
    vanish(one)
    assert other.leases.orphans() == []


def test_a_run_is_cancelled_through_another_process(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")
    submit(one, "b")
    assert other.leases.cancel("a")
    assert one.leases.renew(["a", "b"]) == ["a"]
    assert other.leases.renew(["a", "b"]) == []


def test_nobody_can_be_asked_to_cancel_what_nobody_has(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")
    vanish(one)
    assert not other.leases.cancel("a")
    assert not other.leases.cancel("unknown")


def test_only_so_many_measure_at_once_in_all_processes(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")
    submit(other, "b")
    assert not one.leases.someone_measures()
    assert one.leases.begin("a", at_once=1)
    assert one.run("a").state == "running"
    assert other.leases.someone_measures()
    assert not other.leases.begin("b", at_once=1)
    assert other.leases.begin("b", at_once=2)
    one.change("a", state="done")
    one.leases.release("a")
    assert other.leases.begin("b", at_once=1)


def test_of_those_that_could_be_next_the_oldest_goes_first(process: Callable[[], Store]) -> None:
    first, second, third = process(), process(), process()
    for store, run_id in ((first, "a"), (second, "b"), (third, "c")):
        submit(store, run_id)
    assert first.leases.begin("a", 1)
    assert not third.leases.begin("c", 1)
    assert not second.leases.begin("b", 1)
    first.change("a", state="done")
    assert not third.leases.begin("c", 1)
    assert second.leases.begin("b", 1)


def test_a_run_that_waits_behind_another_of_its_process_holds_nobody_up(process: Callable[[], Store]) -> None:
    one, other = process(), process()
    submit(one, "a")  # older, but its own process has not let it ask yet
    submit(other, "b")
    assert other.leases.begin("b", 1)


def test_a_process_that_has_gone_holds_no_turn(process: Callable[[], Store]) -> None:
    gone, other = process(), process()
    submit(gone, "a")
    submit(other, "b")
    assert gone.leases.begin("a", 1)
    vanish(gone)
    assert not other.leases.someone_measures()
    assert other.leases.begin("b", 1)


def test_of_many_that_ask_in_the_same_moment_one_may_begin(process: Callable[[], Store]) -> None:
    stores = [process() for _ in range(6)]
    if stores[0]._is_sqlite:
        pytest.skip("one process has an SQLite file, and lets its runs begin one after another itself")
    for number, store in enumerate(stores):
        submit(store, str(number))
    begun: list[bool] = []
    start = threading.Barrier(len(stores))

    def ask(number: int) -> None:
        start.wait()
        begun.append(stores[number].leases.begin(str(number), 1))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(begun) == 1


def test_on_sqlite_no_other_process_is_believed_to_be_there(process: Callable[[], Store]) -> None:
    former, now = process(), process()
    if not now._is_sqlite:
        pytest.skip("several processes may share a PostgreSQL")
    submit(former, "a")
    now.leases.start()
    assert now.leases.orphans() == ["a"]


def test_a_removed_run_leaves_no_claim(process: Callable[[], Store]) -> None:
    one = process()
    submit(one, "a")
    one.remove("a")
    assert not one.leases.is_held("a")
