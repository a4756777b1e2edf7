"""A short run of `make fuzz` on each target, always with the same inputs, and what the runner finds."""

from __future__ import annotations

import random

import pytest

from fuzz.mutate import mutated
from fuzz.mutate_json import mutated_json
from fuzz.runner import run
from fuzz.targets import NAMES

# As many as take a few seconds; `make fuzz` makes 6,000 of each.
MUTATIONS = {"photo": 300, "photo_set": 300, "labels": 500, "report_import": 25, "upload": 150, "rest": 500}
MUTATIONS |= {"predict": 500, "reply": 150, "model_file": 150}


def test_every_target_has_a_short_run() -> None:
    assert set(MUTATIONS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_input_is_read_or_refused(name: str) -> None:
    found = run(name, MUTATIONS[name], seed=12, folder=None)
    assert not found.causes
    assert found.outcomes.total() > MUTATIONS[name]
    assert len(found.outcomes) > 1  # some was read, some was not


def test_the_same_seed_damages_in_the_same_way() -> None:
    def damaged(seed: int) -> list[bytes]:
        return [mutated([b"one", b"another"], [b"token"], random.Random(f"{seed} {n}")) for n in range(50)]

    assert damaged(1) == damaged(1) != damaged(2)
    assert mutated_json(b'{"a": [1, 2]}', random.Random(3)) == mutated_json(
        b'{"a": [1, 2]}', random.Random(3)
    )


def test_what_breaks_a_target_is_found_kept_and_survived(tmp_path) -> None:
    """A bug, a crash of the process and a hang, one after another."""
    found = run("tests.support.broken_on_purpose", 20, seed=1, folder=tmp_path, hang_s=1.0)
    assert {cause.split(":")[0] for cause in found.causes} == {"ValueError", "crash", "hang"}
    assert found.outcomes["read"] > 0
    [kept, *_] = found.kept
    assert kept.read_bytes()[:1] in {b"b", b"c", b"h"}
    assert kept.with_suffix(".txt").read_text()
