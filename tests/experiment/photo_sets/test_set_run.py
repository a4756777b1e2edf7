"""Photo after photo, the journal that keeps them, and the counts that add them up."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest

from bench.support.fake_backends import FakeBackend
from experiment.backends.base import RequestFailed
from experiment.codec import to_dict
from experiment.labels import Vocabulary
from experiment.measure.environment import environment
from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.journal import (
    Journal,
    JournalRefused,
    header_of,
    is_complete,
    read_header_line,
    results_in,
)
from experiment.photo_sets.listing import open_photo_set
from experiment.photo_sets.run import measure_set, photo_order
from experiment.records import BackendInfo, Label, Plan
from tests.support.photo_sets import COLOURS, always_right, blind_when_small, colour_of, photo, write_folders

PLAN = Plan(sizes_px=(32, 24), formats=("png",), warmups=1, repeats=1, seed=5, timeout_s=5)
IDS = ("original", "32-png", "24-png")


def eye(name="eye", guess=always_right):
    """A backend that looks at the pixels."""

    def answer(variant):
        told = guess(*colour_of(variant.data))
        return (Label(told, 0.7), *(Label(each, 0.1) for each in COLOURS if each != told))

    return FakeBackend(name, answer=answer)


def taken(photos, backends, plan=PLAN, there=(), cancel=None):
    return list(measure_set(plan, photos, backends, cancel or threading.Event(), there))


def counted(results):
    counts = SetCounts({"eye": Vocabulary(COLOURS)})
    for each in results:
        counts.add(each)
    return counts


EYE = (BackendInfo(name="eye", state="ready", version=1),)


def header(photos, plan=PLAN, infos=EYE, facts=None):
    return header_of("run", 0.0, photos, plan, infos, facts or environment(), {})


@pytest.fixture
def photos(tmp_path):
    return open_photo_set(write_folders(tmp_path / "set", 12))


# The run


def test_each_photo_is_a_block_and_every_variant_is_warmed_once(photos):
    backend = eye()
    results = taken(photos, [backend])
    assert sorted(each.name for each in results) == [each.name for each in photos.photos]
    assert [each.index for each in results] == list(range(12))
    warm, first = backend.asked[:3], backend.asked[3:6]
    assert warm == list(IDS)
    assert sorted(first) == sorted(IDS)
    assert len(backend.asked) == 3 + 12 * 3
    orders = {tuple(backend.asked[at : at + 3]) for at in range(3, 39, 3)}
    assert len(orders) > 1  # not the same order for each photo
    assert all(each.prediction.distribution is None for result in results for each in result.measurements)


def test_the_photos_come_in_an_order_that_the_seed_decides(photos):
    names = [each.name for each in photo_order(photos.photos, 5)]
    assert names == [each.name for each in photo_order(photos.photos, 5)] != sorted(names)
    assert names != [each.name for each in photo_order(photos.photos, 6)]


def test_a_size_that_comes_later_is_warmed_when_it_comes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(photo("red", 0, 28))
    (tmp_path / "b.jpg").write_bytes(photo("red", 0, 48))
    backend = eye()
    taken(open_photo_set(tmp_path), [backend])
    assert Counter(backend.asked) == {"original": 3, "24-png": 3, "32-png": 2}


def test_broken_photos_are_named_and_cost_nothing_else(tmp_path):
    folder = write_folders(tmp_path, 3)
    (folder / "red" / "0000.jpg").write_bytes(photo("red", 0)[:200])
    (folder / "red" / "zero.jpg").write_bytes(b"")
    counts = counted(taken(open_photo_set(folder), [eye()]))
    assert (counts.done, counts.measured) == (4, 2)
    assert {(each.name, each.code) for each in counts.skipped} == {
        ("red/0000.jpg", "truncated"),
        ("red/zero.jpg", "empty_file"),
    }


def test_the_photo_under_way_at_a_cancel_is_dropped_as_a_whole(photos):
    cancel = threading.Event()
    stopped = eye()

    def stop(variant):
        if len(stopped.asked) == 3 + 7:  # in the third photo
            cancel.set()
        return eye()._answer(variant)

    stopped._answer = stop
    results = taken(photos, [stopped], cancel=cancel)
    assert [len(each.measurements) for each in results] == [6, 3]


def test_a_backend_that_stopped_answering_is_left_out_and_the_others_go_on(photos, monkeypatch):
    monkeypatch.setattr("experiment.measure.lane.PATIENCE_S", 0.0)

    def gone(variant):
        raise RequestFailed("unreachable", "No answer.")

    quiet, live = FakeBackend("quiet", answer=gone), eye()
    results = taken(photos, [live, quiet])
    names = [{each.backend_name for each in result.measurements} for result in results]
    assert names == [{"eye", "quiet"}, *[{"eye"}] * 11]
    assert len(taken(photos, [FakeBackend("quiet", answer=gone)])) == 1  # without any the run ends


# The counts


def test_the_counts_are_those_that_a_person_would_make(photos):
    counts = counted(taken(photos, [eye(guess=blind_when_small)]))
    cells = {key[0]: cell for key, cell in counts.cells.items()}
    assert counts.labelled == counts.measured == 12
    assert [cells[each].judged for each in IDS] == [12, 12, 12]
    assert [cells[each].top1 for each in IDS] == [12, 12, 4]  # a third is blue anyway
    assert [cells[each].top5 for each in IDS] == [12, 12, 12]
    assert [cells[each].agreed for each in IDS] == [12, 12, 4]
    small = cells["24-png"]
    assert (small.both, small.gained, small.lost, small.neither) == (4, 0, 8, 0)
    assert len(small.samples_ms) == 12
    assert small.cold_ms is not None


def test_photos_whose_label_the_model_does_not_know_count_for_agreement_alone(tmp_path):
    folder = write_folders(tmp_path, 6)
    (folder / "red").rename(folder / "n01440764")
    counts = counted(taken(open_photo_set(folder), [eye()]))
    assert dict(counts.unknown_labels) == {"n01440764": 2}
    assert (
        counts.labelled,
        counts.cells["32-png", "eye"].judged,
        counts.cells["32-png", "eye"].compared,
    ) == (
        4,
        4,
        6,
    )


def test_two_backends_are_compared_answer_by_answer(photos):
    counts = counted(taken(photos, [eye(), eye("dim", blind_when_small)]))
    assert counts.between["32-png", "dim", "eye"] == [12, 12]
    assert counts.between["24-png", "dim", "eye"] == [4, 12]


def test_several_repeats_of_a_photo_are_one_sample(photos):
    counts = counted(taken(photos, [eye()], replace(PLAN, repeats=3)))
    cell = counts.cells["32-png", "eye"]
    assert (len(cell.samples_ms), cell.failures.asked, cell.judged) == (12, 36, 12)


# The journal


def test_what_is_read_back_is_what_was_written(tmp_path, photos):
    results = taken(photos, [eye()])
    journal = Journal(tmp_path / "j.jsonl", header(photos))
    for each in results:
        journal.append(each)
    journal.close()
    assert list(results_in(tmp_path / "j.jsonl")) == results
    found = read_header_line(tmp_path / "j.jsonl")
    assert found == header(photos, facts=found.environment)
    assert is_complete(tmp_path / "j.jsonl", found)


def test_half_a_line_at_the_end_is_dropped_and_the_run_goes_on_behind_it(tmp_path, photos):
    path, results = tmp_path / "j.jsonl", taken(photos, [eye()])
    journal = Journal(path, header(photos))
    for each in results[:3]:
        journal.append(each)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    journal = Journal(path, header(photos))
    assert [each.index for each in results_in(path)] == [0, 1]
    for each in taken(photos, [eye()], there={0, 1}):
        journal.append(each)
    journal.close()
    assert [each.name for each in results_in(path)] == [each.name for each in results]


def test_photos_in_any_order_are_read_in_that_of_the_run_and_each_counts_once(tmp_path, photos):
    path, results = tmp_path / "j.jsonl", taken(photos, [eye()])
    with closing(Journal(path, header(photos))) as journal:
        added = [journal.append(results[at]) for at in (7, 2, 11, 2, 0)]
    assert added == [True, True, True, False, True]
    assert list(results_in(path)) == [results[at] for at in (0, 2, 7, 11)]
    assert not is_complete(path, header(photos))
    with closing(Journal(path, header(photos))) as journal:
        assert set(journal.indexes) == {0, 2, 7, 11}
        missing = taken(photos, [eye()], there=journal.indexes)
        assert [each.index for each in missing] == [1, 3, 4, 5, 6, 8, 9, 10]
        assert [journal.append(each) for each in missing] == [True] * 8
    assert [each.index for each in results_in(path)] == list(range(12))
    assert is_complete(path, header(photos))


def test_a_line_that_is_there_twice_counts_once_and_does_not_make_a_journal_complete(tmp_path, photos):
    path, results = tmp_path / "j.jsonl", taken(photos, [eye()])
    with closing(Journal(path, header(photos))) as journal:
        for each in results[:-1]:
            journal.append(each)
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1])
    assert not is_complete(path, header(photos))
    assert [each.index for each in results_in(path)] == list(range(11))


def test_a_journal_from_before_workers_goes_on(tmp_path, photos):
    path, results = tmp_path / "j.jsonl", taken(photos, [eye()])
    old = to_dict(header(photos)) | {"kind": "pixelcost-journal-1"}
    lines = [{k: v for k, v in to_dict(each).items() if k != "worker"} for each in results[:3]]
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in (old, *lines)))
    with closing(Journal(path, header(photos))) as journal:
        assert set(journal.indexes) == {0, 1, 2}
        for each in reversed(results):
            journal.append(each)
    assert list(results_in(path)) == results


@pytest.mark.parametrize(
    "line", [b'{"name":"x"}\n', b'{"index":-1,"name":"x"}\n', b'{"index":99999999,"name":1}\n']
)
def test_a_line_that_is_of_no_photo_is_named_and_not_measured_over(tmp_path, photos, line):
    path = tmp_path / "j.jsonl"
    Journal(path, header(photos)).close()
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(JournalRefused, match=r"Line 2 of .* is damaged"):
        Journal(path, header(photos))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan": replace(PLAN, repeats=2)}, "repeats 1 before, 2 now"),
        ({"plan": replace(PLAN, sizes_px=(32,))}, "sizes_px 32, 24 before, 32 now"),
        ({"infos": (BackendInfo(name="ear", state="ready"),)}, "the backends eye before, ear now"),
        ({"infos": (BackendInfo(name="eye", state="ready", version=2),)}, "eye: version 1 before, 2 now"),
        ({"facts": {"pillow": "1.0"}}, "pillow .* before, 1.0 now"),
    ],
)
def test_a_journal_of_another_run_is_refused_and_says_what_differs(tmp_path, photos, change, words):
    Journal(tmp_path / "j.jsonl", header(photos)).close()
    with pytest.raises(JournalRefused, match=words):
        Journal(tmp_path / "j.jsonl", header(photos, **change))


def test_a_journal_of_other_photos_is_refused(tmp_path, photos):
    Journal(tmp_path / "j.jsonl", header(photos)).close()
    fewer = replace(photos, photos=photos.photos[:5])
    with pytest.raises(JournalRefused, match=r"12 in set before, 5 in set now"):
        Journal(tmp_path / "j.jsonl", header(fewer))


def test_goals_and_what_a_server_that_was_down_did_not_tell_may_change(tmp_path, photos):
    down = (BackendInfo(name="eye", state="down"),)
    Journal(tmp_path / "j.jsonl", header(photos, infos=down)).close()
    Journal(tmp_path / "j.jsonl", header(photos, replace(PLAN, margin_points=2.0, timeout_s=9))).close()


def test_two_runs_can_not_write_one_journal(tmp_path, photos):
    journal = Journal(tmp_path / "j.jsonl", header(photos))
    with pytest.raises(JournalRefused, match="in use by another run"):
        Journal(tmp_path / "j.jsonl", header(photos))
    journal.close()


@pytest.mark.parametrize("content", [b"\xff\xd8 a photo", b'{"kind": "other"}\n', b"text without an end"])
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path, photos, content):
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    with pytest.raises(JournalRefused, match="is not a journal"):
        Journal(path, header(photos))
    assert path.read_bytes() == content


def test_half_a_header_is_begun_anew(tmp_path, photos):
    path = tmp_path / "j.jsonl"
    Journal(path, header(photos)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    Journal(path, header(photos)).close()
    assert json.loads(path.read_bytes())["name"] == "set"


def test_a_damaged_line_is_named(tmp_path, photos):
    path = tmp_path / "j.jsonl"
    Journal(path, header(photos)).close()
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(JournalRefused, match=r"Line 2 of .* is damaged"):
        list(results_in(path))
