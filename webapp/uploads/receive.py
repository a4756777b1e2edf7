"""Receives uploads within the limits of size, time and number, and checks the photo's header."""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser

from experiment.file_names import plain_name, printable
from experiment.images.header import Limits, read_header
from httpserver.problems import Refused
from httpserver.slots import UploadPace, UploadSlots, paced
from webapp.config import Settings
from webapp.runs.submission import PIECE_BYTES, Submission, pieces_of
from webapp.store.upload_folder import UploadFolder, path_of
from webapp.uploads.browser import FIELDS, browser_upload, has_variants
from webapp.uploads.photo_set import check_sizes, files_in, gathered, is_many
from webapp.worker.pipe import PhotoJob

FORM_MEMORY_BYTES = 256_000  # of its text fields; werkzeug counts its read buffer of 128 KiB against it
FORM_SLACK_BYTES = 64_000  # what a form may hold besides its photos
PART_SLACK_BYTES = 1_000  # of the head of each photo
MOST_OTHER_PARTS = 50
LONGEST_LABEL = 200
SINGLE_FIELDS = ("plan", "true_label", "servers", "labels", "variants", "browser")
FORM = "multipart/form-data"
BODY_NAME = "body"  # of a photo that is the request's body
EXAMPLE_OF_BODY = "For example: curl --data-binary @cat.jpg"
EXAMPLE = "For example: curl -F file=@cat.jpg"


class Uploads:
    """Receives only a few uploads at the same time, so that they can't take every thread."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        self._slots = UploadSlots(settings.uploads_at_once)

    @contextmanager
    def photo(self, request: Request, known_fields: frozenset[str] | None) -> Iterator[Submission]:
        """The one photo in `request`, its header checked.

        `known_fields` are the form's other fields; None: any are allowed. Raises Refused or ImageRefused.
        """
        with self._received(request):
            part = _only_file(request)
            _check_fields(request, known_fields)
            with self._opened(*_place_of(part), _true_label(request)) as photo:
                yield photo

    @contextmanager
    def photo_or_body(self, request: Request, known_fields: frozenset[str]) -> Iterator[Submission]:
        """The one photo of a form, as photo() gives it; of any other type of request, its body.

        Raises Refused or ImageRefused.
        """
        if request.mimetype == FORM:
            with self.photo(request, known_fields) as photo:
                yield photo
            return
        with self._slot(request, _read_body) as folder:
            (path,) = folder.path.iterdir()
            if not path.stat().st_size:
                raise Refused("no_file", f"The request's body is empty. {EXAMPLE_OF_BODY}")
            with self._opened(path, BODY_NAME, None) as photo:
                yield photo

    @contextmanager
    def photos(
        self, request: Request, known_fields: frozenset[str], model: Mapping[str, Any]
    ) -> Iterator[Submission]:
        """One photo as photo() gives it, a photo set, or variants that a browser made (browser.py).

        `model` is the card of the model that the photos are for. The caller discards the submission at its
        end; if the block raises, it is discarded here. A body larger than one photo is refused unread, unless
        the query has `photos=many` or `variants=browser`. Raises Refused, LabelsRefused or ImageRefused.
        """
        settings, limit_bytes = self._settings, self._settings.max_bytes
        if request.args.get("photos") == "many":
            limit_bytes = settings.max_set_bytes + settings.max_photos * PART_SLACK_BYTES
        if request.args.get("variants") == "browser":
            limit_bytes = max(limit_bytes, settings.max_with_variants_bytes)
        request.max_form_parts = settings.max_photos + MOST_OTHER_PARTS
        with self._received(request, limit_bytes) as folder:
            check_sizes(request, settings.max_bytes)
            _check_fields(request, known_fields | {"labels"} | FIELDS)
            true_label = _true_label(request)
            if has_variants(request):
                has_photo = "file" in request.files
                opened = (
                    self._opened(*_place_of(_only_file(request)), true_label) if has_photo else nullcontext()
                )
                with opened as photo:
                    yield browser_upload(request, photo, true_label, self._limits)
            elif is_many(request):
                yield gathered(request, folder, true_label, settings.max_photos, model)
                folder.is_kept = True
            else:
                with self._opened(*_place_of(_only_file(request)), true_label) as photo:
                    yield photo

    @contextmanager
    def document(self, request: Request) -> Iterator[tuple[str, bytes]]:
        """Name and content of the one file in `request`, of any type. Raises Refused."""
        with self._received(request):
            part = _only_file(request)
            _check_fields(request, frozenset())
            yield plain_name(part.filename or ""), path_of(part).read_bytes()

    @contextmanager
    def _received(self, request: Request, limit_bytes: int | None = None) -> Iterator[UploadFolder]:
        """Hold a slot while the form arrives and is worked on; yields the folder of its files.

        `limit_bytes` is for all files together; None: the limit of one photo.
        """
        if request.mimetype != FORM:
            how = f"Send it as {FORM}, in the field `file`. {EXAMPLE}"
            raise Refused("not_a_form", how, 415)
        with self._slot(request, _read_form, limit_bytes) as folder:
            _check_parts(request)
            yield folder

    @contextmanager
    def _slot(
        self,
        request: Request,
        read: Callable[[Request, UploadFolder], None],
        limit_bytes: int | None = None,
    ) -> Iterator[UploadFolder]:
        """Hold a slot while `read` reads the body into a folder, and while it is worked on."""
        request.max_content_length = (limit_bytes or self._settings.max_bytes) + FORM_SLACK_BYTES
        with self._slots.taken(request.remote_addr) as owner:
            folder = UploadFolder(self._settings.uploads_dir)
            try:
                with paced(request, UploadPace(self._slots, owner, self._settings.upload_timeout_s)):
                    read(request, folder)
                yield folder
            finally:
                if not folder.is_kept:
                    folder.remove()

    @contextmanager
    def _opened(self, path: Path, filename: str, true_label: str | None) -> Iterator[Submission]:
        """One photo, its header checked. For that the file is mapped, not read."""
        name = plain_name(filename)
        with path.open("rb") as file:
            size_bytes = file.seek(0, io.SEEK_END)
            file.seek(0)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size_bytes else nullcontext(b"")
            with mapped as data:
                read_header(cast(bytes, data), name, self._limits)  # it is sliced and searched like bytes
            yield Submission(PhotoJob(name, true_label, size_bytes), pieces_of(file))


def _only_file(request: Request) -> FileStorage:
    files = files_in(request)
    if len(files) > 1:
        raise Refused("too_many_files", f"It has {len(files)} photos. Send one photo per run.", 422)
    if not files and "file" in request.form:
        raise Refused("no_file", f"The field `file` holds text. Write an @ before the name. {EXAMPLE}")
    if not files:
        others = ", ".join(sorted(request.files)) or "none"
        raise Refused("no_file", f"Send it in the field `file`. Fields with files: {others}. {EXAMPLE}")
    return files[0]


def _place_of(part: FileStorage) -> tuple[Path, str]:
    """Where a file of a form is, and its name as sent."""
    return path_of(part), part.filename or ""


def _read_body(request: Request, folder: UploadFolder) -> None:
    """Read the whole body into the folder's only file."""
    file = folder.new_file()
    while piece := request.stream.read(PIECE_BYTES):
        file.write(piece)
    folder.close()


