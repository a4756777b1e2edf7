"""Downloading a file: from a real web server on this machine, good and bad ones."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.catalogue.download import Checksum, Limits, download
from models.problems import FetchFailed
from tests.support.processes.serving_process import ROOT
from tests.support.stores_of_models.weights_server import (
    WeightsServer,
    cut_after,
    instead,
    of_unknown_length,
    redirected,
    silent,
    stalled_after,
    with_status,
    without_ranges,
)

DATA = random.Random(1).randbytes(300_000)
SHA256 = Checksum(hashlib.sha256(DATA).hexdigest())
MD5 = Checksum(hashlib.md5(DATA).hexdigest())
USUAL = Limits()
QUICK = Limits(first_byte_s=0.3, stall_s=0.3)


class Heard:
    """A Reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.last: tuple[int, int | None] | None = None

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        self.last = done_bytes, total_bytes


def server(*script: Callable[..., None]) -> WeightsServer:
    return WeightsServer({"weights.h5": DATA}, *script)


def fetch(
    web: WeightsServer, target: Path, checksum: Checksum | None = SHA256, limits: Limits = USUAL
) -> Heard:
    heard = Heard()
    download(web.url + "weights.h5", target, checksum, limits, heard)
    return heard


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "cache" / "weights.h5"


@pytest.fixture
def part(target) -> Path:
    target.parent.mkdir()
    return target.with_name("weights.h5.part")


@pytest.mark.parametrize("checksum", [SHA256, MD5, None], ids=["sha256", "md5", "none"])
def test_a_file_arrives_whole_and_nothing_else_stays(target, checksum):
    with server() as web:
        heard = fetch(web, target, checksum)
    assert target.read_bytes() == DATA
    assert heard.last == (len(DATA), len(DATA))
    assert [path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")] == [
        "weights.h5"
    ]


def test_a_file_that_is_there_is_not_asked_for_again(target):
    with server() as web:
        fetch(web, target)
        fetch(web, target)
        assert len(web.ranges) == 1


def test_a_damaged_file_is_replaced_and_that_is_said(target, part):
    target.write_bytes(b"something else")
    with server() as web:
        heard = fetch(web, target)
    assert target.read_bytes() == DATA
    assert "is damaged" in heard.said[0]


def test_it_goes_on_where_it_stopped(target, part):
    part.write_bytes(DATA[:100_000])
    with server() as web:
        fetch(web, target)
        assert web.ranges == ["bytes=100000-"]
    assert target.read_bytes() == DATA


def test_a_server_without_ranges_sends_all_of_it_again(target, part):
    part.write_bytes(DATA[:100_000])
    with server(without_ranges) as web:
        fetch(web, target)
    assert target.read_bytes() == DATA


def test_after_a_connection_that_broke_the_next_download_goes_on(target, part):
    with server(cut_after(100_000)) as web:
        with pytest.raises(FetchFailed, match=f"The connection to {web.host} broke: "):
            fetch(web, target)
        have = part.stat().st_size
        assert 80_000 < have <= 100_000
        assert DATA.startswith(part.read_bytes())
        assert not target.exists()
        fetch(web, target)
        assert web.ranges == [None, f"bytes={have}-"]
    assert target.read_bytes() == DATA


def test_without_a_checksum_it_starts_over_because_the_rest_may_be_another_files(target, part):
    part.write_bytes(b"x" * 1000)
    with server() as web:
        fetch(web, target, None)
        assert web.ranges == [None]
    assert target.read_bytes() == DATA


