"""to_srgb(): any mode, depth, transparency or colour profile brought to 8-bit sRGB.

Each step takes an image and gives it back with a sentence about what it did, or None
where a plain decoder would have come to the same pixels.
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


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """`image` as mode RGB in sRGB on a white ground, with a sentence for each change.

    Reads the colour profile and the transparent colour from `image.info`. A profile that
    can't be used is ignored, which is said. May change `image` itself.
    """
    notes = []
    for step in (_in_8_bits, _opaque, _in_srgb):
        image, note = step(image)
        if note:
            notes.append(note)
    return image, notes


def _in_8_bits(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Keep the upper byte, as libpng does. Pillow itself would cut everything off at 255."""
    if not image.mode.startswith("I"):
        return image, None
    samples = np.asarray(image).clip(0, 0xFFFF).astype(np.uint16)
    reduced = Image.fromarray((samples >> 8).astype(np.uint8))
    reduced.info = {key: value for key, value in image.info.items() if key != "transparency"}
    if "transparency" in image.info:
        opaque = np.where(samples == image.info["transparency"], 0, 255).astype(np.uint8)
        reduced.putalpha(Image.fromarray(opaque))
    return reduced, None  # read_image() says it: most 16-bit files arrive here already reduced


def _opaque(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Lay what is transparent on white."""
    if not image.has_transparency_data:
        return (image if image.mode in {"L", "CMYK"} else _rgb(image)), None
    image = image.convert("RGBA")
    alpha = image.getchannel("A")
    if not any(alpha.histogram()[:_OPAQUE]):
        return _rgb(image), None
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=alpha)
    ground.info = image.info
    return ground, "Transparent parts filled with white."


def _in_srgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Apply the embedded colour profile, if it says anything but sRGB."""
    embedded = image.info.get("icc_profile")
    converted = "CMYK colours converted to sRGB." if image.mode == "CMYK" else None
    if not embedded:
        return _rgb(image), converted
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if converted is None and _is_srgb(profile, image.mode):
            return _rgb(image), None
        name = _name_of(profile)
        return _transformed(image, profile), converted or f"Colours converted from {name} to sRGB."
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, SyntaxError):
        return _rgb(image), "The colour profile can't be used and was ignored."


def _rgb(image: Image.Image) -> Image.Image:
    """Like convert(), which would copy an image that is RGB already."""
    return image if image.mode == "RGB" else image.convert("RGB")


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
