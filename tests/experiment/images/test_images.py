"""read_image(): every odd photo becomes upright sRGB pixels, and what was done is said."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageChops

from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.photo_files.made_profile import made_profile, power
from tests.support.odd_files import odd_files, with_chunks
from tests.support.odd_photos import (
    animation,
    chunk,
    encoded,
    exif,
    odd_photos,
    photo,
    png_of_16_bits,
    profile_with_red_and_blue_swapped,
    srgb_profile,
)

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def read(data: bytes, name: str = "cat.jpg"):
    return read_image(data, name)


def flat(colour, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (8, 8), colour)


def pixel(source) -> tuple[int, ...]:
    return source.pixels.getpixel((3, 3))


def is_close(found, wanted, levels: int = 3) -> bool:
    return all(abs(one - other) <= levels for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(name, data, id=f"{name}: {why}") for name, data, why in odd_photos()]
)
def test_an_odd_photo_becomes_rgb_without_metadata(name, data):
    source = read_image(data, name)
    assert (source.pixels.mode, source.pixels.info) == ("RGB", {})
    assert source.pixels.size == (source.width_px, source.height_px)


def test_the_source_is_described_by_its_bytes_and_not_by_its_name():
    data = encoded(photo(), "PNG")
    source = read_image(data, "C:\\cats\\tom.jpg", true_label="tabby")
    assert (source.name, source.media_type, source.true_label) == ("tom.jpg", "image/png", "tabby")
    assert (source.size_bytes, source.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (source.width_px, source.height_px, source.exif_orientation, source.notes) == (48, 32, 1, ())
    assert source.decode_ms > 0
    assert ImageChops.difference(source.pixels, photo()).getbbox() is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_show_the_same_upright_picture(orientation):
    """A camera held at each angle stores the picture turned, and says so."""
    turned_by = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what a camera does, the inverse of ours
    stored = photo()
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(turned_by[orientation]))
    source = read(encoded(stored, "PNG", exif=exif(orientation)))
    assert ImageChops.difference(source.pixels, photo()).getbbox() is None
    assert source.exif_orientation == orientation
    assert source.notes == (
        () if orientation == 1 else (f"Turned upright (EXIF orientation {orientation}).",)
    )


@pytest.mark.parametrize("orientation", [0, 9, None])
def test_an_orientation_that_does_not_exist_is_taken_as_upright(orientation):
    source = read(encoded(photo(), "JPEG", exif=exif(orientation)))
    assert (source.exif_orientation, source.pixels.size) == (1, (48, 32))


def test_transparency_is_laid_on_white_and_said():
    half = flat((255, 0, 0, 128), "RGBA")
    source = read(encoded(half, "PNG"))
    assert is_close(pixel(source), (255, 127, 127), 1)
    assert source.notes == ("Transparent parts filled with white.",)


def test_an_alpha_channel_that_hides_nothing_is_no_change():
    assert read(encoded(flat((255, 0, 0, 255), "RGBA"), "PNG")).notes == ()


def test_a_transparent_colour_becomes_white_also_with_16_bits():
    source = read(png_of_16_bits(0, 1, chunk(b"tRNS", b"\x01\x00")))
    assert source.pixels.getpixel((0, 0)) == WHITE
    assert source.pixels.getpixel((1, 0)) == (0x11, 0x11, 0x11)


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3)])
def test_16_bits_are_reduced_to_the_upper_8(colour, samples):
    source = read(png_of_16_bits(colour, samples))
    first, second = source.pixels.getpixel((0, 0)), source.pixels.getpixel((1, 0))
    assert first == ((1, 1, 1) if samples == 1 else (0x01, 0x11, 0x21))
    assert second == ((0x11,) * 3 if samples == 1 else (0x31, 0x41, 0x51))
    assert source.notes == ("16 bits per channel reduced to 8.",)


def test_cmyk_is_read_as_ink_and_not_inverted():
    source = read(encoded(flat((0, 255, 255, 0), "CMYK"), "JPEG", quality=95))
    assert is_close(pixel(source), RED)
    assert source.notes == ("CMYK colours converted to sRGB.",)


def test_a_palette_keeps_its_colours():
    assert read(encoded(flat(RED).quantize(2), "PNG")).pixels.getpixel((0, 0)) == RED


def test_a_colour_profile_other_than_srgb_is_applied():
    source = read(encoded(flat(RED), "PNG", icc_profile=profile_with_red_and_blue_swapped()))
    assert is_close(pixel(source), BLUE)
    assert len(source.notes) == 1
    assert source.notes[0].startswith("Colours converted from the colour profile")


def test_an_srgb_profile_changes_nothing():
    source = read(encoded(photo(), "PNG", icc_profile=srgb_profile()))
    assert source.notes == ()
    assert ImageChops.difference(source.pixels, photo()).getbbox() is None


@pytest.mark.parametrize("profile", [b"junk" * 50, profile_with_red_and_blue_swapped()[:300]])
def test_a_broken_colour_profile_is_ignored_and_said(profile):
    source = read(encoded(flat(RED), "PNG", icc_profile=profile))
    assert pixel(source) == RED
    assert source.notes == ("The colour profile can't be used and was ignored.",)


def test_colours_told_by_numbers_are_converted_like_those_of_a_profile():
    """(215, 93, 31) is what this colour of Display P3 is in sRGB, by Chromium too."""
    plain = encoded(flat((200, 100, 50)), "PNG")
    source = read(with_chunks(plain, chunk(b"cICP", bytes((12, 13, 0, 1)))))
    assert is_close(pixel(source), (215, 93, 31), 1)
    assert source.notes == ('Colours converted from the colour profile "Display P3" to sRGB.',)
    assert read(with_chunks(plain, chunk(b"cICP", bytes((1, 13, 0, 1))))).notes == ()
    assert read(with_chunks(plain, chunk(b"cICP", bytes((9, 16, 0, 1))))).notes == (
        "The colour profile can't be used and was ignored.",
    )


def test_a_gamma_counts_where_nothing_better_is_told_and_it_is_not_the_usual_one():
    plain = encoded(flat((200, 100, 50)), "PNG")
    linear, usual = (chunk(b"gAMA", number.to_bytes(4, "big")) for number in (100_000, 45_455))
    assert is_close(pixel(read(with_chunks(plain, linear))), (229, 168, 122), 1)
    assert read(with_chunks(plain, usual)).notes == ()
    assert read(with_chunks(plain, chunk(b"sRGB", b"\0"), linear)).notes == ()


def test_a_grey_picture_has_the_same_colours_with_and_without_transparency():
    profile = made_profile("Grey of gamma 1", power(1.0), None)
    grey = encoded(flat(100, "L"), "PNG", icc_profile=profile)
    glassy = encoded(flat((100, 255), "LA"), "PNG", icc_profile=profile)
    assert pixel(read(grey)) == pixel(read(glassy)) == (168, 168, 168)
    half = read(encoded(flat((100, 128), "LA"), "PNG", icc_profile=profile))
    assert is_close(pixel(half), (211, 211, 211), 1)
    assert half.notes == (
        'Colours converted from the colour profile "Grey of gamma 1" to sRGB.',
        "Transparent parts filled with white.",
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_in_xmp_alone_turns_nothing(kind):
    name = f"orientation in XMP.{'jpg' if kind == 'JPEG' else kind.lower()}"
    source = read(dict(odd_files())[name])
    assert (source.width_px, source.exif_orientation, source.notes) == (48, 1, ())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_used(kind):
    source = read(animation(kind, 3, **({"lossless": True} if kind == "WEBP" else {})))
    assert "Only the first frame of the animation is used." in source.notes
    difference = np.asarray(ImageChops.difference(source.pixels, photo(24, 16, 0)))
    assert difference.mean() < (5 if kind == "GIF" else 0.01)  # a GIF has 256 colours


def test_a_gif_frame_smaller_than_its_canvas_is_said():
    data = bytearray(encoded(flat(3, "P"), "GIF"))
    at = data.index(b"\x2c\0\0\0\0\x08\0\x08\0")
    data[6:10] = b"\x10\0\x10\0"  # the canvas is now 16 x 16 px, the frame still 8 x 8
    assert data[at : at + 1] == b"\x2c"
    source = read(bytes(data))
    assert (source.width_px, source.notes) == (16, ("The first frame laid on its whole canvas.",))


def test_the_limits_are_the_callers():
    data = encoded(photo(), "PNG")
    assert read_image(data, "cat.png", Limits(48 * 32, len(data), 48)).width_px == 48
