"""to_srgb(): an image of any mode, depth, transparency or colour profile as 8-bit sRGB.

Colours are converted before transparent pixels are filled with white, as browsers do it. Every change has a
note. Without a note, a plain decoder would have read the same pixels.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageCms

# Real sRGB profiles differ from each other by one or two levels of 255, less than resizing changes.
SRGB_TOLERANCE = 2

_OPAQUE = 255  # alpha; pixels below it are transparent to a degree
_INVERTED = [_OPAQUE - level for level in range(256)]


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """`image` as mode RGB in sRGB on white, and a note (a sentence) for each change.

    Reads colour profile and transparent colour from `image.info`. A profile that can't be used is ignored,
    with a note. `image` can't be used afterwards: its memory is freed on the way.
    """
    embedded = image.info.get("icc_profile")
    colours, alpha = _apart(_in_8_bits(image))
    converted, note = _in_srgb(colours, embedded)
    notes = [note] if note else []
    if alpha is not None:
        converted.paste("white", mask=alpha.point(_INVERTED))
        notes.append("Transparent parts filled with white.")
    return converted, notes


def _in_8_bits(image: Image.Image) -> Image.Image:
    """16-bit samples as their upper byte, as libpng does it. Pillow itself would clip them at 255."""
    if not image.mode.startswith("I"):
        return image
    samples = np.asarray(image).astype(np.uint16, copy=False)
    reduced = Image.fromarray((samples >> 8).astype(np.uint8))
    if "transparency" in image.info:
        opaque = (samples != image.info["transparency"]).astype(np.uint8) * np.uint8(_OPAQUE)
        reduced.putalpha(Image.fromarray(opaque))
    return reduced


def _apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours (mode L, CMYK or RGB) and the alpha channel; None: nothing is transparent.

    They are separated because a profile is for colours alone, and one for grey doesn't fit RGB.
    """
    if not image.has_transparency_data:
        return (image if image.mode in {"L", "CMYK"} else _converted(image, "RGB")), None
    is_grey = image.mode in {"1", "L", "LA", "La"}
    image = _converted(image, "LA" if is_grey else "RGBA")
    alpha = image.getchannel("A")
    colours = _converted(image, "L" if is_grey else "RGB")
    return colours, alpha if any(alpha.histogram()[:_OPAQUE]) else None


def _in_srgb(image: Image.Image, embedded: bytes | None) -> tuple[Image.Image, str | None]:
    """The image converted from its colour profile, if that differs from sRGB, and the note for it."""
    converted = "CMYK colours converted to sRGB." if image.mode == "CMYK" else None
    if not embedded:
        return _converted(image, "RGB"), converted
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if converted is None and _is_srgb(profile, image.mode):
            return _converted(image, "RGB"), None
        name = _name_of(profile)
        return _transformed(image, profile), converted or f"Colours converted from {name} to sRGB."
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, SyntaxError):
        return _converted(image, "RGB"), "The colour profile can't be used and was ignored."


def _converted(image: Image.Image, mode: str) -> Image.Image:
    """Like convert(), but without a copy if the mode is right already, and freeing the original."""
    if image.mode == mode:
        return image
    result = image.convert(mode)
    image.close()
    return result


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(profile, _srgb(), image.mode, "RGB")
    if image.mode == "RGB":
        ImageCms.applyTransform(image, transform, inPlace=True)
        return image
    result = ImageCms.applyTransform(image, transform)
    assert result is not None  # noqa: S101  None only where done in place
    return result


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether the profile leaves a sample of all colours nearly unchanged. Its name can't be trusted."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == "L":
        sample = Image.fromarray(levels[np.newaxis, :])
    else:
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
        sample = Image.fromarray(cube.reshape(len(levels), -1, 3))
    after = _transformed(sample.copy(), profile)
    change = np.asarray(after).astype(int) - np.asarray(sample.convert("RGB"))
    return int(np.abs(change).max()) <= SRGB_TOLERANCE


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _name_of(profile: ImageCms.ImageCmsProfile) -> str:
    name = (profile.profile.profile_description or "").strip()
    shown = "".join(char for char in name if char.isprintable())[:60]
    return f'the colour profile "{shown}"' if shown else "their own colour profile"
