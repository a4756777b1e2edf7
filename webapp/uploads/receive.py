"""The photo in a request: read within the limits of size, time and number, looked at, not decoded."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestTimeout
from werkzeug.formparser import FormDataParser

from experiment.file_names import printable
from experiment.images.header import Limits, read_header
from experiment.refusals import plain_name
from webapp.config import Settings
from webapp.http.client_socket import ClientSocket
from webapp.problems import Refused
from webapp.runs.job import Submission, pieces_of, size_of
from webapp.uploads.browser import FIELDS, browser_upload, has_variants
from webapp.uploads.photo_set import FORM_SLACK_BYTES, PART_SLACK_BYTES, SpooledRequest, gathered, is_many
from webapp.uploads.places import Places, UploadPace
from webapp.worker.pipe import PhotoJob

FORM_MEMORY_BYTES = 256_000  # of its text fields; werkzeug counts its read buffer of 128 KiB against it
LONGEST_LABEL = 200
SINGLE_FIELDS = ("plan", "true_label", "labels", "variants", "browser")
MAPPED_FROM_BYTES = 1_000_000  # a smaller one may be in memory still, and asking for its file would make one
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
            storage = _only_file(request)
            _check_fields(request, known_fields)
            yield self._looked_at(storage, _true_label(request))

    @contextmanager
    def photos(
        self, request: SpooledRequest, known_fields: frozenset[str], model: Mapping[str, Any]
    ) -> Iterator[Submission]:
        """The photo in `request`, as photo() has it, or all of them when there are several or a ZIP file.

        With variants that a browser made, the photo may be missing; see browser.py.

        `model` is the card of the model that the photos are for. What is yielded belongs to the
        caller, who discards it at the end; when the block raises, it is discarded here. Only with
        `?photos=many` all of it may be larger than one photo: without it a body that is too large is
        refused unread. Raises Refused, LabelsRefused or ImageRefused.
        """
        settings = self._settings
        asks_for_many = request.args.get("photos") == "many"
        heads_bytes = settings.max_photos * PART_SLACK_BYTES
        limit_bytes = settings.max_set_bytes + heads_bytes if asks_for_many else settings.max_bytes
        if request.args.get("variants") == "browser":
            limit_bytes = max(limit_bytes, settings.max_with_variants_bytes)
        request.allow_sets(settings.uploads_dir, settings.max_bytes, limit_bytes, settings.max_photos)
        with self._received(request):
            _check_fields(request, known_fields | {"labels"} | FIELDS)
            if has_variants(request):
                has_photo = bool(request.files.getlist("file"))
                photo = self._looked_at(_only_file(request), _true_label(request)) if has_photo else None
                yield browser_upload(request, photo, _true_label(request), self._limits)
                return
            if not is_many(request):
                yield self._looked_at(_only_file(request), _true_label(request))
                return
            submission = gathered(request, _true_label(request), model)
            try:
                yield submission
            except BaseException:
                submission.discard()
                raise

    @contextmanager
    def document(self, request: Request) -> Iterator[tuple[str, bytes]]:
        """Name and content of the one file in `request`, whatever it holds. Raises Refused."""
        with self._received(request):
            storage = _only_file(request)
            _check_fields(request, frozenset())
            yield plain_name(storage.filename or ""), storage.stream.read()

    @contextmanager
    def _received(self, request: Request) -> Iterator[None]:
        """Holds a place while the whole form arrives and is worked on."""
        if request.mimetype != "multipart/form-data":
            how = f"Send it as multipart/form-data, in the field `file`. {EXAMPLE}"
            raise Refused("not_a_form", how, 415)
        if not isinstance(request, SpooledRequest) or not request.expects_sets:
            request.max_content_length = self._settings.max_bytes + FORM_SLACK_BYTES
        with self._places.taken(request.remote_addr) as owner:
            with _paced(request, UploadPace(self._places, owner, self._settings.upload_timeout_s)):
                _read_form(request)
            _check_parts(request)
            yield

    @property
    def _limits(self) -> Limits:
        return Limits(max_bytes=self._settings.max_bytes, max_pixels=self._settings.max_pixels)

    def _looked_at(self, storage: FileStorage, true_label: str | None) -> Submission:
        stream = storage.stream
        size_bytes = size_of(stream)
        name = plain_name(storage.filename or "")
        with _in_memory(stream, size_bytes) as data:
            read_header(data, name, self._limits)
        return Submission(PhotoJob(name, true_label, size_bytes), pieces_of(stream))


def _only_file(request: Request) -> FileStorage:
    files = [storage for storage in request.files.getlist("file") if storage.filename]
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


def _read_form(request: Request) -> None:
    """All of it. Left alone, werkzeug takes a form that it can't read for an empty one."""
    request.form_data_parser_class = cast(Any, partial(FormDataParser, silent=False))
    try:
        request.files  # noqa: B018  reads it
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
        names, offered = (", ".join(map(plain_name, keys)) for keys in (unknown, sorted({"file", *known})))
        raise Refused("unknown_fields", f"Not known: {names}. There are: {offered}.", 422)


def _true_label(request: Request) -> str | None:
    label = request.form.get("true_label", "").strip()
    if len(label) > LONGEST_LABEL or not {"\n", "\r"}.isdisjoint(label):
        raise Refused("bad_label", f"`true_label` is one line of at most {LONGEST_LABEL} characters.", 422)
    return printable(label) or None


@contextmanager
def _in_memory(stream: IO[bytes], size_bytes: int) -> Iterator[bytes]:
    """The photo's bytes; those of a large file are mapped, not read."""
    try:
        descriptor = stream.fileno() if size_bytes >= MAPPED_FROM_BYTES else None
    except io.UnsupportedOperation:  # one of several in a spool
        descriptor = None
    if descriptor is None:
        yield stream.read()
        stream.seek(0)
        return
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
        yield cast(bytes, mapped)  # slices, indexes and searches like bytes


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
