"""Receives photos and JSON within the limits of size, time and number, and checks each photo's header.

Files above 500 kB wait on the disk, and no more than MEMORY_BYTES are in memory at a time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from experiment.file_names import plain_name
from experiment.images.header import Header, Limits, read_header
from experiment.refusals import too_many_bytes
from gateway.config import Settings
from gateway.http.asked import FORM
from gateway.limits.memory import Memory
from httpserver.problems import Refused
from httpserver.slots import UploadPace, UploadSlots, paced

FORM_MEMORY_BYTES: Final = 256_000  # of its text fields; werkzeug's read buffer of 128 KiB counts too
FORM_SLACK_BYTES: Final = 64_000  # what a form may hold besides its photos
FIELD: Final = "file"
LARGEST_FORM: Final = 5  # photos of the largest size
JSON_GROWS: Final = 8  # in memory, with the two limits below
MOST_VALUES: Final = 4 * 1024 * 1024  # in one document
MOST_LISTS: Final = 256 * 1024  # in one document; an empty one takes 20 times its text
LARGEST_JSON: Final = 2  # photos of the largest size, in base64
IN_MEMORY_BYTES: Final = 500_000  # of one file, as werkzeug has it for forms
MEMORY_BYTES: Final = 64_000_000  # of all photos that are being sent on
PIECE_BYTES: Final = 64_000
MOST_OTHER_PARTS: Final = 50
EXAMPLES: Final = "For example: curl --data-binary @cat.jpg, or curl -F file=@cat.jpg"


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that was received and nobody has looked into yet."""

    name: str
    file: IO[bytes]
    size_bytes: int


class Receiver:
    """Receives only some uploads at the same time, so that they can't take every thread."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        self._slots = UploadSlots(settings.threads // 4 + 1)
        self._memory = Memory(max(MEMORY_BYTES, settings.max_bytes))

    @contextmanager
    def photos(self, request: Request, fields: Sequence[str] = (FIELD,)) -> Iterator[list[Photo]]:
        """The photos in these fields of a form, or the one that the body is; at least one. Raises Refused."""
        if request.mimetype == FORM:
            with self._arrived(request, LARGEST_FORM * self._settings.max_bytes):
                yield self._files_in(request, fields)
            return
        with self._body(request, self._settings.max_bytes) as file:
            size_bytes = file.tell()
            if not size_bytes:
                raise Refused("no_file", f"The request's body is empty. {_examples(fields)}")
            yield [Photo("body", file, size_bytes)]

    @contextmanager
    def content(self, photo: Photo) -> Iterator[tuple[bytes, Header]]:
        """A photo's bytes and header, while its turn lasts. Raises ImageRefused."""
        with self.contents([photo]) as (found,):
            yield found

    @contextmanager
    def contents(self, photos: Sequence[Photo]) -> Iterator[list[tuple[bytes, Header]]]:
        """Bytes and headers of photos that are needed together. Raises ImageRefused, and Refused."""
        for photo in photos:
            if photo.size_bytes > self._settings.max_bytes:
                raise too_many_bytes(photo.size_bytes, self._settings.max_bytes)
        together = sum(photo.size_bytes for photo in photos)
        most = max(MEMORY_BYTES, self._settings.max_bytes)
        if together > most:
            why = f"These photos are {together / 1e6:.0f} MB together; the limit is {most / 1e6:.0f} MB."
            raise Refused("too_large", f"{why} Send fewer at a time.", 413)
        with self._memory.held(together):
            yield [self._read(photo) for photo in photos]

    @contextmanager
    def json(self, request: Request) -> Iterator[Any]:
        """The JSON of a body, which takes memory during the block. Raises Refused."""
        limit_bytes = LARGEST_JSON * self._settings.max_bytes
        with self._body(request, limit_bytes) as file, self._memory.held(JSON_GROWS * file.tell()):
            file.seek(0)
            try:
                document = _parsed(file.read())
            except (ValueError, RecursionError) as error:
                raise Refused("bad_instances", f"The body is not JSON ({error}).") from None
            yield document

    @contextmanager
    def _body(self, request: Request, limit_bytes: int) -> Iterator[IO[bytes]]:
        """The whole body in a file, which stands at its end."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spooled:
            file = cast(IO[bytes], spooled)
            with self._arrived(request, limit_bytes, file):
                yield file

    def _read(self, photo: Photo) -> tuple[bytes, Header]:
        photo.file.seek(0)
        data = photo.file.read()
        return data, read_header(data, photo.name, self._limits)

    @contextmanager
    def _arrived(self, request: Request, limit_bytes: int, into: IO[bytes] | None = None) -> Iterator[None]:
        """Hold a slot while the body arrives, as a form or into a file, and while it is worked on."""
        request.max_content_length = limit_bytes + FORM_SLACK_BYTES
        if (request.content_length or 0) > request.max_content_length:
            raise RequestEntityTooLarge
        with self._slots.taken(request.remote_addr) as owner:
            with paced(request, UploadPace(self._slots, owner, self._settings.upload_timeout_s)):
                if into is None:
                    self._read_form(request)
                else:
                    while piece := request.stream.read(PIECE_BYTES):
                        into.write(piece)
            yield

    def _read_form(self, request: Request) -> None:
        """Read the whole form. Raises Refused for a malformed one, which werkzeug would treat as empty."""

        def parser(**options: Any) -> FormDataParser:
            return FormDataParser(**{**options, "silent": False})

        request.max_form_parts = self._settings.max_photos + MOST_OTHER_PARTS
        request.form_data_parser_class = cast(Any, parser)
        try:
            request.files  # noqa: B018  parses the form
        except UnicodeDecodeError:
            why = "The name of a file or field is not UTF-8 text. Rename the file, then send it again."
            raise Refused("bad_field", why) from None
        except ValueError:
            why = f"The form is cut off, or is not multipart/form-data. Send it again. {EXAMPLES}"
            raise Refused("broken_upload", why) from None

    def _files_in(self, request: Request, fields: Sequence[str]) -> list[Photo]:
        # If no file is chosen, a browser sends an empty part without a name.
        sent = [part for field in fields for part in request.files.getlist(field)]
        parts = [part for part in sent if part.filename]
        field = fields[0]
        example = _examples(fields)
        if not parts and any(name in request.form for name in fields):
            raise Refused("no_file", f"The field `{field}` holds text. Write an @ before the name. {example}")
        if not parts:
            raise Refused("no_file", f"Send each photo in a field `{field}`. {example}")
        if len(parts) > self._settings.max_photos:
            why = f"It has {len(parts)}; the limit is {self._settings.max_photos}. Send several requests."
            raise Refused("too_many_files", why, 422)
        others = sorted(str(name) for name in request.files if name not in fields)
        if others:
            raise Refused("bad_field", f"Sent as a file, but not named `{field}`: {', '.join(others)}.", 422)
        return [Photo(plain_name(part.filename or ""), part.stream, part.stream.seek(0, 2)) for part in parts]


def _examples(fields: Sequence[str]) -> str:
    """How a photo is sent at an address that reads these fields."""
    return EXAMPLES.replace(f"{FIELD}=", f"{fields[0]}=")


def _parsed(text: bytes) -> Any:
    """JSON that does not grow out of all proportion. Raises Refused, ValueError and RecursionError."""
    if text.count(b",") > MOST_VALUES or text.count(b"[") + text.count(b"{") > MOST_LISTS:
        why = f"It has more than {MOST_VALUES:,} values or {MOST_LISTS:,} lists. Send several requests."
        raise Refused("bad_instances", why, 413)
    return json.loads(text)
