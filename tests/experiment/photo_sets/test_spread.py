"""A set measured by several processes: the same report as one's, whatever dies on the way."""

from __future__ import annotations

import json
import os
import pickle
import platform
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bench.photo_sets import make_set, study
from experiment.backends.connect import connected
from experiment.engines.base import EngineFailed
from experiment.engines.choose import engine
from experiment.errors import PixelcostError
from experiment.export.report_json import report_dict, report_json
from experiment.images.header import Limits
from experiment.labels import Vocabulary
from experiment.photo_sets import places, spread
from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.journal import Journal, header_of, results_in
from experiment.photo_sets.listing import ListedPhoto, PhotoSet, open_photo_set
from experiment.photo_sets.photo_result import Beats, PhotoResult
from experiment.photo_sets.places import FileOnDisk, SetNotHere
from experiment.photo_sets.run import measure_set
from experiment.photo_sets.spread import Handed, Task, spread_set
from experiment.photo_sets.summarise import summarise_set
from experiment.records import BackendInfo, Plan
from tests.support.photo_sets import COLOURS, blind_when_small, colour_server, photo, write_folders, zipped

PLAN = Plan(sizes_px=(32, 24), formats=("png",), warmups=1, repeats=1, seed=5, timeout_s=20)
FACTS = {"app_version": "1", "load_1m": 0.5}
# In which the report of several workers may differ from that of one process, beside times and warm-ups.
# docs/accuracy.md has the same list.
OWN_FACTS = {"engine", "workers", "worker_hosts"}
OWN_WARNINGS = {"W19"}
OWN_WORDS = {"Photos", "This run"}  # of "method"


def infos(address: str) -> tuple[BackendInfo, ...]:
    return (BackendInfo(name="eye", address=address, state="ready", version=3),)


def timeless(result: PhotoResult) -> PhotoResult:
    """Without times, who measured it, and warm-ups: each worker has its own."""
    counted = [
        replace(
            each,
            latency_ms=5.0,
            started_at=0.0,
            late_ms=0.0,
            prediction=replace(each.prediction, server_ms={}),
        )
        for each in result.measurements
        if not each.is_warmup
    ]
    variants = [
        replace(each, decode_ms=1.0, resize_ms=each.resize_ms and 1.0, encode_ms=each.encode_ms and 1.0)
        for each in result.variants
    ]
    return replace(
        result,
        decode_ms=result.decode_ms and 1.0,
        variants=tuple(variants),
        measurements=tuple(sorted(counted, key=lambda each: (each.variant_id, each.backend_name))),
        beats=Beats(10, 0, 1.0),
    )


def report_of(path, photos, results, address) -> dict[str, Any]:
    """As the command makes it: through a journal, in whatever order the results came."""
    header = header_of("run", 0.0, photos, PLAN, infos(address), FACTS, {})
    with closing(Journal(path, header)) as journal:
        for each in results:
            journal.append(timeless(each))
    counts = SetCounts({"eye": Vocabulary(COLOURS)})
    for each in results_in(path):
        counts.add(each)
    return report_dict(summarise_set(header, counts, "done"))


