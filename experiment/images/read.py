"""read_image(): decodes a photo to upright sRGB pixels, or refuses it with a reason."""

from __future__ import annotations

import hashlib
import io
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import PIL.WebPImagePlugin  # noqa: F401  else Pillow would load all its plugins to find it
from PIL import AvifImagePlugin, Image

from experiment import refusals
from experiment.errors import ImageRefused
from experiment.file_names import plain_name
from experiment.images.colour import to_srgb
from experiment.images.header import Header, Limits, check_size, read_header
from experiment.images.heic import heic_opener
from experiment.photo_files import Contents, contents_of
from experiment.photo_files.coded_colours import profile_by_numbers
from experiment.records import SourceImage

Image.preinit()  # loads the other plugins now, not within the first measured decode
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # decode_ms is the time of this thread

# EXIF orientation -> what turns the image upright (Exif 2.32, section 4.6.4 A).
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
    """The photo in a file; `data` is all of it, `name` the file's name as uploaded.

    The size is checked before a pixel is decoded. `notes` say what makes the pixels differ from those of a
    plain decoder; without notes, SourceImage.data (the file without its metadata) can be sent to any model
    server. `decode_ms` is CPU time from bytes to upright sRGB, of this thread or, as libde265 decodes HEIC in
    one of its own, of the process. Raises ImageRefused, and nothing else, for
    anything that is not a whole photo of an allowed format within `limits` (default: Limits()).
    """
    limits = limits or Limits()
    header = read_header(data, name, limits)
    contents = contents_of(data, header.format, name)
    orientation = exif_orientation(contents.exif)
    open_image, clock = _opener(header.format)
    started_s = clock()
    with _refusing(name, header):
        image = open_image(io.BytesIO(contents.picture))
        check_size(
            image.width, image.height, name, limits
        )  # again, by the decoder: headers can have two sizes
        image.load()
        notes = [*contents.notes]
        if header.format in _BOXED and getattr(image, "is_animated", False):
            notes.append(_BOXED[header.format])
        for decoder in _DECODERS:
            vars(image).pop(decoder, None)
        palette_ends = contents.colours
        if palette_ends is not None and image.mode in {"P", "L"} and any(image.histogram()[palette_ends:]):
            # Pillow shows such pixels black, browsers otherwise; TensorFlow refuses them in a GIF.
            notes.append("Some pixels have a colour that the palette lacks.")
        if header.format in _BOXED:
            orientation = exif_orientation((image.info.get("exif") or b"").removeprefix(b"Exif\0\0"))
        image.info["icc_profile"] = _profile(image, header, contents)
        pixels, changes = _upright_srgb(image, orientation, contents.box)
    decode_ms = (clock() - started_s) * 1000
    return SourceImage(
        name=plain_name(name),
        data=contents.picture,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=header.media_type,
        size_bytes=len(data),
        width_px=pixels.width,
        height_px=pixels.height,
        exif_orientation=orientation,
        decode_ms=decode_ms,
        notes=(*notes, *changes),
        true_label=true_label,
        pixels=pixels,
    )


# What plugins keep after load(): of WebP two more images of this size, of the others the file and an image.
_DECODERS = ("_decoder", "_heif_file")
# Formats whose decoders hand out orientation and profile; the note if there are more pictures than one.
_BOXED = {
    "AVIF": "Only the first frame of the animation is used.",
    "HEIC": "Only the main picture of the file is used.",
}


def _opener(kind: str) -> tuple[Callable[[io.BytesIO], Image.Image], Callable[[], float]]:
    """What opens an image of a format, and the clock (s) that counts its decoder's time."""
    if kind == "HEIC":
        return heic_opener(), time.process_time
    return partial(Image.open, formats=(kind,)), time.thread_time


def _profile(image: Image.Image, header: Header, contents: Contents) -> bytes:
    if header.format not in _BOXED:
        return contents.profile
    embedded: bytes | None = image.info.get("icc_profile")
    if embedded or contents.coded_colours is None:
        return embedded or b""
    return profile_by_numbers(*contents.coded_colours, is_grey=image.mode in {"L", "LA", "I;16"})


@contextmanager
def _refusing(name: str, header: Header) -> Iterator[None]:
    """Turn whatever decoders raise on hostile bytes into ImageRefused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ImageRefused:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        # Pillow's own limit: `limits` allow more than it does, or the header has two sizes.
        limit = Image.MAX_IMAGE_PIXELS or 0
        if header.pixels > limit:
            raise refusals.too_many_pixels(header.pixels, limit) from error
        raise refusals.damaged(name) from error
    except MemoryError as error:
        raise refusals.too_little_memory(header.pixels) from error
    except Exception as error:
        # Boxes are known to be whole; their decoders call any damage an early end.
        ended_early = header.format not in _BOXED and (
            isinstance(error, EOFError) or "truncated" in str(error).lower()
        )
        raise (refusals.truncated() if ended_early else refusals.damaged(name)) from error


def _upright_srgb(
    image: Image.Image, orientation: int, box: tuple[int, int, int, int] | None
) -> tuple[Image.Image, list[str]]:
    pixels, notes = to_srgb(image)
    if box is not None:  # Pillow fills the rest with a colour of the palette, browsers leave it transparent
        frame, pixels = pixels.crop(box), Image.new("RGB", pixels.size, "white")
        pixels.paste(frame, box)
    if orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[orientation])
        notes.insert(0, f"Turned upright (EXIF orientation {orientation}).")
    pixels.info = {}  # comments and profiles must not reach a variant
    return pixels, notes


_TAG, _SHORT = 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8 (Exif 2.32, section 4.6.4 A); 1 if it is missing or invalid, as in browsers.

    `exif` begins with its byte order, b"II" or b"MM". XMP's orientation is ignored: editors leave it behind
    when they turn the pixels, and no browser obeys it.
    """
    order = _ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, at)
        for number in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", exif, at + 2 + _ENTRY_BYTES * number)
            if tag == _TAG:
                return value if (kind, count) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
