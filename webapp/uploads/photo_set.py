"""A photo set in one request: several files, a folder, or a ZIP file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Request
from werkzeug.datastructures import FileStorage

from experiment.file_names import clean_path, plain_name, unique
from experiment.photo_sets.label_files import decoded, refuse_above
from experiment.photo_sets.places import is_photo
from experiment.wording import count
from httpserver.problems import Refused
from webapp.runs.submission import Submission
from webapp.store.upload_folder import UploadFolder, path_of
from webapp.worker.pipe import PhotoSetJob, too_many_photos

ZIP_START = b"PK\x03\x04"
MOST_LABELS_BYTES = 5_000_000


def files_in(request: Request) -> list[FileStorage]:
    """The parts `file` of the form. If no file is chosen, a browser sends an empty part without a name."""
    return [part for part in request.files.getlist("file") if part.filename]


def is_many(request: Request) -> bool:
    """Whether the request has a photo set: several files, or a ZIP file."""
    files = files_in(request)
    return len(files) > 1 or (len(files) == 1 and _is_zip(files[0]))


def check_sizes(request: Request, limit_bytes: int) -> None:
    """Raises Refused for a photo or variant above the limit; a ZIP file may be as large as a set."""
    for part in (*request.files.getlist("file"), *request.files.getlist("variant")):
        size_bytes = path_of(part).stat().st_size
        if size_bytes > limit_bytes and (part.name != "file" or not _is_zip(part)):
            found = f"{plain_name(part.filename or '')} has {size_bytes / 1e6:.1f} MB"
            how = "Make it smaller first, or save it as JPEG."
            raise Refused(
                "too_large", f"{found}; the limit per image is {limit_bytes / 1e6:g} MB. {how}", 413
            )


def gathered(
    request: Request, folder: UploadFolder, true_label: str | None, most_photos: int, model: Mapping[str, Any]
) -> Submission:
    """The photo set of the request. Raises Refused for too many photos, LabelsRefused for bad labels."""
    files = files_in(request)
    if len(files) > most_photos:
        raise Refused("too_many_files", too_many_photos("The request", len(files), most_photos), 422)
    names = unique(clean_path(part.filename or "") for part in files)
    name = _set_name(names) if len(files) > 1 else names[0]
    stored = dict(zip(names, (path_of(part).name for part in files), strict=True))
    labels = _labels(request)
    job = PhotoSetJob(
        name, true_label, str(folder.path), stored, labels, MOST_LABELS_BYTES, most_photos, model
    )
    return Submission(job, content=(), discard=folder.remove)


def _is_zip(part: FileStorage) -> bool:
    with path_of(part).open("rb") as file:
        return file.read(len(ZIP_START)) == ZIP_START


def _labels(request: Request) -> tuple[str, str] | None:
    """Name and text of the CSV in the part `labels`, which may be a file or text. Raises LabelsRefused."""
    part = request.files.get("labels")
    if part is not None:
        name = plain_name(part.filename or "labels.csv")
        refuse_above(path_of(part).stat().st_size, MOST_LABELS_BYTES, name)
        return name, decoded(path_of(part).read_bytes(), name)
    text = request.form.get("labels", "").strip()
    return ("labels", text) if text else None


def _set_name(names: list[str]) -> str:
    """The name of the folder that holds all files, or else the number of photos."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    all_within = all("/" in name for name in names)
    return tops.pop() if all_within and len(tops) == 1 else count(sum(map(is_photo, names)), "photo")
