"""Which image formats a backend reads: JPEG, PNG, GIF and BMP always, others found out with tiny images.

TensorFlow's decode_image learned WebP late and AVIF not at all; other servers read both, and none reports
it. So every backend gets a few pixels in each format, once per version of its model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from functools import cache

from PIL import Image

from experiment.backends.base import CONNECT_S, Backend, RequestFailed, reading_answers_of
from experiment.backends.connect import connect
from experiment.images.formats import FORMATS, READ_BY_CONTRACT, encodings
from experiment.records import BackendInfo, Plan, Variant

REFUSALS = {"bad_request"}  # any other failure says nothing about the format
SIDE_PX = 32

_Key = tuple[str, str, str, int | None]


class FormatsRead:
    """Remembers the results, until a backend is not ready. Safe to use from several threads."""

    def __init__(self, connect: Callable[[BackendInfo], Backend] = connect):
        self._connect = connect
        self._known: dict[_Key, tuple[str, ...] | None] = {}
        self._lock = threading.Lock()

    def by(self, info: BackendInfo, timeout_s: float) -> tuple[str, ...] | None:
        """Media types that it reads; None: not ready, or no clear answer (then it is not asked again)."""
        with self._lock:
            if info.state != "ready":  # another program may come back at that address
                self._known = {key: known for key, known in self._known.items() if key[0] != info.address}
                return None
            key = (info.address, info.model, info.signature, info.version)
            if key in self._known:
                return self._known[key]
        found = self._ask(info, timeout_s)
        with self._lock:
            self._known[key] = found
        return found

    def _ask(self, info: BackendInfo, timeout_s: float) -> tuple[str, ...] | None:
        read = list(READ_BY_CONTRACT)
        with closing(self._connect(info)) as backend:
            backend.open(CONNECT_S)
            ask = backend.decode if info.decode_signature else backend.predict
            for media_type, image in _tiny_images().items():
                try:
                    with reading_answers_of(info):
                        ask(image, timeout_s)
                    read.append(media_type)
                except RequestFailed as error:
                    if error.failure.code not in REFUSALS:
                        return None
        return tuple(read)


@cache
def _tiny_images() -> dict[str, Variant]:
    """Media type -> a tiny image, for formats beyond READ_BY_CONTRACT that this installation can write."""
    formats = {
        kind.media_type: key
        for key, kind in FORMATS.items()
        if kind.media_type not in READ_BY_CONTRACT and not kind.why_not()
    }
    return {media_type: _tiny_image(key) for media_type, key in formats.items()}


def _tiny_image(format_key: str) -> Variant:
    ((_, settings), *_) = encodings(Plan(formats=(format_key,)))
    data = FORMATS[format_key].encode(Image.new("RGB", (SIDE_PX, SIDE_PX), (90, 120, 150)), **settings)
    return Variant(
        id="probe",
        size_px=SIDE_PX,
        width_px=SIDE_PX,
        height_px=SIDE_PX,
        format=format_key,
        quality=settings.get("quality"),
        encoder="",
        size_bytes=len(data),
        sha256="",
        decode_ms=None,
        resize_ms=None,
        encode_ms=None,
        data=data,
    )
