"""AVIF and HEIC photos are read like all others: header first, upright, in sRGB, or refused with a reason."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image

from experiment.errors import ImageRefused
from experiment.images import header as headers
from experiment.images.header import Limits, read_header
from experiment.images.read import read_image
from experiment.images.reference import make_reference
from experiment.photo_files.av1 import largest_frame
from experiment.records import SourceImage
from tests.support.odd_photos import encoded, exif, photo, profile_with_red_and_blue_swapped
from tests.support.photo_files.boxes import full_box, grid, heic, heic_of_12_bits, with_colours, with_size
from tests.support.processes.app_process import ROOT

CLOSE = 12  # levels; both codecs lose some


def avif(image: Image.Image, **options: object) -> bytes:
    return encoded(image, "AVIF", **{"quality": 90, "subsampling": "4:4:4", **options})


WRITERS: dict[str, Callable[..., bytes]] = {"avif": avif, "heic": heic}
both = pytest.mark.parametrize("kind", WRITERS)


def quarters() -> Image.Image:
    """64 x 32 px in four colours: no turn of it looks like another."""
    image = Image.new("RGB", (64, 32), (200, 40, 40))
    image.paste((40, 180, 40), (32, 0, 64, 16))
    image.paste((40, 40, 200), (0, 16, 32, 32))
    image.paste((230, 230, 230), (32, 16, 64, 32))
    return image


def looks_like(source: SourceImage, wanted: Image.Image) -> bool:
    """Within a few levels on average, for codecs that lose some."""
    assert source.pixels is not None
    if source.pixels.size != wanted.size:
        return False
    apart = np.abs(np.asarray(source.pixels).astype(int) - np.asarray(wanted.convert("RGB")))
    return float(apart.mean()) < CLOSE


def told(data: bytes, limits: Limits | None = None, name: str = "cat") -> tuple[str, str]:
    with pytest.raises(ImageRefused) as refused:
        read_image(data, name, limits)
    return refused.value.code, refused.value.message


@both
def test_a_photo_is_read_and_its_reference_is_a_lossless_png(kind):
    source = read_image(WRITERS[kind](photo()), f"cat.{kind}")
    assert looks_like(source, photo())
    assert (source.media_type, source.notes, source.decode_ms > 0) == (f"image/{kind}", (), True)
    reference = make_reference(source)
    assert Image.open(io.BytesIO(reference.data)).tobytes() == source.pixels.tobytes()
    assert reference.encoder == "lossless PNG of the original: model servers may not read its format"


@both
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_is_turned_upright_once(kind, orientation):
    upright = quarters()
    upright.getexif()[0x0112] = orientation
    turned = upright.transpose(UPRIGHT[orientation])
    source = read_image(WRITERS[kind](quarters(), exif=exif(orientation)), "cat")
    assert looks_like(source, turned)
    assert not looks_like(source, quarters())


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@both
def test_exif_beside_the_turn_of_the_boxes_is_not_obeyed_as_well(kind):
    """As iPhones write it: both say so, and only the boxes count."""
    data = WRITERS[kind](quarters(), exif=exif(6))
    entry = data.replace(b"\x01\x12\0\x03\0\0\0\x01\0\x01", b"\x01\x12\0\x03\0\0\0\x01\0\x06")
    source = read_image(entry, "cat")
    assert looks_like(source, quarters().transpose(UPRIGHT[6]))


@both
def test_grey_transparent_and_profiled_photos_become_srgb_on_white(kind):
    grey = read_image(WRITERS[kind](photo().convert("L")), "grey")
    assert looks_like(grey, photo().convert("L")) and grey.notes == ()
    glass = Image.new("RGBA", (40, 30), (9, 9, 9, 0))
    clear = read_image(WRITERS[kind](glass), "clear")
    assert looks_like(clear, Image.new("RGB", (40, 30), "white"))
    assert clear.notes == ("Transparent parts filled with white.",)
    red = Image.new("RGB", (40, 30), (220, 30, 30))
    swapped = read_image(WRITERS[kind](red, icc_profile=profile_with_red_and_blue_swapped()), "swapped")
    assert looks_like(swapped, Image.new("RGB", (40, 30), (30, 30, 220)))
    assert "colour profile" in swapped.notes[0]


@both
def test_colours_given_by_numbers_are_converted(kind):
    green = Image.new("RGB", (40, 30), (60, 200, 60))
    plain = WRITERS[kind](green)
    assert read_image(plain, "srgb").notes == ()
    wide = read_image(with_colours(plain, 12, 13), "p3")
    assert wide.notes == ('Colours converted from the colour profile "Display P3" to sRGB.',)
    level = np.asarray(wide.pixels)[10, 10].tolist()
    assert level[1] > 202 and level[0] < 40, f"the green of Display P3 is stronger: {level}"
    hdr = read_image(with_colours(plain, 9, 16), "hdr")
    assert hdr.notes == ("The colour profile can't be used and was ignored.",)


def test_of_an_animation_the_first_frame_is_used_and_of_several_pictures_the_main_one():
    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    moving = read_image(avif(red, save_all=True, append_images=[blue, blue]), "moving")
    assert looks_like(moving, red)
    assert moving.notes == ("Only the first frame of the animation is used.",)
    several = read_image(heic(red, blue), "several")
    assert looks_like(several, red)
    assert several.notes == ("Only the main picture of the file is used.",)
    second = read_image(heic(red, blue, primary_index=1), "second")
    assert looks_like(second, blue)
    with_thumbnail = red.copy()
    with_thumbnail.info["thumbnails"] = [16]
    assert read_image(heic(with_thumbnail), "thumbnail").notes == ()


def test_a_heic_of_12_bits_and_one_of_tiles_as_iphones_write_it_are_read():
    deep = read_image(heic_of_12_bits((40, 30), 0x8080), "deep")
    assert looks_like(deep, Image.new("RGB", (40, 30), (128, 128, 128)))
    tile = photo(64, 64)
    wanted = Image.new("RGB", (120, 100))
    for place in ((0, 0), (64, 0), (0, 64), (64, 64)):
        wanted.paste(tile, place)
    tiled = grid(heic(tile), 2, 2, (120, 100), 64)
    assert (read_header(tiled, "").width_px, read_header(tiled, "").height_px) == (120, 100)
    source = read_image(tiled, "tiled")
    assert looks_like(source, wanted) and source.notes == ()


def test_general_brands_are_read_by_the_codec():
    assert read_image(branded(avif(photo()), b"mif1", b"avif"), "cat.heif").media_type == "image/avif"
    general = branded(heic(photo()), b"mif1", b"mif1")
    assert read_image(general, "cat.heif").media_type == "image/heic"
    assert read_image(branded(heic(photo()), b"mif1", b"avif"), "cat.avif").media_type == "image/heic"
    words = "cat is a HEIF file. Use JPEG, PNG, WebP, AVIF, GIF or BMP."
    for other in (general.replace(b"hvc1", b"unci"), branded(avif(photo()), b"mif1", b"mif1")):
        assert told(other) == ("format_not_allowed", words)


def branded(data: bytes, first: bytes, other: bytes) -> bytes:
    """The same file with other brands: the first, and one in place of all others."""
    length = int.from_bytes(data[:4], "big")
    return data[:8] + first + bytes(4) + other * ((length - 16) // 4) + data[length:]


@both
@pytest.mark.parametrize("missing", [0.01, 0.3, 0.6, 0.97])
def test_a_cut_photo_is_told_as_such_before_it_is_decoded(kind, missing, monkeypatch):
    data = WRITERS[kind](photo())
    cut = data[: int(len(data) * (1 - missing))]
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was started"))
    with pytest.raises(ImageRefused, match="ends too early") as refused:
        read_header(cut, f"cat.{kind}")
    assert refused.value.code == "truncated"


@both
def test_a_photo_whose_pixels_are_damaged_is_read_or_told_as_damaged_and_never_as_cut(kind):
    data = WRITERS[kind](photo(200, 150))
    at = data.index(b"mdat") + 8
    codes = set()
    for start in range(at, len(data) - 40, 500):
        for junk in (b"\xff" * 40, bytes(40)):
            try:
                read_image(data[:start] + junk + data[start + 40 :], "cat")
            except ImageRefused as refused:
                codes.add(refused.code)
    assert codes == {"damaged"}


@both
def test_the_header_alone_decides_about_too_many_pixels(kind, monkeypatch):
    huge = with_size(WRITERS[kind](photo()), 60_000, 60_000)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was started"))
    code, message = told(huge)
    assert (code, message) == (
        "too_many_pixels",
        "This photo is 3600 MP; the limit is 50 MP. Make it smaller first.",
    )


@pytest.mark.parametrize("options", [{}, {"save_all": True}], ids=["picture", "animation"])
def test_an_avif_that_decodes_to_far_more_than_its_boxes_say_is_refused_before_it_is_decoded(
    options, monkeypatch
):
    """Its decoder would make the large picture and shrink it: gigabytes for a file of a few kilobytes."""
    large = Image.new("RGB", (2000, 1500))
    further = {"append_images": [large]} if options else {}
    data = avif(large, speed=10, quality=20, **options, **further)
    assert read_header(data, "").pixels == 3_000_000
    lying = with_size(data, 64, 64)
    if options:
        at = data.index(struct.pack(">II", 2000 << 16, 1500 << 16), data.index(b"tkhd"))
        honest = data[:at] + struct.pack(">II", 64 << 16, 64 << 16) + data[at + 8 :]
        lying = with_size(honest, 64, 64)
        assert read_refused(honest) == read_refused(lying) == "damaged"
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was started"))
    assert told(lying) == (
        "damaged",
        "cat is damaged: it can't be decoded. Save it again in a photo program, or choose another.",
    )


def read_refused(data: bytes) -> str:
    with pytest.raises(ImageRefused) as refused:
        read_header(data, "cat")
    return refused.value.code


def test_the_size_of_coded_pictures_is_read_from_headers_with_all_that_may_come_before_it():
    """Put together as AV1 says (5.5), since encoders write few of these fields."""
    size = f"{10:04b}{9:04b}{1999:011b}{999:010b}"
    reduced = "000" + "11" + "00100" + size
    plain = "000" + "00" + "0" + "0" + "00000" + f"{0:012b}" + "00100" + size
    timing = "1" + f"{1:032b}{30:032b}" + "1" + "001" + "01" + "1" + f"{9:05b}{1:032b}{9:05b}{9:05b}"
    operating = f"{0:012b}" + "01000" + "1" + "1" + f"{0:010b}{0:010b}" + "0" + "1" + "1001"
    full = "000" + "00" + timing + "1" + "00001" + operating * 2 + size
    for header in (reduced, plain, full):
        content = int(header.ljust(-(-len(header) // 8) * 8, "0"), 2).to_bytes(-(-len(header) // 8), "big")
        unit = bytes([0b00001010, len(content)]) + content
        assert largest_frame(b"\x12\0" + unit + bytes(9), 100) == 2000 * 1000
        assert largest_frame(bytes([0b00001100, 0]) + content, 100) == 2000 * 1000, "to the end, with layers"
    assert largest_frame(b"", 1) == 0 and largest_frame(b"\x0a", 1) == 1
    with pytest.raises(ValueError, match="units"):
        largest_frame(b"\x12\0" * 101, 100)


def test_files_built_to_waste_time_are_told_as_such():
    tile = heic(Image.new("RGB", (512, 512)))
    assert "far more tiles" in told(grid(tile, 200, 8, (64, 64), 512))[1]
    brand = heic(photo())[:28]
    extents = full_box(b"iloc", 1, b"\0\0\xff\xff", (b"\0\1\0\0\0\0\xff\xff") * 65_535)
    names = [full_box(kind, 0, bytes(8)) for kind in (b"pitm", b"iinf", b"iprp")]
    assert "far more parts" in told(brand + full_box(b"meta", 0, *names, extents))[1]
    assert "far more parts" in told(brand + full_box(b"free", 0) * 20_000)[1]


def test_where_a_decoder_is_missing_the_sentence_says_what_to_do(monkeypatch):
    headers._is_installed.cache_clear()
    monkeypatch.setattr(headers, "find_spec", lambda _: None)
    try:
        code, message = told(heic(photo()), name="IMG_1.HEIC")
        assert code == "heic_not_supported"
        assert message.startswith(
            "This is a HEIC photo from an iPhone. Export it as JPEG and try again, or install"
        )
        code, message = told(avif(photo()), name="a.avif")
        assert code == "format_not_allowed"
        assert message.startswith(
            "a.avif is an AVIF file, which this server can't read: its image library, Pillow,"
        )
        assert headers.formats_read() == ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
    finally:
        headers._is_installed.cache_clear()


def test_the_time_of_decoding_is_that_of_one_thread_of_ours():
    assert AvifImagePlugin.DEFAULT_MAX_THREADS == 1


def test_a_heic_and_an_avif_run_as_every_photo_does_and_a_cut_one_is_answered_in_one_sentence(app):
    plan = '{"sizes_px": [64], "formats": ["jpeg"], "repeats": 3}'
    for kind, write in WRITERS.items():
        answer = app.post_run(write(photo(120, 90)), plan, f"cat.{kind}")
        assert answer.status_code == 202, answer.text
        report = app.finished(answer.json()["id"])
        assert (report["state"], report["source"]["media_type"]) == ("done", f"image/{kind}")
        (reference,) = (each for each in report["variants"] if each["is_reference"])
        assert reference["format"] == "png"
        refused = app.post_run(write(photo(120, 90))[:-20], plan, f"cut.{kind}")
        assert refused.status_code == 422 and "ends too early" in refused.text


def test_the_command_line_answers_a_cut_photo_in_one_sentence_and_exit_code_2(tmp_path: Path):
    (cut := tmp_path / "cut.avif").write_bytes(avif(photo())[:-20])
    command = [sys.executable, "-m", "experiment", str(cut), "--servers", "A:127.0.0.1:9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "ends too early" in done.stderr and "Traceback" not in done.stderr