def _read_form(request: Request, folder: UploadFolder) -> None:
    """Read the whole form, its files into `folder`. Raises Refused for a malformed form.

    By default, werkzeug would treat such a form as an empty one.
    """

    def parser(**options: Any) -> FormDataParser:
        return FormDataParser(**{**options, "stream_factory": folder.new_file, "silent": False})

    request.form_data_parser_class = cast(Any, parser)
    try:
        request.files  # noqa: B018  parses the form
        folder.close()
    except UnicodeDecodeError:
        why = "The name of a file or field is not UTF-8 text. Rename the file, then send it again."
        raise Refused("bad_part", why) from None
    except ValueError:
        why = f"The form is cut off, or is not multipart/form-data. Send it again. {EXAMPLE}"
        raise Refused("broken_upload", why) from None


def _check_parts(request: Request) -> None:
    """Refuse parts that would be silently ignored or misread."""
    if None in request.form or None in request.files:
        raise Refused("bad_part", f"A part of the form has no name. {EXAMPLE}")
    for name in SINGLE_FIELDS:
        if len(request.form.getlist(name)) + len(request.files.getlist(name)) > 1:
            raise Refused("bad_part", f"The form has several parts `{name}`. Send it once.", 422)
        if name in request.files and name != "labels":
            how = f"curl -F '{name}=<FILE' sends a file's text"
            raise Refused("bad_part", f"`{name}` was sent as a file, but must be text: {how}.", 422)


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
        why = f"`true_label` must be one line of at most {LONGEST_LABEL} characters."
        raise Refused("bad_label", why, 422)
    return printable(label) or None
