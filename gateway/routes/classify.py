"""POST /classify: one answer to one photo, by a model server directly. The photo is sent as it is."""

from __future__ import annotations

import hashlib
from typing import Final

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from experiment.images.formats import READ_BY_CONTRACT
from experiment.images.header import READABLE, Header
from experiment.measure.one_answer import Preparation, ask
from experiment.records import REFERENCE_ID, SourceImage, Variant
from experiment.wording import AS_UPLOADED
from gateway.http.asked import one, options
from gateway.routes.schemas import PHOTO_BODY, ref
from gateway.services import services
from gateway.table import Answer, Parameter, Route
from httpserver.problems import Refused


def classify() -> ResponseReturnValue:
    """The top labels of the photo in the form or the body."""
    app = services()
    app.backends.named("")  # before the photo arrives
    with app.receiver.photos(request) as photos:
        info = app.backends.named(one(options(request, ("backend",)), "backend", str.strip, ""))
        if len(photos) > 1:
            why = f"It has {len(photos)}. Send one photo, or submit them to /jobs."
            raise Refused("too_many_files", why, 422)
        app.bucket.take()
        with app.receiver.content(photos[0]) as (data, header), app.backends.connected(info) as backend:
            source, sent = as_it_is(data, header, photos[0].name)
            found = ask(source, sent, Preparation(), backend, app.backends.timeout_s)
    return jsonify({**found, "run_id": None})


def as_it_is(data: bytes, header: Header, name: str) -> tuple[SourceImage, Variant]:
    """A photo that is sent without being decoded. Raises Refused for a format that servers may not read."""
    if header.media_type not in READ_BY_CONTRACT:
        formats = ", ".join(key for key, kind in READABLE.items() if kind.media_type in READ_BY_CONTRACT)
        why = f"This photo is {header.format}. Send {formats}, or use the page, which converts it."
        raise Refused("format_not_read", why, 415)
    sha256 = hashlib.sha256(data).hexdigest()
    width_px, height_px = header.width_px, header.height_px
    source = SourceImage(name, data, sha256, header.media_type, len(data), width_px, height_px, 1, 0.0)
    sent = Variant(
        id=REFERENCE_ID,
        size_px=max(width_px, height_px),
        width_px=width_px,
        height_px=height_px,
        format=header.media_type.removeprefix("image/"),
        quality=None,
        encoder=AS_UPLOADED,
        size_bytes=len(data),
        sha256=sha256,
        decode_ms=None,
        resize_ms=None,
        encode_ms=None,
        is_reference=True,
        data=data,
    )
    return source, sent


ROUTES: Final = (
    Route(
        "POST",
        "/classify",
        classify,
        "Direct",
        "Classify one photo at once",
        {200: Answer("The answer of the model server.", ref("Classified"))},
        (415, 422, 429, 502, 503, 504, 507),
        "The photo goes to a model server of TF_SERVERS as it is, past the queue. "
        "The page's /api/classify also resizes and re-encodes.",
        (Parameter("backend", "Name of the model server; without it, the first."),),
        PHOTO_BODY,
    ),
)
