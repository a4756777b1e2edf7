"""Models from S3, GCS, web servers and registries: each becomes a numbered version, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from models.remote import receive
from models.remote.__main__ import main
from models.remote.installing import SCRATCH
from tests.support.processes.serving_process import ROOT
from tests.support.small_disk import small_disk
from tests.support.stores_of_models.stores import (
    SAVED_MODEL,
    Between,
    google,
    packed,
    proxy,
    registry,
    sums,
    web,
)

SHARD = "variables/variables.data-00000-of-00001"
OTHER = {**SAVED_MODEL, SHARD: b"other weights" * 1000}
KEY, SECRET = "AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(autouse=True)
def no_waiting_and_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(receive, "FIRST_WAIT_S", 0.0)
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "MODEL_", "DOCKER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with suppress(ImportError):
        import botocore.loaders

        monkeypatch.setattr(botocore.loaders, "create_loader", api_of_s3)


@cache
def api_of_s3(search_path: str | None = None) -> Any:
    """What botocore knows of S3, read once: it takes half a second."""
    from botocore.loaders import Loader

    return Loader()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """host:port of an S3."""
    pytest.importorskip("botocore", reason="moto and botocore are not installed: requirements/dev.txt")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed: requirements/dev.txt")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


class Store:
    """A bucket `models` at moto, behind a proxy."""

    def __init__(self, moto: str, between: Between):
        import botocore.session

        self.between = between
        self._client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=f"http://{moto}",
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        self._client.create_bucket(Bucket="models")

    def put(self, files: dict[str, bytes], prefix: str = "", **more: Any) -> None:
        for name, data in files.items():
            self._client.put_object(Bucket="models", Key=prefix + name, Body=data, **more)


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    urllib.request.urlopen(f"http://{moto}/moto-api/reset", data=b"").close()
    with proxy(moto) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{between.host}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield Store(moto, between)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "models" / "inception"


def held(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def versions(base: Path) -> list[str]:
    """All that a server sees there: versions, and nothing half done."""
    return sorted(path.name for path in base.iterdir() if path.name not in {".lock", ".installed.json"})


def is_resumed(between: Between) -> bool:
    """Whether the rest was asked for, and not all of it again."""
    rest = [re.fullmatch("bytes=([0-9]+)-", asked) for _, asked in between.asked if asked]
    return bool(rest) and all(80_000 < int(match[1]) <= 100_000 for match in rest if match)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- S3 ---


def test_a_folder_of_a_bucket_becomes_a_version_with_the_same_files(bucket, base, capsys):
    bucket.put(SAVED_MODEL, "resnet/")
    bucket.put({"resnet-old/saved_model.pb": b"of another prefix", "resnet/": b""})
    assert main(["s3://models/resnet", "--into", str(base)]) == 0
    assert capsys.readouterr().out == f"model: {base / '1'}\n"
    assert held(base / "1") == SAVED_MODEL
    assert versions(base) == ["1"]


def test_of_numbered_versions_the_newest_is_fetched_under_its_own_number(bucket, base):
    bucket.put(SAVED_MODEL, "resnet/9/")
    bucket.put(OTHER, "resnet/10/")
    assert main(["s3://models/resnet/", "--into", str(base)]) == 0
    assert versions(base) == ["10"]
    assert not [path for path, _ in bucket.between.asked if "/9/" in path]


def test_several_versions_are_fetched_if_they_are_asked_for(bucket, base):
    for number in "123":
        bucket.put(SAVED_MODEL | {"saved_model.pb": number.encode()}, f"resnet/{number}/")
    line = ["s3://models/resnet", "--into", str(base), "--version", "1", "--version", "3"]
    assert main(line) == 0
    assert versions(base) == ["1", "3"]
    assert main([*line, "--version", "4"]) == 3


def test_the_same_model_is_not_fetched_again(bucket, base, capsys):
    bucket.put({"m.tgz": packed(SAVED_MODEL)})
    line = ["s3://models/m.tgz", "--into", str(base)]
    assert main(line) == 0
    bucket.between.asked.clear()
    assert main(line) == 0
    assert capsys.readouterr().out.endswith(f"model: {base / '1'} (was there already)\n")
    assert not [path for path, _ in bucket.between.asked if path.startswith("/models/m")]


def test_another_export_at_the_same_address_becomes_the_next_version(bucket, base):
    for weights in (b"a", b"b", b"c"):
        bucket.put(SAVED_MODEL | {SHARD: weights}, "resnet/")
        assert main(["s3://models/resnet", "--into", str(base)]) == 0
    assert versions(base) == ["2", "3"]
    assert held(base / "3")[SHARD] == b"c"


def test_a_version_that_is_there_with_other_bytes_is_never_changed(bucket, base, capsys):
    bucket.put(SAVED_MODEL, "resnet/7/")
    line = ["s3://models/resnet", "--into", str(base), "--version", "7"]
    assert main(line) == 0
    bucket.put(OTHER, "resnet/7/")
    assert main(line) == 2
    assert "holds another model already" in capsys.readouterr().err
    assert held(base / "7") == SAVED_MODEL


def test_a_connection_that_breaks_is_resumed_at_the_byte_where_it_broke(bucket, base):
    bucket.put(SAVED_MODEL, "resnet/")
    bucket.between.cuts = [100_000, 150_000]
    assert main(["s3://models/resnet", "--into", str(base)]) == 0
    assert held(base / "1") == SAVED_MODEL
    ranges = [asked for path, asked in bucket.between.asked if path.endswith("00001")]
    assert ranges == [None, "bytes=100000-", "bytes=250000-"]


def test_what_a_killed_process_fetched_is_not_asked_for_again(bucket, base):
    bucket.put(SAVED_MODEL, "resnet/")
    bucket.between.cuts = [100_000]
    slow = threading_event_of_second_try(bucket.between)
    process = started("s3://models/resnet", base)
    slow.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert versions(base)[0].startswith(SCRATCH)
    bucket.between.before = lambda path: None
    bucket.between.asked.clear()
    assert main(["s3://models/resnet", "--into", str(base)]) == 0
    assert held(base / "1") == SAVED_MODEL and versions(base) == ["1"]
    gets = [asked for path, asked in bucket.between.asked if path.endswith(("00001", ".pb", ".index"))]
    assert gets == ["bytes=100000-", None], "the rest of one file, and the last file; the first was whole"


def threading_event_of_second_try(between: Between) -> Any:
    """Set when the rest of a file is asked for, which then waits."""
    import threading

    reached, released = threading.Event(), threading.Event()

    def before(path: str) -> None:
        if not between.cuts and path.endswith("00001"):
            reached.set()
            released.wait(5)

    between.before = before
    return reached


def started(address: str, base: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "models.remote", address, "--into", str(base)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_an_object_that_changes_in_the_middle_is_noticed_and_no_mixture_installed(bucket, base, capsys):
    bucket.put(SAVED_MODEL, "resnet/")
    bucket.between.cuts = [100_000]

    def change(path: str) -> None:
        if not bucket.between.cuts:
            bucket.between.before = lambda path: None
            bucket.put(OTHER, "resnet/")

    bucket.between.before = change
    assert main(["s3://models/resnet", "--into", str(base)]) == 3
    assert "changed while it was fetched" in capsys.readouterr().err
    assert "1" not in versions(base)
    assert main(["s3://models/resnet", "--into", str(base)]) == 0
    assert held(base / "1") == OTHER and versions(base) == ["1"]


def test_a_file_that_joins_the_folder_in_the_middle_is_noticed(bucket, base, capsys):
    bucket.put(SAVED_MODEL, "resnet/")

    def add(path: str) -> None:
        if path.endswith("00001"):
            bucket.put({"resnet/assets/labels.txt": b"cat\n"})

    bucket.between.before = add
    assert main(["s3://models/resnet", "--into", str(base)]) == 3
    assert "changed while it was fetched" in capsys.readouterr().err


def test_bytes_that_are_not_those_of_the_stored_checksum_are_refused(bucket, base, capsys, monkeypatch):
    bucket.put(SAVED_MODEL, "resnet/", ChecksumAlgorithm="SHA256")
    append = receive._append

    def flip(source: Any, file: Any, part: Path, offset: int, progress: Any) -> None:
        append(source, file, part, offset, progress)
        part.write_bytes(part.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(receive, "_append", flip)
    assert main(["s3://models/resnet", "--into", str(base)]) == 3
    assert re.search("is damaged and was removed: its sha256 is [0-9a-f]{64}, not", capsys.readouterr().err)
    assert versions(base) == [name for name in versions(base) if name.startswith(SCRATCH)]


def test_no_such_bucket_and_nothing_at_the_prefix_are_said(bucket, base, capsys):
    assert main(["s3://no-such-bucket/resnet", "--into", str(base)]) == 3
    assert "has no bucket no-such-bucket" in capsys.readouterr().err
    assert main(["s3://models/nothing", "--into", str(base)]) == 3
    assert "There is nothing at s3://models/nothing" in capsys.readouterr().err


def checked_from(moto: str, count: bytes) -> None:
    """moto checks the keys of requests after that many."""
    asked = urllib.request.Request(
        f"http://{moto}/moto-api/reset-auth", count, {"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(asked).close()


def test_a_wrong_key_is_said_without_the_key(moto, bucket, base, capsys):
    bucket.put(SAVED_MODEL, "resnet/")
    checked_from(moto, b"0")
    try:
        assert main(["s3://models/resnet", "--into", str(base)]) == 3
    finally:
        checked_from(moto, b"inf")
    told = capsys.readouterr()
    assert re.search(r"may not be read \((InvalidAccessKeyId|AccessDenied)\)", told.err), told.err
    assert SECRET not in told.out + told.err and KEY not in told.out + told.err


def test_without_any_key_the_way_to_give_one_is_said(bucket, base, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["s3://models/resnet", "--into", str(base)]) == 3
    assert "There are no credentials" in capsys.readouterr().err
    bucket.put(SAVED_MODEL, "resnet/", ACL="public-read")
    assert main(["s3://models/resnet", "--into", str(base), "--anonymous"]) == 0


def test_two_at_once_install_one_version_and_fetch_it_once(bucket, base):
    bucket.put(SAVED_MODEL, "resnet/")
    both = [started("s3://models/resnet", base) for _ in range(2)]
    texts = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert sorted("was there already" in text for text in texts) == [False, True]
    assert len([path for path, _ in bucket.between.asked if path.endswith("00001")]) == 1
    assert versions(base) == ["1"]


# --- web servers ---


def test_an_archive_of_a_web_server_is_checked_and_unpacked(base):
    archive = packed({f"export/{name}": data for name, data in SAVED_MODEL.items()})
    with web({"m.tar.gz": archive}) as url:
        line = [f"{url}m.tar.gz", "--into", str(base), "--version", "4"]
        assert main([*line, "--sha256", digest(archive)]) == 0
    assert held(base / "4") == SAVED_MODEL
    assert main([*line, "--sha256", digest(archive)]) == 0, "offline, but what is wanted is there"


def test_another_archive_than_the_checksum_says_is_refused(base, capsys):
    with web({"m.tar.gz": packed(OTHER)}) as url:
        wrong = digest(packed(SAVED_MODEL))
        assert main([f"{url}m.tar.gz", "--into", str(base), "--sha256", wrong]) == 3
    assert wrong in capsys.readouterr().err
    assert not [name for name in versions(base) if name.isdigit()]


def test_a_folder_of_a_web_server_is_what_its_list_says(base):
    files = SAVED_MODEL | {"SHA256SUMS": sums(SAVED_MODEL)}
    with web({f"m/{name}": data for name, data in files.items()}) as url:
        line = [f"{url}m/", "--into", str(base), "--sha256", digest(files["SHA256SUMS"])]
        assert main(line) == 0
    assert held(base / "1") == SAVED_MODEL


def test_a_server_that_cuts_connections_is_resumed_by_ranges(base):
    archive = packed(SAVED_MODEL, "w")
    with web({"m.tar": archive}) as url, proxy(url.split("/")[2]) as between:
        between.cuts = [100_000, 100_000]
        # the first answer is to the question how large the file is, and is not read
        assert main([f"http://{between.host}/m.tar", "--into", str(base)]) == 0
        assert is_resumed(between)
    assert held(base / "1") == SAVED_MODEL


def test_a_server_without_etags_starts_over_since_the_rest_might_be_another_files(base):
    with web({"m.tar": packed(SAVED_MODEL, "w")}, etags=False) as url, proxy(url.split("/")[2]) as between:
        between.cuts = [100_000, 100_000]
        assert main([f"http://{between.host}/m.tar", "--into", str(base)]) == 0
        assert {asked for _, asked in between.asked} == {None}
    assert held(base / "1") == SAVED_MODEL


def test_a_token_is_sent_and_a_wrong_one_is_said_without_it(base, capsys, monkeypatch):
    with web({"m.tar": packed(SAVED_MODEL)}, token="Bearer right") as url:
        monkeypatch.setenv("MODEL_AUTHORIZATION", "Bearer hunter2-wrong")
        assert main([f"{url}m.tar?signature=abcdef", "--into", str(base)]) == 3
        told = capsys.readouterr()
        assert "may not be read (401" in told.err and "MODEL_AUTHORIZATION" in told.err
        assert not re.search("hunter2|abcdef", told.out + told.err)
        monkeypatch.setenv("MODEL_AUTHORIZATION", "Bearer right")
        assert main([f"{url}m.tar", "--into", str(base)]) == 0


@pytest.mark.parametrize(
    "scheme", ["http://user:hunter2@{}/m.tar?sig=abcdef", "oci://{}/team/model:1", "s3://m/x"]
)
def test_offline_the_store_and_the_reason_are_said_and_no_secret(base, capsys, monkeypatch, scheme):
    pytest.importorskip("botocore")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert main([scheme.format("127.0.0.1:1"), "--into", str(base)]) == 3
    told = capsys.readouterr()
    assert "127.0.0.1:1" in told.err and "times in a row" in told.err
    assert not re.search(f"hunter2|abcdef|{re.escape(SECRET)}|Traceback", told.out + told.err)


# --- what is refused ---


def tar_with(name: str, kind: bytes = b"0", target: str = "") -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member, io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (packed({"../../evil": b"x", **SAVED_MODEL}), "leads elsewhere"),
        (packed({"/etc/evil": b"x"}), "leads elsewhere"),
        (tar_with("saved_model.pb", b"2", "/etc/passwd"), "is a link or a device"),
        (tar_with("saved_model.pb", b"1", "/etc/passwd"), "is a link or a device"),
        (tar_with("pipe", b"6"), "is a link or a device"),
        (packed(SAVED_MODEL)[:-200], "can't be unpacked"),
        (packed({SHARD: b"x"}), "half a SavedModel: variables/ is there, saved_model.pb is missing"),
        (packed({"saved_model.pb": b"x", "variables/variables.index": b""}), "0 of 1 files"),
        (packed({"readme.md": b"hello"}), "no model"),
        (b"<html>log in</html>", "web page"),
    ],
    ids=["..", "absolute", "symlink", "hardlink", "pipe", "cut", "no graph", "no shard", "no model", "page"],
)
def test_what_is_no_whole_model_is_refused_and_nothing_installed(base, capsys, archive, words):
    with web({"m.tar": archive}) as url:
        assert main([f"{url}m.tar", "--into", str(base)]) in {2, 3}
    told = capsys.readouterr().err
    assert re.search(words, told, re.IGNORECASE), told
    assert "Traceback" not in told and SCRATCH not in told
    assert not [name for name in versions(base) if name.isdigit()]
    assert not list(base.parent.parent.rglob("evil"))


@pytest.mark.parametrize("fault", ["other bytes", "missing", "unlisted"])
def test_a_folder_that_differs_from_its_list_is_refused(bucket, base, capsys, fault):
    files = SAVED_MODEL | {"SHA256SUMS": sums(SAVED_MODEL)}
    if fault == "other bytes":
        files[SHARD] = b"others"
    elif fault == "missing":
        files["SHA256SUMS"] += b"0" * 64 + b"  assets/labels.txt\n"
    else:
        files["assets/more.txt"] = b"more"
    bucket.put(files, "resnet/")
    assert main(["s3://models/resnet", "--into", str(base)]) == 3
    assert "Nothing was installed" in capsys.readouterr().err
    assert not [name for name in versions(base) if name.isdigit()]


def test_a_full_disk_is_said_and_not_left_full(tmp_path, capsys):
    big = SAVED_MODEL | {SHARD: os.urandom(3_000_000)}
    with small_disk(tmp_path / "volume", 4_000_000) as disk, web({"m.tar": packed(big)}) as url:
        assert main([f"{url}m.tar", "--into", str(disk)]) == 3, "room for the archive, not for what is in it"
        told = capsys.readouterr().err
        assert "does not fit into" in told and "an archive needs its own size" in told
        assert shutil.disk_usage(disk).free > 3_500_000
    with small_disk(tmp_path / "tiny", 1_000_000) as disk, web({"m.tar": packed(big)}) as url:
        assert main([f"{url}m.tar", "--into", str(disk)]) == 3
        assert re.search(r"the model has 3\.\d MB, and [01]\.\d MB are free", capsys.readouterr().err)


@pytest.mark.parametrize(
    "line", [["ftp://x/m"], ["m.tar"], ["s3:///m"], ["oci://x"], ["http://"], ["s3://m/x", "--version", "0"]]
)
def test_what_is_no_address_ends_with_one_sentence(base, capsys, line):
    try:
        code = main([*line, "--into", str(base)])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err


# --- Google ---


def test_a_folder_of_google_cloud_storage_becomes_a_version(base, monkeypatch):
    objects = {f"resnet/{name}": data for name, data in SAVED_MODEL.items()}
    with google(objects) as url, proxy(url.split("/")[2]) as between:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{between.host}")
        between.cuts = [100_000]
        assert main(["gs://models/resnet", "--into", str(base), "--anonymous"]) == 0
        assert is_resumed(between)
        assert held(base / "1") == SAVED_MODEL
        objects[f"resnet/{SHARD}"] = b"weights of the next training"
        assert main(["gs://models/resnet", "--into", str(base), "--anonymous"]) == 0
        assert versions(base) == ["1", "2"]
        assert main(["gs://no-such/resnet", "--into", str(base), "--anonymous"]) == 3


def test_without_google_credentials_the_way_to_give_them_is_said(base, capsys, monkeypatch):
    pytest.importorskip("google.auth")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
    assert main(["gs://models/resnet", "--into", str(base)]) == 3
    assert "GOOGLE_APPLICATION_CREDENTIALS" in capsys.readouterr().err


# --- registries ---


def log_in(folder: Path, host: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker login` leaves it."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"user:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_an_artifact_is_fetched_with_the_login_of_docker_and_not_without(base, tmp_path, capsys, monkeypatch):
    with registry(password="hunter2") as images:
        images.add("v3", ("export.tar.gz", packed({f"3/{name}": data for name, data in SAVED_MODEL.items()})))
        line = [f"oci://{images.host}/team/resnet:v3", "--into", str(base)]
        assert main(line) == 3
        assert "may not be read (401" in capsys.readouterr().err
        log_in(tmp_path / "wrong", images.host, "wrong", monkeypatch)
        assert main(line) == 3
        log_in(tmp_path / "right", images.host, "hunter2", monkeypatch)
        assert main(line) == 0
        told = capsys.readouterr()
        assert "hunter2" not in told.out + told.err
    assert held(base / "3") == SAVED_MODEL


def test_of_an_image_only_the_models_folder_counts_and_later_layers_win(base):
    lower = {"etc/passwd": b"root", "model/1/old.txt": b"x", "model/1/saved_model.pb": b"an older graph"}
    upper = {"model/1/.wh.old.txt": b"", **{f"model/1/{name}": data for name, data in SAVED_MODEL.items()}}
    with registry() as images:
        digest = images.add("1", ("", packed(lower)), ("", packed(upper)), is_image=True)
        index = {"mediaType": "application/vnd.oci.image.index.v1+json"}
        rows = [{"digest": "sha256:" + "0" * 64, "platform": {"architecture": "unknown"}}]
        rows += [{"digest": digest, "platform": {"architecture": "amd64"}}]
        images.put("multi", {**index, "manifests": rows})
        assert main([f"oci://{images.host}/model:multi", "--into", str(base)]) == 0
    assert held(base / "1") == SAVED_MODEL


def test_a_layer_is_resumed_and_one_with_other_bytes_than_its_digest_refused(base, capsys):
    with registry() as images, proxy("127.0.0.1:0") as _:
        archive = packed(SAVED_MODEL, "w")
        pinned = images.add("1", ("m.tar", archive))
        with proxy(images.host) as between:
            between.cuts = [100_000]
            address = f"oci://{between.host}/model@{pinned}"
            assert main([address, "--into", str(base)]) == 0
            assert is_resumed(between)
            images.blobs[f"sha256:{digest(archive)}"] = packed(OTHER, "w").ljust(len(archive), b"\0")
            assert main([address, "--into", str(base / "again")]) == 3
    assert "is damaged and was removed" in capsys.readouterr().err
    assert held(base / "1") == SAVED_MODEL


def test_another_manifest_than_the_digest_says_is_refused(base, capsys):
    with registry() as images:
        pinned = images.add("1", ("m.tar", packed(SAVED_MODEL)))
        images.manifests[pinned] = images.manifests[pinned] + b" "
        assert main([f"oci://{images.host}/model@{pinned}", "--into", str(base)]) == 3
    assert "another manifest" in capsys.readouterr().err


REAL_REGISTRY = shutil.which("docker-registry") or shutil.which("registry", path="/usr/bin")


@pytest.mark.skipif(not REAL_REGISTRY, reason="no registry: apt-get install docker-registry")
def test_a_real_registry_gives_what_was_pushed_to_it(base, tmp_path):
    from tests.support.processes.app_process import free_port

    port = free_port()
    config = tmp_path / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([str(REAL_REGISTRY), "serve", str(config)], stdout=log, stderr=log)
    try:
        pinned = push(f"http://127.0.0.1:{port}", packed(SAVED_MODEL))
        assert main([f"oci://127.0.0.1:{port}/team/model:1", "--into", str(base)]) == 0
        assert main([f"oci://127.0.0.1:{port}/team/model@{pinned}", "--into", str(base / "again")]) == 0
    finally:
        process.terminate()
        process.wait(20)
    assert held(base / "1") == SAVED_MODEL


def push(url: str, archive: bytes) -> str:
    """An artifact `team/model:1` with one layer, as oras pushes it; returns its digest."""
    import requests

    deadline = time.monotonic() + 20
    while True:
        try:
            assert requests.get(f"{url}/v2/", timeout=5).status_code == 200
            break
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with registry() as images:
        pinned = images.add("1", ("export.tar.gz", archive))
        for digest_, data in images.blobs.items():
            begun = requests.post(f"{url}/v2/team/model/blobs/uploads/", timeout=10)
            place = begun.headers["Location"]
            place += ("&" if "?" in place else "?") + f"digest={digest_}"
            requests.put(place, data=data, timeout=10).raise_for_status()
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        done = requests.put(
            f"{url}/v2/team/model/manifests/1", images.manifests["1"], headers=kind, timeout=10
        )
        done.raise_for_status()
    return pinned


@pytest.mark.parametrize(
    "address",
    [
        "http://user:hunt/er2@localhost:1/m.tar",
        "http://user:hunt?er2@localhost:1/m.tar",
        "http://user:hunt#er2@localhost:1/m.tar",
        "http://user:hunter2@localhost:99999/m.tar",
        "http://user:hunter2@[bad/m.tar",
    ],
)
def test_an_address_whose_server_cannot_be_read_is_refused_in_a_sentence_without_its_password(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([address, "--into", str(tmp_path / "into")]) == 2
    told = capsys.readouterr()
    assert "can't be read" in told.err
    assert "%2F" in told.err
    assert not re.search("hunt|er2|Traceback", told.out + told.err)


def test_a_password_of_one_letter_does_not_hide_that_letter_in_the_words_of_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "oci://user:a@localhost:1/team/model:1"
    assert main([address, "--into", str(tmp_path / "into")]) == 2
    told = capsys.readouterr()
    assert "An address in a registry is" in told.err