def test_the_report_is_that_of_one_process_to_the_byte_apart_from_a_short_list(tmp_path):
    folder = write_folders(tmp_path / "set", 24)
    (folder / "red" / "broken.jpg").write_bytes(photo("red", 0)[:300])
    photos = open_photo_set(zipped(folder, tmp_path / "set.zip"))
    with colour_server(blind_when_small) as address:
        with connected(infos(address)) as backends:
            alone = list(measure_set(PLAN, photos, backends, threading.Event()))
        args = (engine("local"), 2, PLAN, photos, infos(address), threading.Event())
        spread_out = list(spread_set(*args))
    warm_ups = Counter(each.worker.pid for each in spread_out for one in each.measurements if one.is_warmup)
    assert os.getpid() not in warm_ups
    assert set(warm_ups.values()) == {3}  # one for each variant: a worker warms up once, not for each photo
    assert all(each.beats.count for each in spread_out if not each.refused)
    one = report_of(tmp_path / "one", photos, alone, address)
    several = report_of(tmp_path / "several", photos, sorted(spread_out, key=lambda each: each.name), address)
    assert {key: several["environment"].pop(key) for key in OWN_FACTS} == {
        "engine": "local",
        "workers": 2,
        "worker_hosts": [platform.node()],
    }
    own = [each for each in several["warnings"] if each["code"] in OWN_WARNINGS]
    assert "while up to 2 workers asked the same backends at once (local)" in own[0]["message"]
    several["warnings"] = [each for each in several["warnings"] if each not in own]
    words = {each["term"]: each["text"] for each in several["method"]}
    assert "one after another by each of 2 workers in random order" in words["Photos"]
    assert "one request of each worker at a time" in words["This run"]
    for report in (one, several):
        report["method"] = [each for each in report["method"] if each["term"] not in OWN_WORDS]
    assert report_json(several) == report_json(one)
    assert several["photo_set"]["measured"] == 24
    assert [each["name"] for each in several["photo_set"]["skipped"]] == ["red/broken.jpg"]


def test_every_photo_counts_once_when_the_command_and_workers_are_killed_at_random(tmp_path):
    photos = make_set(tmp_path / "set", 200)
    found = study(photos, 200, workers=2, kills=3, seed=1, folder=tmp_path)
    assert list(found.problems()) == []
    assert found.kills == 3


@dataclass(frozen=True)
class Poison:
    """A file that kills whoever reads it, as a photo does that needs too much memory."""

    def read(self, max_bytes: int) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""


@dataclass(frozen=True)
class Poisoned:
    """A folder in which some names are poison."""

    root: str
    poison: frozenset[str]
    name: str = "set"

    def sizes(self) -> Mapping[str, int]:
        return {}

    def file(self, name: str) -> FileOnDisk | Poison:
        return Poison() if name in self.poison else FileOnDisk(self.root, name)


def test_a_photo_that_kills_its_worker_is_named_and_costs_itself_only(tmp_path):
    photos = open_photo_set(write_folders(tmp_path / "set", 9))
    photos = replace(photos, place=Poisoned(str(tmp_path / "set"), frozenset({"green/0004.jpg"})))
    with colour_server() as address:
        results = list(spread_set(engine("local"), 2, PLAN, photos, infos(address), threading.Event()))
    assert not any(each.data for each in results), "a few thousand bytes come back, not pictures"
    assert len(results) == 9
    assert {each.name: each.refused.message for each in results if each.refused} == {
        "green/0004.jpg": "green/0004.jpg was given up: 3 processes died, one after the other, while "
        "they measured it. It may need more memory than a worker has, or somebody else ended the workers."
    }


class Inline:
    """A stand-in for an engine: runs tasks here, and does what the test wants with each."""

    name = "ray"

    def __init__(self, before=lambda item: None):
        self._before = before

    def spread(self, task, items, workers, stop):
        for item in items:
            if stop.is_set():
                return
            self._before(item)
            there, sent = pickle.loads(pickle.dumps((task, item)))
            yield there(sent)


def spread_inline(stand_in, folder, address, **more) -> list[PhotoResult]:
    photos = open_photo_set(folder)
    args = (stand_in, 3, PLAN, photos, infos(address), more.pop("cancel", threading.Event()))
    return list(spread_set(*args, **more))


def test_an_engine_that_gives_up_ends_the_run_and_what_it_did_is_there(tmp_path):
    def fail_at_the_third(item):
        if item.index == 2:
            raise EngineFailed("Ray's head does not answer.")

    photos = open_photo_set(write_folders(tmp_path / "set", 6))
    with colour_server() as address:
        args = (Inline(fail_at_the_third), 3, PLAN, photos, infos(address), threading.Event())
        results = spread_set(*args)
        assert [next(results).index, next(results).index] == [0, 1]
        with pytest.raises(EngineFailed, match="Ray's head does not answer"):
            next(results)


