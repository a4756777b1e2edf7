"""to_srgb(): any mode, depth, transparency or colour profile brought to 8-bit sRGB.

Colours are converted before they are laid on white, as in a browser. A sentence tells each change;
none is made, and none told, where a plain decoder would have come to the same pixels.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageCms

# Real sRGB profiles differ from each other by a level or two of 255. That is less than
# resizing changes, so such a profile counts as sRGB.
SRGB_TOLERANCE = 2

_OPAQUE = 255  # below this a pixel lets something through
_INVERTED = [_OPAQUE - level for level in range(256)]


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """`image` as mode RGB in sRGB on a white ground, with a sentence for each change.

    Reads the colour profile and the transparent colour from `image.info`. A profile that
    can't be used is ignored, which is said. Takes `image` over: large ones are let go on the way.
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
    """Keep the upper byte, as libpng does. Pillow itself would cut everything off at 255."""
    if not image.mode.startswith("I"):
        return image
    samples = np.asarray(image).astype(np.uint16, copy=False)
    reduced = Image.fromarray((samples >> 8).astype(np.uint8))
    if "transparency" in image.info:
        opaque = (samples != image.info["transparency"]).astype(np.uint8) * np.uint8(_OPAQUE)
        reduced.putalpha(Image.fromarray(opaque))
    return reduced


def _apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours, of mode L, CMYK or RGB, and what is transparent; None: nothing is.

    Apart, because a profile is one of colours: one for grey would fit no RGB.
    """
    if not image.has_transparency_data:
        return (image if image.mode in {"L", "CMYK"} else _converted(image, "RGB")), None
    is_grey = image.mode in {"1", "L", "LA", "La"}
    image = _converted(image, "LA" if is_grey else "RGBA")
    alpha = image.getchannel("A")
    colours = _converted(image, "L" if is_grey else "RGB")
    return colours, alpha if any(alpha.histogram()[:_OPAQUE]) else None


def _in_srgb(image: Image.Image, embedded: bytes | None) -> tuple[Image.Image, str | None]:
    """Apply the colour profile, if it says anything but sRGB."""
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
    """Like convert(), which would copy an image that has this mode already and keep both."""
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
    """Whether the profile leaves a sample of all colours as it is. Names can't be trusted."""
    sample = _sample_of_all_colours(mode)
    after = _transformed(sample.copy(), profile)
    change = np.asarray(after).astype(int) - np.asarray(sample.convert("RGB"))
    return int(np.abs(change).max()) <= SRGB_TOLERANCE


def _sample_of_all_colours(mode: str) -> Image.Image:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[np.newaxis, :])
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(cube.reshape(len(levels), -1, 3))


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _name_of(profile: ImageCms.ImageCmsProfile) -> str:
    told = (profile.profile.profile_description or "").strip()
    shown = "".join(char for char in told if char.isprintable())[:60]
    return f'the colour profile "{shown}"' if shown else "their own colour profile"
