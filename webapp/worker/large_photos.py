"""Large photos are decoded one at a time: the timing process asks for its turn, the web process gives it.

Decoding a photo of 50 megapixels takes up to 1.2 GB, whatever the size of its file. A container
has 2 GiB for all runs, waiting ones included. So a waiting run frees its decoded photo, and decodes it
again at its start.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiment.errors import PixelcostError
from experiment.images.header import Limits, read_header
from webapp.worker.pipe import LargePhoto, Parent

LARGE_BYTES = 100_000_000  # of memory; several smaller photos may be decoded at the same time
PATIENCE_S = 0.5  # for "go"; a run that gets it later has to wait in the queue, and frees its photo
TURN_PATIENCE_S = 30.0  # for an upload; making all copies of another large photo can take minutes


class LargePhotoBusy(PixelcostError):
    """Another run is still decoding a large photo. Try again after `retry_after_s`."""

    code = "large_photo_waits"
    http_status = 429
    retry_after_s = 30

    def __init__(self) -> None:
        super().__init__(
            "Large photos are processed one at a time, and another run is still working on one. "
            f"Try again in about {self.retry_after_s} s, or send a smaller photo."
        )


def are_large(files: Iterable[bytes], name: str, limits: Limits) -> bool:
    """Whether one of the images takes more than LARGE_BYTES to decode. Raises ImageRefused."""
    return any(read_header(data, name, limits).decoding_bytes > LARGE_BYTES for data in files if data)


def await_turn(parent: Parent) -> None:
    """Block until no other run decodes a large photo. LargePhotoDone, Accepted or Refusal ends the turn."""
    parent.read.clear()
    parent.send(LargePhoto())
    parent.read.wait()
