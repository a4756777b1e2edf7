"""The journal of a set: a header, then one line for each photo, written as soon as it is measured.

JSON Lines. Whatever ends the process, at most the photos under way are lost, and the same
command goes on with those that are not there yet. Several workers end their photos in any
order; a line says which photo it is of, and each photo has one line. The header says what is
measured; a run of something else does not go on there.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from experiment.axes import plan_dict
from experiment.codec import from_dict, to_dict
from experiment.errors import PixelcostError
from experiment.labels import Vocabulary, vocabulary_of
from experiment.photo_sets.listing import PhotoSet
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import BackendInfo, GivenLabels, Plan, SkippedPhoto

KIND = "pixelcost-journal-2"
# The first kind is in order without a gap: a version that counts lines must not go on in the second.
MOST_DIGITS = 7  # of a photo's place
KINDS = ("pixelcost-journal-1", KIND)
INDEX = re.compile(rb'\{"index":(\d+),')  # how each line of a photo begins

# Goals choose among results and change none; backends are compared by themselves.
PLAN_FREE = frozenset(
    {"max_p50_ms", "max_size_bytes", "keep_top1", "margin_points", "backend_names", "timeout_s"}
)
# What makes an answer what it is. Addresses and states may change between two sessions.
BACKEND_PINS = ("protocol", "model", "version", "signature", "input_key", "runtime", "precision", "isa")
CARD_KEYS = ("name", "labels", "wnids")
ENCODER_PINS = ("pillow", "libjpeg_turbo")


class JournalRefused(PixelcostError):
    """The journal can't be used for this run."""

    code = "journal_refused"
    http_status = 409


@dataclass(frozen=True, slots=True)
class SetHeader:
    """What a run over a set measures, and on what. The first line of its journal."""

    run_id: str
    created_at: float  # seconds since the epoch
    name: str  # of the set
    count: int  # photos listed
    sha256: str  # of the list
    plan: Plan
    backends: tuple[BackendInfo, ...]
    environment: Mapping[str, Any]
    model: Mapping[str, Any] = field(default_factory=dict)  # its card: name, labels, wnids
    missing: tuple[SkippedPhoto, ...] = ()
    given_labels: GivenLabels | None = None
    photos_sha256: str = ""  # of the list without labels; "": a journal from before this was kept
    kind: str = field(default=KIND)


def header_of(
    run_id: str,
    created_at: float,
    photos: PhotoSet,
    plan: Plan,
    backends: Sequence[BackendInfo],
    environment: Mapping[str, Any],
    model: Mapping[str, Any],
) -> SetHeader:
    """The header of a run that begins now."""
    return SetHeader(
        run_id,
        created_at,
        photos.name,
        len(photos.photos),
        photos.sha256,
        plan,
        tuple(backends),
        environment,
        {key: model[key] for key in CARD_KEYS if key in model},
        photos.missing,
        photos.given_labels,
        photos.photos_sha256,
    )


