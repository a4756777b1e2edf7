"""The photo in a request: read within the limits of size, time and number, looked at, not decoded."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestTimeout
from werkzeug.formparser import FormDataParser

from experiment.file_names import plain_name, printable
from experiment.images.header import Limits, read_header
from webapp.config import Settings
from webapp.http.client_socket import ClientSocket
from webapp.problems import Refused
from webapp.runs.job import Submission, pieces_of
from webapp.store.spool import Spool, path_of
from webapp.uploads.browser import FIELDS, browser_upload, has_variants
from webapp.uploads.photo_set import check_sizes, files_in, gathered, is_many
from webapp.uploads.places import Places, UploadPace
from webapp.worker.pipe import PhotoJob

FORM_MEMORY_BYTES = 256_000  # of its text fields; werkzeug counts its read buffer of 128 KiB against it
FORM_SLACK_BYTES = 64_000  # what a form may hold besides its photos
PART_SLACK_BYTES = 1_000  # of the head of each photo
MOST_OTHER_PARTS = 50
LONGEST_LABEL = 200
SINGLE_FIELDS = ("plan", "true_label", "labels", "variants", "browser")
EXAMPLE = "For example: curl -F file=@cat.jpg"


class Uploads:
    """Lets a few uploads in at once, so that they can't take every thread."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._places = Places(max(2, settings.threads // 4 + 1))

    @contextmanager
    def photo(self, request: Request, known_fields: frozenset[str] | None) -> Iterator[Submission]:
        """The one photo in `request`, its header checked.

        `known_fields` are the form's other fields; None lets any pass. Raises Refused or
        ImageRefused.
        """
        with self._received(request):
            part = _only_file(request)
            _check_fields(request, known_fields)
            with self._opened(part, _true_label(request)) as photo:
                yield photo

    @contextmanager
    def photos(
        self, request: Request, known_fields: frozenset[str], model: Mapping[str, Any]
    ) -> Iterator[Submission]:
        """The photo in `request`, as photo() has it, or all of them when there are several or a ZIP file.

        With variants that a browser made, the photo may be missing; see browser.py.

        `model` is the card of the model that the photos are for. What is yielded belongs to the
        caller, who discards it at the end; when the block raises, it is discarded here. Only with
        `?photos=many` all of it may be larger than one photo: without it a body that is too large is
        refused unread. Raises Refused, LabelsRefused or ImageRefused.
        """
        settings, limit_bytes = self._settings, self._settings.max_bytes
        if request.args.get("photos") == "many":
            limit_bytes = settings.max_set_bytes + settings.max_photos * PART_SLACK_BYTES
        if request.args.get("variants") == "browser":
            limit_bytes = max(limit_bytes, settings.max_with_variants_bytes)
        request.max_form_parts = settings.max_photos + MOST_OTHER_PARTS
        with self._received(request, limit_bytes) as spool:
            check_sizes(request, settings.max_bytes)
            _check_fields(request, known_fields | {"labels"} | FIELDS)
            true_label = _true_label(request)
            if has_variants(request):
                has_photo = "file" in request.files
                with self._opened(_only_file(request), true_label) if has_photo else nullcontext() as photo:
                    yield browser_upload(request, photo, true_label, self._limits)
            elif is_many(request):
                yield gathered(request, spool, true_label, settings.max_photos, model)
                spool.is_kept = True
            else:
                with self._opened(_only_file(request), true_label) as photo:
                    yield photo

    @contextmanager
    def document(self, request: Request) -> Iterator[tuple[str, bytes]]:
        """Name and content of the one file in `request`, whatever it holds. Raises Refused."""
        with self._received(request):
            part = _only_file(request)
            _check_fields(request, frozenset())
            yield plain_name(part.filename or ""), path_of(part).read_bytes()

    @contextmanager
    def _received(self, request: Request, limit_bytes: int | None = None) -> Iterator[Spool]:
        """Holds a place while the whole form arrives and is worked on, and its files where they are yielded.

        `limit_bytes`: of all its files together; None: that of one photo.
        """
        if request.mimetype != "multipart/form-data":
            how = f"Send it as multipart/form-data, in the field `file`. {EXAMPLE}"
            raise Refused("not_a_form", how, 415)
        request.max_content_length = (limit_bytes or self._settings.max_bytes) + FORM_SLACK_BYTES
        with self._places.taken(request.remote_addr) as owner:
            spool = Spool(self._settings.uploads_dir)
            try:
                with _paced(request, UploadPace(self._places, owner, self._settings.upload_timeout_s)):
                    _read_form(request, spool)
                _check_parts(request)
                yield spool
            finally:
                if not spool.is_kept:
                    spool.remove()

    @property
    def _limits(self) -> Limits:
        return Limits(max_bytes=self._settings.max_bytes, max_pixels=self._settings.max_pixels)

    @contextmanager
    def _opened(self, part: FileStorage, true_label: str | None) -> Iterator[Submission]:
        """A photo whose header has been looked at; its file is mapped for that, not read."""
        name = plain_name(part.filename or "")
        with path_of(part).open("rb") as file:
            size_bytes = file.seek(0, io.SEEK_END)
            file.seek(0)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size_bytes else nullcontext(b"")
            with mapped as data:
                read_header(cast(bytes, data), name, self._limits)  # it is sliced and searched like bytes
            yield Submission(PhotoJob(name, true_label, size_bytes), pieces_of(file))


