"""The small pictures that the timing process sends: of variants, steps of a search and photos of a set."""

from __future__ import annotations

from experiment.images.thumbs import SIDE_PX, thumb
from webapp.worker.pipe import Parent, Picture


def send_picture(parent: Parent, key: str, encoded: bytes, side_px: int = SIDE_PX) -> int:
    """Send the picture in some encoded bytes, before the result that it belongs to. Returns its size.

    Never while requests are timed: it takes a few ms of a core.
    """
    made = thumb(encoded, side_px)
    parent.send(Picture(key, made.media_type, made.width_px, made.height_px, len(made.data)), made.data)
    return len(made.data)