def read_header_line(path: Path) -> SetHeader | None:
    """The header of the journal at `path`; None when there is no file, or nothing in it yet."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalRefused(f"{path} can't be read: {error.strerror}.") from None
    return _header(line, path) if line.endswith(b"\n") else None


def vocabularies_of(header: SetHeader, names: Mapping[str, str] | None = None) -> dict[str, Vocabulary]:
    """What the model behind each backend can answer, by backend name. `names`: a map from ids to labels.

    Of models that are not the header's own nothing is known but that map.
    """
    own = header.model.get("name")
    cards = {info.name: header.model if info.model == own else {} for info in header.backends}
    return {name: vocabulary_of(card, names) for name, card in cards.items()}


def is_complete(path: Path, header: SetHeader) -> bool:
    """Whether every photo of its set is in the journal."""
    return sum(at >= 0 for at in _places(path)) >= header.count


def pins(header: SetHeader) -> dict[str, Any]:
    """What must stay the same for a run to go on: of the photos, the plan, backends and encoders."""
    present = [info for info in header.backends if info.is_present]
    return {
        "photos": header.photos_sha256,
        "plan": {key: value for key, value in plan_dict(header.plan).items() if key not in PLAN_FREE},
        "backends": {
            backend.name: {key: getattr(backend, key) for key in BACKEND_PINS} for backend in present
        },
        "encoders": {key: header.environment.get(key) for key in ENCODER_PINS},
    }


def same_photos(there: SetHeader, here: SetHeader | PhotoSet) -> bool:
    """Whether both list the same photos; what these show may have changed since."""
    if there.photos_sha256:
        return there.photos_sha256 == here.photos_sha256
    return there.sha256 == here.sha256


def results_in(path: Path, labels: Mapping[str, str | None] | None = None) -> Iterator[PhotoResult]:
    """Every photo of a journal so far, in the order of the run. Raises JournalRefused for a damaged line.

    `labels`: what the photos show by today's labels, in place of the journal's.
    """
    with path.open("rb") as file:
        for at in _places(path):
            if at < 0:
                continue
            file.seek(at)
            try:
                result = from_dict(PhotoResult, json.loads(file.readline()))
                yield result if labels is None else replace(result, label=labels.get(result.name))
            except (ValueError, TypeError, KeyError):
                raise _damaged(path, at) from None


def _places(path: Path) -> array[int]:
    """Where in the file the line of each photo begins, by its place in the order of the run; -1: it has none.

    Eight bytes for each photo, so that a large set is read in order without being held. Half a line at the
    end is no line. Raises JournalRefused for one that is of no photo.
    """
    places: array[int] = array("q")
    with path.open("rb") as file:
        at = len(file.readline())
        for line in file:
            if not line.endswith(b"\n"):
                break
            found = INDEX.match(line)
            if found is None or len(found[1]) > MOST_DIGITS:
                raise _damaged(path, at)
            index = int(found[1])
            if index >= len(places):
                places.extend([-1] * (index + 1 - len(places)))
            if places[index] < 0:
                places[index] = at
            at += len(line)
    return places


def _damaged(path: Path, at: int) -> JournalRefused:
    with path.open("rb") as file:
        number = file.read(at).count(b"\n") + 1
    return JournalRefused(
        f"Line {number} of {path} is damaged. To go on from there, remove it and all below."
    )


class Journal:
    """An open journal. Only one process can hold it; the kernel lets go of it if we are killed."""

    def __init__(self, path: Path, header: SetHeader):
        """Begin a journal with `header`, or go on with the one that is there.

        Raises JournalRefused when it belongs to another run, is in use or can't be written.
        """
        self.path = path
        self._file = _locked(path)
        try:
            self.header = self._begun(header)
            self._indexes = {index for index, at in enumerate(_places(path)) if at >= 0}
        except BaseException:
            self._file.close()
            raise

    @property
    def indexes(self) -> Set[int]:
        """The places, in the order of the run, of the photos that are there."""
        return self._indexes

    def append(self, result: PhotoResult) -> bool:
        """Add a photo; it is with the kernel when this returns. False: it was there, and counts once."""
        if result.index in self._indexes:
            return False
        self._write(to_dict(result))
        self._indexes.add(result.index)
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _begun(self, header: SetHeader) -> SetHeader:
        line = self._file.readline()
        if not line or _is_half_a_header(line):
            self._file.truncate(0)
            self._write(to_dict(header))
            return header
        found = _header(line, self.path)
        problems = list(differences(found, header))
        if problems:
            raise JournalRefused(
                f"{self.path} belongs to another run: {'; '.join(problems)}. "
                "Name another --journal, or remove this one to start again."
            )
        _drop_half_a_line(self._file)
        return found

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self._file.flush()


def differences(there: SetHeader, here: SetHeader) -> Iterator[str]:
    """What keeps a run from going on in a journal, in words."""
    before, now = pins(there), pins(here)
    if not same_photos(there, here):
        sets = [f"{header.count:,} in {header.name}" for header in (there, here)]
        yield f"other photos ({sets[0]} before, {sets[1]} now)"
    yield from _changed("", before["plan"], now["plan"])
    if set(before["backends"]) != set(now["backends"]):
        names = [", ".join(pinned["backends"]) or "none" for pinned in (before, now)]
        yield f"the backends {names[0]} before, {names[1]} now"
    for name in set(before["backends"]) & set(now["backends"]):
        known_before = {key for key, value in before["backends"][name].items() if value is not None}
        known = {
            key: value
            for key, value in now["backends"][name].items()
            if key in known_before and value is not None
        }
        yield from _changed(f"{name}: ", before["backends"][name], known)
    yield from _changed("", before["encoders"], now["encoders"])


def _changed(of: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key, value in now.items():
        if before.get(key) != value:
            yield f"{of}{key} {_shown(before.get(key))} before, {_shown(value)} now"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _header(line: bytes, path: Path) -> SetHeader:
    try:
        row = json.loads(line)
        if row["kind"] in KINDS:
            return from_dict(SetHeader, row)
    except (ValueError, TypeError, KeyError):
        pass
    raise JournalRefused(f"{path} is not a journal of this version of Pixelcost. Name another file.")


def _is_half_a_header(line: bytes) -> bool:
    """Nothing else is ever overwritten, whatever file was named by mistake."""
    return line.startswith(b'{"run_id":') and not line.endswith(b"\n")


def _locked(path: Path) -> IO[bytes]:
    try:
        file = path.open("a+b")
    except OSError as error:
        raise JournalRefused(f"{path} can't be written: {error.strerror}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise JournalRefused(f"{path} is in use by another run. Wait for it, or name another file.") from None
    file.seek(0)
    return file


def _drop_half_a_line(file: IO[bytes]) -> None:
    """A process that was killed while writing leaves a line without its end."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65536)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            file.truncate(start + at + 1)
            return
        end = start
