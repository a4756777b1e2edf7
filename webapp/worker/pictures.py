"""The small pictures that the timing process sends along with variants and steps of a search."""

from __future__ import annotations

from experiment.images.thumbs import thumb
from webapp.worker.pipe import Parent, Picture


def send_picture(parent: Parent, key: str, encoded: bytes) -> None:
    """Send the picture in some encoded bytes. Call it before the result that it belongs to.

    Never while requests are timed: it takes a few ms of a core.
    """
    made = thumb(encoded)
    parent.send(Picture(key, made.media_type, made.width_px, made.height_px, len(made.data)), made.data)
