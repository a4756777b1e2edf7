"""A file that one process at a time holds."""

from __future__ import annotations

import fcntl

import pytest

from jobs import locks
from jobs.locks import Held, held, note_of_holder


def test_who_only_looks_does_not_keep_the_next_one_from_holding_it(tmp_path, monkeypatch):
    file = tmp_path / "lock"
    file.write_text("of an earlier one")
    looker = file.open()
    fcntl.flock(looker, fcntl.LOCK_SH)  # as note_of_holder() does, for a moment
    monkeypatch.setattr(locks.time, "sleep", lambda _: looker.close())
    with held(file, "mine"):
        assert note_of_holder(file) == "mine"


def test_a_second_one_is_told_who_holds_it(tmp_path):
    file = tmp_path / "folder" / "lock"
    with held(file, "first"), pytest.raises(Held) as other, held(file, "second"):
        pass
    assert other.value.note == "first"
    assert note_of_holder(file) is None