def test_a_part_that_is_whole_already_only_gets_its_name(target, part):
    part.write_bytes(DATA)
    with server() as web:
        fetch(web, target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("old", [b"x" * 1000, b"x" * 300_000, b"x" * 300_001], ids=["short", "equal", "long"])
def test_a_part_of_another_file_is_removed_and_the_next_download_starts_over(target, part, old):
    part.write_bytes(old)
    with server() as web:
        with pytest.raises(FetchFailed, match="is damaged and was removed"):
            fetch(web, target)
        assert not part.exists()
        assert not target.exists()
        fetch(web, target)
    assert target.read_bytes() == DATA


def test_a_wrong_file_is_removed_and_both_checksums_are_said(target, part):
    with server(instead(b"wrong" * 1000)) as web, pytest.raises(FetchFailed) as failed:
        fetch(web, target)
    assert not part.exists()
    assert not target.exists()
    assert str(SHA256) in str(failed.value)
    assert hashlib.sha256(b"wrong" * 1000).hexdigest() in str(failed.value)


def test_the_checksum_that_google_tells_is_used_where_none_is_published(target):
    told = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    with server(instead(b"wrong")) as web:
        web.headers["x-goog-hash"] = f"crc32c=AAAAAA==, md5={told}"
        with pytest.raises(FetchFailed, match=f"not md5 {MD5.digits}"):
            fetch(web, target, None)
        fetch(web, target, None)
    assert target.read_bytes() == DATA


def test_a_redirect_is_followed(target):
    with server(redirected) as web:
        fetch(web, target)
    assert target.read_bytes() == DATA


def test_a_file_of_unknown_length_arrives(target):
    with server(of_unknown_length) as web:
        heard = fetch(web, target)
    assert heard.last == (len(DATA), None)
    assert target.read_bytes() == DATA


def test_a_server_that_never_answers_is_given_up_in_time(target):
    with server(silent) as web, pytest.raises(FetchFailed) as failed:
        fetch(web, target, limits=QUICK)
    assert str(failed.value) == f"{web.host} did not answer within 0.3 s."


def test_a_server_that_falls_silent_is_given_up_and_the_part_stays(target, part):
    with server(stalled_after(100_000)) as web, pytest.raises(FetchFailed) as failed:
        fetch(web, target, limits=QUICK)
    assert str(failed.value) == f"{web.host} sent nothing for 0.3 s."
    assert 80_000 < part.stat().st_size <= 100_000


def test_the_whole_may_be_given_a_time_limit(target):
    with server(stalled_after(100_000)) as web, pytest.raises(FetchFailed, match=r"took longer than 0\.2 s"):
        fetch(web, target, limits=Limits(total_s=0.2))


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "The server has no file"), (403, "403 Forbidden"), (416, "416"), (503, "503"), (204, "204")],
)
def test_a_refusal_is_passed_on(target, status, words):
    with server(with_status(status)) as web, pytest.raises(FetchFailed, match=words):
        fetch(web, target)


def test_a_server_that_is_not_there_is_said_with_the_reason(target):
    with server() as web:
        pass
    with pytest.raises(FetchFailed) as failed:
        fetch(web, target)
    assert str(failed.value) == f"{web.host} can't be reached: Connection refused."


def test_a_host_without_an_address_is_said(target):
    with pytest.raises(FetchFailed, match=r"no-such-host\.invalid can't be reached: "):
        download("http://no-such-host.invalid/x", target, None, Limits(), Heard())


def test_a_name_server_that_hangs_costs_no_more_than_the_limit(target, monkeypatch):
    with server() as web:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: web.released.wait())
        with pytest.raises(FetchFailed, match=r"did not answer within 0\.3 s"):
            fetch(web, target, limits=QUICK)


def test_a_disk_that_is_full_is_said(target, part):
    part.symlink_to("/dev/full")
    with server() as web, pytest.raises(FetchFailed, match=r"does not fit into .*No space left on device"):
        fetch(web, target)


TWO_AT_ONCE = """
import sys
from pathlib import Path
from models.catalogue.download import Checksum
from models.catalogue.download import Limits, download
class Heard:
    def say(self, text): print(text)
    def progress(self, *numbers): pass
url, target, digits = sys.argv[1:]
download(url, Path(target), Checksum(digits), Limits(), Heard())
"""


def test_two_processes_at_once_download_it_once(target):
    with server() as web:
        command = [sys.executable, "-c", TWO_AT_ONCE, web.url + "weights.h5", str(target), SHA256.digits]
        both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
        assert [process.wait(60) for process in both] == [0, 0]
        assert len(web.ranges) == 1
    assert target.read_bytes() == DATA
