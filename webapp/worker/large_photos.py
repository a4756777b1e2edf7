"""Large photos are decoded one at a time: the timing process asks for its turn, the web process gives it.

A photo of 50 megapixels takes up to 900 MB while it is decoded, whatever its file weighs, and a container
has 2 GiB for all runs, those that wait included. So what a waiting run has decoded is let go, and decoded
again when it is to be measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiment.errors import PixelcostError
from experiment.images.header import Limits, read_header
from webapp.worker.pipe import LargePhoto, Parent

LARGE_BYTES = 100_000_000  # of memory; several smaller ones at once do no harm
PATIENCE_S = 0.5  # a run that is not the first in line waits longer
TURN_PATIENCE_S = 30.0  # whoever uploads waits; making all copies of a large photo can take minutes


class LargePhotoBusy(PixelcostError):
    """Another run has the turn and keeps it. Try again after `retry_after_s`."""

    code = "large_photo_waits"
    http_status = 429
    retry_after_s = 30

    def __init__(self) -> None:
        super().__init__(
            "Large photos are decoded one at a time, and another run is still making copies of one. "
            f"Try again in about {self.retry_after_s} s, or send a smaller photo."
        )


def are_large(files: Iterable[bytes], name: str, limits: Limits) -> bool:
    """Whether decoding one of the images takes much memory, by its header. Raises ImageRefused."""
    return any(read_header(data, name, limits).decoding_bytes > LARGE_BYTES for data in files if data)


def await_turn(parent: Parent) -> None:
    """Return when no other large photo is decoded. LargePhotoDone, Accepted or Refusal ends the turn."""
    parent.read.clear()
    parent.send(LargePhoto())
    parent.read.wait()
