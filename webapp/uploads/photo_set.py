"""Many photos in one request: several files, a folder, or a ZIP file, each part in a file on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Request
from werkzeug.datastructures import FileStorage

from experiment.file_names import clean_path, plain_name, unique
from experiment.photo_sets.label_files import decoded, refuse_above
from experiment.photo_sets.places import is_photo
from experiment.wording import count
from webapp.problems import Refused
from webapp.runs.job import Submission
from webapp.store.spool import Spool, path_of
from webapp.worker.pipe import PhotoSetJob

ZIP_START = b"PK\x03\x04"
MOST_LABELS_BYTES = 5_000_000


def files_in(request: Request) -> list[FileStorage]:
    """The parts `file` of the form; a browser sends an empty one without a name where none is chosen."""
    return [part for part in request.files.getlist("file") if part.filename]


def is_many(request: Request) -> bool:
    """Whether a run over a set is meant: several files, or a ZIP file."""
    files = files_in(request)
    return len(files) > 1 or (len(files) == 1 and _is_zip(files[0]))


def check_sizes(request: Request, limit_bytes: int) -> None:
    """Raises Refused for a photo or variant above the limit; a ZIP file may be as large as a set."""
    for part in (*request.files.getlist("file"), *request.files.getlist("variant")):
        size_bytes = path_of(part).stat().st_size
        if size_bytes > limit_bytes and (part.name != "file" or not _is_zip(part)):
            found_mb, limit_mb = size_bytes / 1e6, limit_bytes / 1e6
            raise Refused(
                "too_large",
                f"{plain_name(part.filename or '')} has {found_mb:.1f} MB; the limit is {limit_mb:g} MB for "
                "each photo. Make it smaller first, or save it as JPEG.",
                413,
            )


def gathered(
    request: Request, spool: Spool, true_label: str | None, most_photos: int, model: Mapping[str, Any]
) -> Submission:
    """All photos of the request. Raises Refused for too many, or labels that make no sense."""
    files = files_in(request)
    if len(files) > most_photos:
        raise Refused(
            "too_many_files",
            f"There are {len(files):,} files in this request; the limit is {most_photos:,}. Send fewer, "
            "raise PIXELCOST_MAX_PHOTOS, or use the command line: python -m experiment --photos.",
            422,
        )
    names = unique(clean_path(part.filename or "") for part in files)
    name = _set_name(names) if len(files) > 1 else names[0]
    stored = dict(zip(names, (path_of(part).name for part in files), strict=True))
    job = PhotoSetJob(
        name=name,
        true_label=true_label,
        folder=str(spool.path),
        files=stored,
        labels=_labels(request),
        most_labels_bytes=MOST_LABELS_BYTES,
        most_photos=most_photos,
        model=model,
    )
    return Submission(job, content=(), discard=spool.remove)


def _is_zip(part: FileStorage) -> bool:
    with path_of(part).open("rb") as file:
        return file.read(len(ZIP_START)) == ZIP_START


def _labels(request: Request) -> tuple[str, str] | None:
    """The part `labels`: name and text of a CSV, that came as a file or as text. Raises LabelsRefused."""
    part = request.files.get("labels")
    if part is not None:
        name = plain_name(part.filename or "labels.csv")
        refuse_above(path_of(part).stat().st_size, MOST_LABELS_BYTES, name)
        return name, decoded(path_of(part).read_bytes(), name)
    text = request.form.get("labels", "").strip()
    return ("labels", text) if text else None


def _set_name(names: list[str]) -> str:
    """The folder that holds all of them, else how many photos there are."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    all_within = all("/" in name for name in names)
    return tops.pop() if all_within and len(tops) == 1 else count(sum(map(is_photo, names)), "photo")