def test_photos_that_are_there_are_not_handed_out(tmp_path):
    seen = []
    with colour_server() as address:
        folder = write_folders(tmp_path / "set", 5)
        spread_inline(Inline(lambda item: seen.append(item.index)), folder, address, there={0, 2, 3})
    assert seen == [1, 4]


def test_a_stop_hands_out_no_more_photos(tmp_path):
    cancel = threading.Event()
    with colour_server() as address:
        stand_in = Inline(lambda item: item.index == 1 and cancel.set())
        results = spread_inline(stand_in, write_folders(tmp_path / "set", 5), address, cancel=cancel)
    assert [each.index for each in results] == [0, 1]


def test_a_worker_without_any_backend_ends_the_run_and_no_photo_is_spoilt(tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.measure.lane.PATIENCE_S", 0.0)
    results = spread_inline(Inline(), write_folders(tmp_path / "set", 5), "127.0.0.1:9")
    assert [each.index for each in results] == [0]


def task_on(**other: Any) -> Task:
    values = {
        "spread_id": "one",
        "plan": PLAN,
        "backends": infos("127.0.0.1:9"),
        "limits": Limits(),
        "engine": "ray",
        "workers": 2,
        "host": platform.node(),
        "versions": spread._versions(),
    }
    return Task(**values | other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            {"host": "laptop"},
            r"eye is at 127\.0\.0\.1:9, which means another machine for the worker on .+ laptop",
        ),
        (
            {"versions": {**spread._versions(), "pillow": "1.0"}},
            r"would make other variants than .+: it has pillow .+ and not 1\.0\. Install the same version",
        ),
    ],
)
def test_a_machine_that_would_measure_something_else_is_refused(tmp_path, other, words):
    handed = Handed(0, ListedPhoto("a.jpg", 9, None), FileOnDisk(str(tmp_path), "a.jpg"))
    with pytest.raises(PixelcostError, match=words):
        task_on(**other)(handed)


def test_a_set_that_a_machine_does_not_have_is_no_set_of_unreadable_photos(tmp_path):
    photos = open_photo_set(write_folders(tmp_path / "set", 3))
    handed = Handed(0, photos.photos[0], photos.place.file(photos.photos[0].name))
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    with pytest.raises(SetNotHere, match=r"set is not on .+ s3://bucket/prefix"):
        task_on()(handed)
    (tmp_path / "set").mkdir()
    assert task_on()(handed).refused.code == "unreadable"


def test_a_file_of_a_large_zip_takes_no_list_with_it(tmp_path):
    photos: PhotoSet = open_photo_set(zipped(write_folders(tmp_path / "set", 300), tmp_path / "s.zip"))
    sent = pickle.dumps(photos.place.file(photos.photos[7].name))
    assert len(sent) < 1500
    (tmp_path / "set" / photos.photos[7].name).read_bytes()
    assert pickle.loads(sent).read(10_000) == (tmp_path / "set" / photos.photos[7].name).read_bytes()
    (tmp_path / "s.zip").unlink()
    places._opened.cache_clear()
    with pytest.raises(SetNotHere, match=r"The ZIP file .+ is not on"):
        pickle.loads(sent).read(10_000)


def test_the_journal_says_who_measured_each_photo(tmp_path):
    with colour_server() as address:
        (result,) = spread_inline(Inline(), write_folders(tmp_path / "set", 1), address)
    photos = open_photo_set(tmp_path / "set")
    with closing(
        Journal(tmp_path / "j", header_of("run", 0.0, photos, PLAN, infos(address), FACTS, {}))
    ) as j:
        j.append(result)
    line = json.loads((tmp_path / "j").read_bytes().splitlines()[1])
    assert line["worker"] == {
        "engine": "ray",
        "workers": 3,
        "host": platform.node(),
        "pid": os.getpid(),
    }
