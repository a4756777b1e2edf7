"""From an address to numbered versions in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models.install import KEPT_VERSIONS, content_hash, move_in, remove_old, versions_in
from models.placing import Placed, alone_in
from models.problems import FetchFailed, ModelProblem
from models.remote.receive import FULL, Say, patiently, receive
from models.remote.source import Changed, RemoteFile, Source
from models.remote.sums import SUMS, check_sums, sum_of
from models.remote.unpack import is_archive, unpack, unpack_layer
from models.remote.whole import refuse_half_a_model, settle

SCRATCH = ".fetching-"  # no number, so that no server takes it for a version
RECORD = ".installed.json"  # where each version came from, so that it is not fetched twice


@dataclass(frozen=True)
class Wanted:
    """Which versions, checked by what, and how many stay."""

    versions: Sequence[int] = ()  # empty: the newest of the source, or the next number
    sha256: str = ""  # of the archive or file; of a folder's SHA256SUMS
    kept: int | None = None  # None: KEPT_VERSIONS, and all of them if `versions` are given


def install_from(source: Source, base: Path, wanted: Wanted, say: Say) -> Sequence[Placed]:
    """Make sure that `base` holds the wanted versions of the model. Raises ModelProblem and OSError."""
    base.mkdir(parents=True, exist_ok=True)
    with alone_in(base, lambda: say(f"Another process is installing into {base}: waiting for it.")):
        known = _Record(base)
        if there := known.versions("sha256", wanted.sha256, wanted.versions):
            return there  # also while the store is down
        files = _chosen(patiently(source, say), wanted.versions, source.shown)
        fingerprint = _fingerprint(source, files)
        if not wanted.sha256 and (there := known.versions("fingerprint", fingerprint, wanted.versions)):
            return there
        scratch = base / f"{SCRATCH}{(fingerprint or 'x')[:16]}"
        _clear_others(base, scratch)
        with _room(scratch, source.shown):
            placed = _fetched(source, files, scratch, base, wanted, say)
        for one in placed:
            known.add(one.directory, source.shown, fingerprint, wanted.sha256)
        if wanted.kept or not wanted.versions:
            remove_old(base, wanted.kept or KEPT_VERSIONS, {one.directory for one in placed})
    return placed


def _fetched(
    source: Source, files: Sequence[RemoteFile], scratch: Path, base: Path, wanted: Wanted, say: Say
) -> Sequence[Placed]:
    received, tree = scratch / "received", scratch / "tree"
    received.mkdir(parents=True, exist_ok=True)
    receive(source, files, received, say)
    _compare(files, received, wanted.sha256, source.shown)
    if _chosen(patiently(source, say), wanted.versions, source.shown) != files:
        shutil.rmtree(scratch)
        raise Changed(source.shown)
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for file in files:
        _put(file, received / file.name, tree, source.shown, is_alone=len(files) == 1)
    placed = []
    for number, folder in _models(tree, wanted.versions, source.shown):
        check_sums(folder, source.shown)
        refuse_half_a_model(folder, source.shown)
        settle(folder)
        placed.append(move_in(folder, base, number))
    shutil.rmtree(scratch)
    return placed


def _put(file: RemoteFile, path: Path, tree: Path, shown: str, *, is_alone: bool) -> None:
    """Unpack a received file into the tree, or move it there. Unpacked ones stay, in case this is ended."""
    if file.is_layer:
        unpack_layer(path, tree, shown)
    elif (is_alone or shown.startswith("oci:")) and is_archive(path):
        unpack(path, tree, shown)
    else:
        target = tree / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(path)


def _models(tree: Path, versions: Sequence[int], shown: str) -> Iterator[tuple[int | None, Path]]:
    """(number, folder) of each wanted model in what arrived; None: its number is not known yet."""
    folder = tree
    while not (numbered := {int(path.name): path for path in versions_in(folder)}):
        inside = [path for path in folder.iterdir() if path.name != SUMS]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name == "variables":
            break  # else it is a folder around the model, as archives have it
        folder = inside[0]
    if numbered:
        wanted = versions or [max(numbered)]
        _refuse_missing(wanted, numbered, shown)
        left_out = {path.name for number, path in numbered.items() if number not in wanted}
        for name in left_out:
            shutil.rmtree(folder / name)
        check_sums(folder, shown, left_out)
        yield from ((number, numbered[number]) for number in wanted)
        return
    if len(versions) > 1:
        raise ModelProblem(f"{shown} holds one model without a number, so it can't be several versions.")
    if folder != tree:
        check_sums(tree, shown)
    yield (versions[0] if versions else None), folder


def _chosen(files: Sequence[RemoteFile], versions: Sequence[int], shown: str) -> Sequence[RemoteFile]:
    """Of a folder of numbered versions only what belongs to those that are wanted."""
    numbered = {
        int(first): first
        for file in files
        if "/" in file.name and (first := file.name.partition("/")[0]).isascii() and first.isdigit()
    }
    if not numbered:
        return files
    wanted = versions or [max(numbered)]
    _refuse_missing(wanted, numbered, shown)
    names = {numbered[number] for number in wanted}
    return [file for file in files if file.name == SUMS or file.name.partition("/")[0] in names]


def _refuse_missing(wanted: Sequence[int], there: Collection[int], shown: str) -> None:
    for number in wanted:
        if number not in there:
            numbers = ", ".join(map(str, sorted(there)))
            raise FetchFailed(f"{shown} holds no version {number}. It holds {numbers}.")


def _compare(files: Sequence[RemoteFile], received: Path, sha256: str, shown: str) -> None:
    """Raises FetchFailed unless what arrived has the checksum that the user gave."""
    if not sha256:
        return
    if shown.startswith("oci:"):
        raise ModelProblem(f"In a registry the digest is part of the address: {shown}@sha256:...")
    sums = received / SUMS
    if len(files) > 1 and not sums.is_file():
        raise ModelProblem(
            f"--sha256 of a folder is that of its file {SUMS}, and {shown} has none. Write it with: "
            f"sha256sum $(find . -type f) > {SUMS}"
        )
    path = received / files[0].name if len(files) == 1 else sums
    if (found := sum_of(path, "sha256")) != sha256:
        path.unlink()
        raise FetchFailed(
            f"{shown}: {path.name} has the SHA-256 {found}, not {sha256}. Nothing was installed."
        )


def _fingerprint(source: Source, files: Sequence[RemoteFile]) -> str:
    """Other files have another one. Empty if a server does not say when a file changes."""
    if not all(file.identity for file in files if file.name != SUMS):
        return ""
    told = [source.shown, *(f"{file.name} {file.size_bytes} {file.identity}" for file in files)]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()


def _clear_others(base: Path, own: Path) -> None:
    """What a killed process left of another model, or of this one before it changed."""
    for left in base.glob(f"{SCRATCH}*"):
        if left != own or own.name == f"{SCRATCH}x":
            shutil.rmtree(left)


@contextmanager
def _room(scratch: Path, shown: str) -> Iterator[None]:
    """A full disk is said as such, and half a model does not keep it full: others may need the room."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        shutil.rmtree(scratch, ignore_errors=True)
        raise FetchFailed(
            f"{shown} does not fit into {scratch.parent}: {problem.strerror}. Give the volume more room: an "
            "archive needs its own size and that of what is in it."
        ) from None


