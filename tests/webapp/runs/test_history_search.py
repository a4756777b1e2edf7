"""Runs are found by words, on SQLite and, where there is one, PostgreSQL; then over HTTP and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from experiment.errors import PixelcostError
from tests.support.processes.databases import url
from tests.support.processes.webapp_parts import services_of, serving
from webapp.store.search import LONGEST_QUERY, found, words_in
from webapp.store.store import Follows, Store

__all__ = ["url"]  # a fixture

MAY_4 = 1_777_890_030.0
RUNS = {
    "a": ("cat.jpg", "Serve JPEG q85 at 512 px on 8 CPU.", "8 CPU", "inception", MAY_4),
    "b": ("100%_dog.png", "Serve PNG at 256 px on GPU.", "GPU", "resnet-50", MAY_4 + 86_400),
    "c": ("Größe Ärger.jpg", None, "Zürich", "inception", MAY_4 + 40 * 86_400),
    "d": ("street.jpg", "Serve JPEG q85 at 512 px on 1 CPU.", "1 CPU", "inception", MAY_4 - 366 * 86_400),
}


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    for run_id, (name, sentence, backend, model, created_at) in RUNS.items():
        info = {"name": backend, "model": model, "runtime": "TensorFlow 2.21", "state": "ready"}
        opened.create(run_id, name, {}, [info], {}, 1)
        opened.change(run_id, state="done", headline=sentence, created_at=created_at)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", "dcba"),
        ("cat", "a"),
        ("CAT.JPG", "a"),
        ("jpeg 512", "da"),
        ("jpeg 512 street", "d"),
        ("resnet", "b"),
        ("gpu", "b"),
        ("tensorflow", "dcba"),
        ("2026-05-04", "a"),
        ("2026-05", "ba"),
        ("2026", "cba"),
        ("2026-13", ""),
        ("9999-12-31", ""),
        ("%", "b"),
        ("100%_", "b"),
        ("_", "b"),
        ("\\", ""),
        ("'; drop table runs; --", ""),
        ("größe", "c"),
        ("ÄRGER", "c"),
        ("zürich", "c"),
        ("state", ""),  # a key of the stored JSON, no word of anybody
        ("ready", ""),
        ("nothing", ""),
    ],
)
def test_every_word_has_to_be_found_somewhere(store: Store, text: str, ids: str) -> None:
    assert "".join(run.id for run in found(store.history, words_in(text), 100, None)) == ids


def test_pages_of_a_search_go_on_where_the_last_one_ended(store: Store) -> None:
    first = found(store.history, ["jpg"], 2, None)
    assert [run.id for run in first] == ["d", "c"]
    assert [run.id for run in found(store.history, ["jpg"], 2, first[-1].number)] == ["a"]


def test_follow_ups_are_not_found(store: Store) -> None:
    store.create("e", "cat.jpg", {}, [], {}, 1, Follows("a", "search"))
    assert [run.id for run in found(store.history, ["cat"], 9, None)] == ["a"]
    store.remove("a")
    assert [run.id for run in store.history(9)] == ["d", "c", "b"]
    assert store.count() == {"done": 3}


@pytest.mark.parametrize("text", ["x" * (LONGEST_QUERY + 1), "a b c d e f g h i"])
def test_too_much_to_look_for_is_refused(text: str) -> None:
    with pytest.raises(PixelcostError, match="at most 8 words and 200 characters"):
        words_in(text)


def test_a_search_over_http_is_paged_and_keeps_its_words(tmp_path) -> None:
    with serving(tmp_path) as app:
        store, client = services_of(app).store, app.test_client()
        for number in range(5):
            store.create(f"r{number}", f"cat {number}% & more.jpg", {}, [], {}, 1)
        first = client.get(f"/api/runs?limit=2&q={quote('cat %')}").json
        assert [run["id"] for run in first["runs"]] == ["r4", "r3"]
        second = client.get(first["next"]).json
        assert [run["id"] for run in second["runs"]] == ["r2", "r1"]
        assert client.get("/api/runs?q=dog").json == {"runs": [], "next": None}
        assert client.get(f"/api/runs?q={'x' * 201}").status_code == 400
