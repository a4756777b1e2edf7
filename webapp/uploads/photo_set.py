"""Many photos in one request: several files, a folder, or a ZIP file, gathered on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from experiment.file_names import clean_path, unique
from experiment.photo_sets.label_files import decoded, refuse_above
from experiment.photo_sets.places import is_photo
from experiment.refusals import plain_name
from experiment.wording import count
from webapp.problems import Refused
from webapp.runs.job import Submission
from webapp.store.spool import Spool
from webapp.worker.pipe import PhotoSetJob

ZIP_START = b"PK\x03\x04"
MOST_LABELS_BYTES = 5_000_000
MOST_IN_MEMORY_BYTES = 500_000  # of the first photo, as werkzeug has it
FORM_SLACK_BYTES = 64_000  # what a form may hold besides its photos
PART_SLACK_BYTES = 1_000  # of the head of each photo
MOST_OTHER_PARTS = 50


class SpooledRequest(Request):
    """A request that may hold a set: its first file is kept as usual, all further ones in one spool.

    A file alone may still be no larger than a photo, but a ZIP file as large as a set.
    """

    most_photos = 1
    _photo_limit_bytes: int | None = None  # None: no set is expected
    _spool: Spool | None = None
    _spool_dir = Path()
    _has_first = False

    def allow_sets(self, spool_dir: Path, photo_limit_bytes: int, limit_bytes: int, most_photos: int) -> None:
        """Set the limits, before the form is read."""
        self._spool_dir = spool_dir
        self._photo_limit_bytes = photo_limit_bytes
        self.most_photos = most_photos
        self.max_content_length = limit_bytes + FORM_SLACK_BYTES
        self.max_form_parts = most_photos + MOST_OTHER_PARTS

    @property
    def expects_sets(self) -> bool:
        """Whether allow_sets() has set the limits."""
        return self._photo_limit_bytes is not None

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        if self._photo_limit_bytes is None:
            return super()._get_file_stream(*args, **kwargs)
        if not self._has_first:
            self._has_first = True
            return cast(IO[bytes], _Capped(self._first_stream(), self._photo_limit_bytes))
        self._spool = self._spool or Spool(self._spool_dir)
        return cast(IO[bytes], _Capped(cast(IO[bytes], self._spool.part()), self._photo_limit_bytes))

    def _first_stream(self) -> IO[bytes]:
        """Where a set lies, too: it may be a ZIP file larger than the system's folder for such files."""
        self._spool_dir.mkdir(parents=True, exist_ok=True)
        return cast(IO[bytes], SpooledTemporaryFile(MOST_IN_MEMORY_BYTES, "rb+", dir=str(self._spool_dir)))

    def keep_spool(self) -> Spool:
        """The spool, which from now on belongs to the caller."""
        spool, self._spool = self._spool or Spool(self._spool_dir), None
        return spool

    def close(self) -> None:
        """Also of what nobody wanted to keep."""
        super().close()
        if self._spool is not None:
            self._spool.discard()


class _Capped:
    """A stream that refuses to grow above a photo's limit, unless a ZIP file grows there."""

    def __init__(self, stream: IO[bytes], limit_bytes: int):
        self.stream = stream
        self._left_bytes = limit_bytes
        self._start = b""

    def write(self, data: bytes) -> int:
        """Raises RequestEntityTooLarge above the limit."""
        self._start = (self._start + data[:4])[:4]
        self._left_bytes -= len(data)
        if self._left_bytes < 0 and self._start != ZIP_START:
            raise RequestEntityTooLarge
        return self.stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def is_many(request: Request) -> bool:
    """Whether a run over a set is meant: several files, or a ZIP file."""
    files = _files(request)
    return len(files) > 1 or (len(files) == 1 and _is_zip(files[0]))


def gathered(request: SpooledRequest, true_label: str | None, model: Mapping[str, Any]) -> Submission:
    """All files of the request, in one spool. Raises Refused for too many, or labels that make no sense."""
    files, most_photos = _files(request), request.most_photos
    if len(files) > most_photos:
        raise Refused(
            "too_many_files",
            f"There are {len(files):,} files in this request; the limit is {most_photos:,}. Send fewer, "
            "raise PIXELCOST_MAX_PHOTOS, or use the command line: python -m experiment --photos.",
            422,
        )
    labels = _labels(request)
    names = unique(clean_path(each.filename or "") for each in files)
    spool = request.keep_spool()
    try:
        pieces = _pieces(spool, files, names)
        spool.close()
    except BaseException:
        spool.discard()
        raise
    is_zip = len(files) == 1
    job = PhotoSetJob(
        name=names[0] if is_zip else _set_name(names),
        true_label=true_label,
        path=str(spool.path),
        pieces=() if is_zip else pieces,
        labels=labels,
        most_labels_bytes=MOST_LABELS_BYTES,
        most_photos=most_photos,
        model=model,
    )
    return Submission(job, content=(), discard=spool.discard)


def _pieces(spool: Spool, files: list[FileStorage], names: list[str]) -> tuple[tuple[str, int, int], ...]:
    """Where each photo lies in the spool. The first one is not there yet."""
    parts: list[Any] = [spool.take(files[0].stream), *(each.stream for each in files[1:])]
    return tuple((name, part.start, part.size_bytes) for name, part in zip(names, parts, strict=True))


def _files(request: Request) -> list[FileStorage]:
    return [storage for storage in request.files.getlist("file") if storage.filename]


def _is_zip(storage: FileStorage) -> bool:
    start = storage.stream.read(len(ZIP_START))
    storage.stream.seek(0)
    return start == ZIP_START


def _labels(request: Request) -> tuple[str, str] | None:
    """The part `labels`: name and text of a CSV, that came as a file or as text. Raises LabelsRefused."""
    storage = request.files.get("labels")
    if storage is not None:
        name = plain_name(storage.filename or "labels.csv")
        data = storage.stream.read(MOST_LABELS_BYTES + 1)
        refuse_above(len(data), MOST_LABELS_BYTES, name)
        return name, decoded(data, name)
    text = request.form.get("labels", "").strip()
    return ("labels", text) if text else None


def _set_name(names: list[str]) -> str:
    """The folder that holds all of them, else how many photos there are."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    all_within = all("/" in name for name in names)
    return tops.pop() if all_within and len(tops) == 1 else count(sum(map(is_photo, names)), "photo")
