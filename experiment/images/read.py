"""read_image(): an uploaded file becomes upright sRGB pixels, or is refused with a reason."""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import PIL.WebPImagePlugin  # noqa: F401  else Pillow would load all its plugins to find it
from PIL import Image, ImageFile

from experiment import refusals
from experiment.errors import ImageRefused
from experiment.images.colour import to_srgb
from experiment.images.exif_orientation import exif_orientation
from experiment.images.header import Header, Limits, check_size, read_header
from experiment.photo_files import contents_of
from experiment.records import SourceImage

Image.preinit()  # the other plugins, now rather than within the first measured decode

__all__ = ["Limits", "read_header", "read_image"]

# EXIF orientation -> what turns the picture upright (Exif 2.32, section 4.6.4 A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(
    data: bytes, name: str, limits: Limits | None = None, true_label: str | None = None
) -> SourceImage:
    """Decode an uploaded photo.

    The size is checked before a pixel is touched. Whatever makes the pixels differ from
    what a plain decoder gives stands in `notes`; without notes `data`, the upload without its
    metadata, can be sent to any of them. `pixels` carry no metadata of the file. `decode_ms` is
    CPU time from bytes to upright sRGB. Raises ImageRefused, and nothing else, for anything that
    is not a whole photo of an allowed format within `limits` (default: Limits()).
    """
    limits = limits or Limits()
    header = read_header(data, name, limits)
    contents = contents_of(data, header.format, name)
    orientation = exif_orientation(contents.exif)
    started_s = time.thread_time()
    with _refusing(name, header):
        image = _opened(contents.picture, header, name, limits)
        image.load()
        vars(image).pop("_decoder", None)  # WebP's, which would keep two more pictures of this size
        more_notes = _colours_missing(image, contents.colours)
        image.info["icc_profile"] = contents.profile
        pixels, changes = _upright_srgb(image, orientation, contents.box)
    decode_ms = (time.thread_time() - started_s) * 1000
    return SourceImage(
        name=refusals.plain_name(name),
        data=contents.picture,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=header.media_type,
        size_bytes=len(data),
        width_px=pixels.width,
        height_px=pixels.height,
        exif_orientation=orientation,
        decode_ms=decode_ms,
        notes=(*contents.notes, *more_notes, *changes),
        true_label=true_label,
        pixels=pixels,
    )


@contextmanager
def _refusing(name: str, header: Header) -> Iterator[None]:
    """Hostile bytes make decoders raise nearly anything; people get one of our reasons."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ImageRefused:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _bomb(name, header) from error
    except MemoryError as error:
        raise refusals.too_little_memory(header.pixels) from error
    except Exception as error:
        ended_early = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise (refusals.truncated() if ended_early else refusals.damaged(name)) from error


def _bomb(name: str, header: Header) -> ImageRefused:
    """Pillow's own limit was hit: by limits set above it, or by a header that tells two sizes."""
    limit = Image.MAX_IMAGE_PIXELS or 0
    is_honest = header.pixels > limit
    return refusals.too_many_pixels(header.pixels, limit) if is_honest else refusals.damaged(name)


def _opened(data: bytes, header: Header, name: str, limits: Limits) -> ImageFile.ImageFile:
    """The decoder's own idea of the size is checked too: headers can name two."""
    image = Image.open(io.BytesIO(data), formats=(header.format,))
    check_size(image.width, image.height, name, limits)
    return image


def _colours_missing(image: Image.Image, colours: int | None) -> list[str]:
    """Pillow shows such pixels black, browsers otherwise; TensorFlow refuses them in a GIF."""
    if colours is None or image.mode not in {"P", "L"} or not any(image.histogram()[colours:]):
        return []
    return ["Some pixels have a colour that the palette lacks."]


def _upright_srgb(
    image: Image.Image, orientation: int, box: tuple[int, int, int, int] | None
) -> tuple[Image.Image, list[str]]:
    pixels, notes = to_srgb(image)
    if box is not None:  # Pillow fills what is around with a colour of the palette, browsers leave it clear
        frame, pixels = pixels.crop(box), Image.new("RGB", pixels.size, "white")
        pixels.paste(frame, box)
    if orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[orientation])
        notes.insert(0, f"Turned upright (EXIF orientation {orientation}).")
    pixels.info = {}  # comments and profiles must not reach a variant
    return pixels, notes