def _only_file(request: Request) -> FileStorage:
    files = files_in(request)
    if len(files) > 1:
        raise Refused(
            "too_many_files", f"There are {len(files)} photos in this request. Send one photo per run.", 422
        )
    if not files and "file" in request.form:
        raise Refused("no_file", f"The field `file` holds text. Write an @ before the name. {EXAMPLE}")
    if not files:
        others = ", ".join(sorted(request.files)) or "none"
        raise Refused("no_file", f"Send one in the field `file`; files came in: {others}. {EXAMPLE}")
    return files[0]


def _read_form(request: Request, spool: Spool) -> None:
    """Read all of it, its files into `spool`. Raises Refused for a form that can't be read.

    Left alone, werkzeug takes such a form for an empty one.
    """

    def parser(**options: Any) -> FormDataParser:
        return FormDataParser(**{**options, "stream_factory": spool.new_file, "silent": False})

    request.form_data_parser_class = cast(Any, parser)
    try:
        request.files  # noqa: B018  parses the form
        spool.close()
    except UnicodeDecodeError:
        why = "The name of a file or field is not in UTF-8. Rename the file, then send it again."
        raise Refused("bad_part", why) from None
    except ValueError:
        why = f"It is cut off, or not multipart/form-data. Send it again. {EXAMPLE}"
        raise Refused("broken_upload", why) from None


def _check_parts(request: Request) -> None:
    """Refuse what would be ignored, or taken for something else, in silence."""
    if None in request.form or None in request.files:
        raise Refused("bad_part", f"A part of the form has no name. {EXAMPLE}")
    for name in SINGLE_FIELDS:
        if len(request.form.getlist(name)) + len(request.files.getlist(name)) > 1:
            raise Refused("bad_part", f"There are several parts `{name}` in this request. Send it once.", 422)
        if name in request.files and name != "labels":
            how = f"curl -F '{name}=<FILE' sends a file's text"
            raise Refused("bad_part", f"`{name}` came as a file, but must come as text: {how}.", 422)


def _check_fields(request: Request, known: frozenset[str] | None) -> None:
    if known is None:
        return
    unknown = sorted((set(request.form) | set(request.files)) - known - {"file"})
    if unknown:
        names, offered = ", ".join(map(plain_name, unknown)), ", ".join(sorted({"file", *known}))
        raise Refused("unknown_fields", f"Unknown fields: {names}. Known fields: {offered}.", 422)


def _true_label(request: Request) -> str | None:
    label = request.form.get("true_label", "").strip()
    if len(label) > LONGEST_LABEL or not {"\n", "\r"}.isdisjoint(label):
        raise Refused("bad_label", f"`true_label` is one line of at most {LONGEST_LABEL} characters.", 422)
    return printable(label) or None


@contextmanager
def _paced(request: Request, pace: UploadPace) -> Iterator[None]:
    """Receive no slower than `pace` says; what has come by then is not enough."""
    connection: ClientSocket | None = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    connection.pace = pace
    try:
        yield
    except Exception:
        if pace.is_one_too_many:
            why = "Other uploads from your address are still in progress. Send this one when they are done."
            raise Refused("too_many_uploads", why, 429, 10) from None
        if pace.is_late:
            raise RequestTimeout from None
        raise
    finally:
        connection.pace = None
        pace.end()
