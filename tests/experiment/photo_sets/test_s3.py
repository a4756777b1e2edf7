"""Photos in S3: a bucket of a real HTTP server, listed and read through PyArrow."""

from __future__ import annotations

import sys
import threading

import pytest

from experiment.backends.connect import connected
from experiment.cli.main import main
from experiment.engines.choose import engine
from experiment.errors import ImageRefused, PixelcostError
from experiment.images.header import Limits
from experiment.photo_sets import s3
from experiment.photo_sets.listing import open_photo_set
from experiment.photo_sets.places import SetNotHere
from experiment.photo_sets.run import measure_set
from experiment.photo_sets.s3 import S3File
from experiment.photo_sets.spread import spread_set
from experiment.records import BackendInfo, Plan
from tests.support.photo_sets import COLOURS, colour_server, photo
from tests.support.processes.s3_server import s3_server

PLAN = Plan(sizes_px=(32,), formats=("png",), warmups=0, repeats=1, seed=5, timeout_s=20)


@pytest.fixture
def store(monkeypatch):
    """A bucket with 12 photos in folders, and what else lies in buckets."""
    objects = {
        f"sets/pets/{colour}/{number} a+ü.jpg": photo(colour, number)
        for number in range(4)
        for colour in COLOURS
    }
    objects |= {"sets/pets/": b"", "sets/pets/.DS_Store": b"x", "sets/pets/@eaDir/a.jpg": b"x"}
    objects |= {"sets/petsmore/x.jpg": b"x", "sets/other.txt": b"x"}
    with s3_server({"photos": objects}, page=5) as server:
        use(monkeypatch, server.environment())
        yield server
    s3._file_system.cache_clear()


def use(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3._file_system.cache_clear()


def test_a_bucket_is_listed_in_pages_and_its_folders_are_labels(store):
    found = open_photo_set("s3://photos/sets/pets/")
    assert (found.name, len(found.photos)) == ("pets", 12)
    assert {(each.name, each.label) for each in found.photos if each.name.startswith("red/0")} == {
        ("red/0 a+ü.jpg", "red")
    }
    assert store.asked.count("LIST photos") > 2
    assert not any(each.startswith("GET") for each in store.asked)  # listed, not read
    assert found.read(found.photos[0], Limits()) == photo("blue", 0)
    assert len(open_photo_set("S3A://photos/sets/pets").photos) == 12
    assert len(open_photo_set("s3://photos").photos) == 13


def test_a_labels_csv_in_the_bucket_counts(store):
    store.buckets["photos"]["sets/pets/labels.csv"] = "file,label\nred/0 a+ü.jpg,tabby\n".encode()
    found = open_photo_set("s3://photos/sets/pets")
    assert [each.label for each in found.photos if each.label] == ["tabby"]
    assert found.given_labels.rows == 1


def test_workers_read_the_bucket_for_themselves_and_find_what_one_process_does(store):
    photos = open_photo_set("s3://photos/sets/pets")
    store.buckets["photos"]["sets/pets/red/0 a+ü.jpg"] = photo("red", 0)[:200]
    with colour_server() as address:
        infos = (BackendInfo(name="eye", address=address, state="ready", version=3),)
        with connected(infos) as backends:
            alone = list(measure_set(PLAN, photos, backends, threading.Event()))
        args = (engine("local"), 2, PLAN, photos, infos, threading.Event())
        together = sorted(spread_set(*args), key=lambda each: each.index)

    def essence(results):
        return [(each.name, each.sha256, each.refused and each.refused.code) for each in results]

    assert essence(together) == essence(alone)
    assert [each.name for each in together if each.refused] == ["red/0 a+ü.jpg"]


def test_one_object_that_is_too_large_or_gone_is_that_photos_fault(store):
    photos = open_photo_set("s3://photos/sets/pets")
    first = photos.photos[0]
    with pytest.raises(ImageRefused, match="the limit is"):
        photos.read(first, Limits(max_bytes=100))
    with pytest.raises(OSError, match="larger than 100 bytes"):  # grew since the listing
        photos.place.file(first.name).read(100)
    del store.buckets["photos"][f"sets/pets/{first.name}"]
    with pytest.raises(ImageRefused, match="can't be read: it is no longer in the bucket"):
        photos.read(first, Limits())


def test_a_store_that_refuses_or_is_gone_is_not_taken_for_unreadable_photos(store, monkeypatch):
    photos = open_photo_set("s3://photos/sets/pets")
    file = photos.place.file(photos.photos[0].name)
    store.denied.add(f"sets/pets/{photos.photos[0].name}")
    with pytest.raises(SetNotHere, match=r"may not be read with these credentials \(access denied\)"):
        file.read(10_000)
    use(monkeypatch, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(SetNotHere, match=r"http://127\.0\.0\.1:9 does not answer"):
        file.read(10_000)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://nobody/x", "There is no bucket named nobody at http://127"),
        ("s3://photos/none", "There is nothing at s3://photos/none"),
        ("s3://photos/sets/other.txt/", "There is nothing at|holds no photos|can't be read"),
        ("s3:///x", "names no bucket. Write s3://bucket/prefix"),
        ("s3://photos/set.zip", "is a ZIP file, which is read from a disk alone"),
        ("gs://photos/x", "Many other stores speak S3's protocol too: set AWS_ENDPOINT_URL"),
    ],
)
def test_a_wrong_address_is_told_in_words(store, address, words):
    with pytest.raises(PixelcostError, match=words):
        open_photo_set(address)


def test_wrong_credentials_and_a_wrong_endpoint_are_told_in_words(store, monkeypatch):
    use(monkeypatch, {"AWS_ACCESS_KEY_ID": "somebody"})
    with pytest.raises(PixelcostError, match=r"\(invalid access key id\)\. Set AWS_ACCESS_KEY_ID"):
        open_photo_set("s3://photos/sets")
    for wrong in ("ftp://here", "https://", "https://me:secret@minio:9000"):
        use(monkeypatch, {"AWS_ENDPOINT_URL": wrong})
        with pytest.raises(PixelcostError, match="AWS_ENDPOINT_URL must be an address such as") as refused:
            open_photo_set("s3://photos/sets")
        assert "secret" not in refused.value.message


def test_without_pyarrow_the_command_that_installs_it_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["--photos", "s3://photos/sets", "--servers", "A:127.0.0.1:9"]) == 2
    assert "pip install -r requirements/jobs.txt" in capsys.readouterr().err


def test_nothing_else_loads_pyarrow():
    assert "pyarrow" not in s3.__dict__
    assert S3File("photos", "a.jpg").key == "a.jpg"
