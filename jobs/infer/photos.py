"""A photo as it is sent to the model.

It goes as it came, if the model can read its format. WebP, AVIF and HEIC, which not every model server reads,
become a lossless PNG, on white if transparent; so does every photo that the configuration wants at one size.
Other formats (TIFF, ...) are refused here, in the words that the page uses.
"""

from __future__ import annotations

from collections.abc import Collection

from PIL.Image import Resampling

from experiment.images.formats import READ_BY_CONTRACT
from experiment.images.header import is_plain_webp, read_header
from experiment.images.png import encode_png
from experiment.images.read import read_image

NAME = "The photo"  # in sentences; a job's photo has no file name


def prepared(
    photo: bytes, reads: Collection[str] | None = None, size_px: tuple[int, int] | None = None
) -> bytes:
    """The file to send. `reads`: media types that the server is known to read beyond READ_BY_CONTRACT;
    `size_px`: height and width to resize it to, whatever its aspect ratio (imageResize of Cluster Serving).

    Raises ImageRefused.
    """
    header = read_header(photo, NAME)
    is_read = header.media_type in {*READ_BY_CONTRACT, *(reads or ())}
    if size_px is None and is_read and (header.format != "WEBP" or is_plain_webp(photo)):
        return photo
    pixels = read_image(photo, NAME).pixels
    assert pixels is not None, "read_image() keeps them"  # noqa: S101
    if size_px is not None:
        height_px, width_px = size_px
        pixels = pixels.resize((width_px, height_px), Resampling.BILINEAR)
    return encode_png(pixels)