class _Record:
    """Where each version in a folder came from."""

    def __init__(self, base: Path):
        self._base, self._path = base, base / RECORD
        self._rows: dict[str, Mapping[str, str]] = {}
        with suppress(OSError, ValueError):
            self._rows = dict(json.loads(self._path.read_text("utf-8")))

    def versions(self, key: str, value: str, wanted: Sequence[int]) -> Sequence[Placed]:
        """The installed versions with that value, if they are all that is wanted and undamaged; else none."""
        found = [name for name, row in self._rows.items() if value and row.get(key) == value]
        names = [str(number) for number in wanted] or found[-1:]
        if not names or not set(names) <= set(found) or not all(map(self._is_undamaged, names)):
            return []
        return [Placed(self._base / name, is_new=False) for name in names]

    def add(self, directory: Path, shown: str, fingerprint: str, sha256: str) -> None:
        """Remember one, and forget those that are gone."""
        row = {
            "from": shown,
            "fingerprint": fingerprint,
            "sha256": sha256,
            "content": content_hash(directory),
        }
        there = {path.name for path in versions_in(self._base)}
        self._rows = {name: old for name, old in self._rows.items() if name in there} | {directory.name: row}
        fresh = self._path.with_name(f"{RECORD}.new")
        fresh.write_text(json.dumps(self._rows, indent=1), "utf-8")
        fresh.replace(self._path)

    def _is_undamaged(self, name: str) -> bool:
        directory = self._base / name
        return directory.is_dir() and content_hash(directory) == self._rows[name].get("content")
