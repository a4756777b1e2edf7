"""What can't be read is refused with a stable code and words that say what to do next."""

from __future__ import annotations

import warnings
import zlib
from functools import cache
from itertools import islice

import pytest
from PIL import Image

from experiment.errors import IMAGE_CODES, ImageRefused
from experiment.images.header import Limits, read_header
from experiment.images.read import read_image
from experiment.records import SourceImage
from tests.support.broken_files import OTHER_FILES, bomb_png, broken_files, jpeg_with_passes, random_damage
from tests.support.odd_photos import chunk, encoded, odd_photos, photo, png

USE = "Use JPEG, PNG, WebP, AVIF, GIF or BMP."
ENDS_EARLY = (
    "The file ends too early; it may not have finished downloading. Download it again, or choose another."
)
DAMAGED = "cat.jpg is damaged: it can't be decoded. Save it again in a photo program, or choose another."


@cache
def by_reason() -> dict[str, bytes]:
    return {why: data for _, data, why in broken_files(count=150)}


def refusal(data: bytes, name: str = "cat.jpg", limits: Limits | None = None) -> ImageRefused:
    with pytest.raises(ImageRefused) as caught:
        read_image(data, name, limits)
    assert caught.value.http_status == IMAGE_CODES[caught.value.code]
    return caught.value


def told(data: bytes, name: str = "cat.jpg", limits: Limits | None = None) -> tuple[str, str]:
    error = refusal(data, name, limits)
    return error.code, error.message


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("notes.pdf", "not_an_image", f"notes.pdf is not a photo we can read. {USE}"),
        ("BMW.txt", "not_an_image", f"BMW.txt is not a photo we can read. {USE}"),
        ("cat.svg", "format_not_allowed", f"cat.svg is an SVG file. {USE}"),
        ("scan.tif", "format_not_allowed", f"scan.tif is a TIFF file. {USE}"),
        ("cat.heic", "truncated", ENDS_EARLY),
        ("cat.avif", "truncated", ENDS_EARLY),
        ("empty.jpg", "empty_file", "empty.jpg is empty. Save or download it again, or choose another."),
        ("start.jpg", "truncated", ENDS_EARLY),
    ],
)
def test_another_kind_of_file_is_named(name, code, message):
    assert told(OTHER_FILES[name][0], name) == (code, message)


def test_a_photo_of_too_many_pixels_is_refused_with_both_numbers():
    limits = Limits(max_pixels=1000)
    assert told(encoded(photo(48, 32), "PNG"), limits=limits) == (
        "too_many_pixels",
        "This photo is 0.002 MP; the limit is 0.001 MP. Make it smaller first.",
    )
    code, message = told(bomb_png(7800, 7800))
    assert (code, message) == (
        "too_many_pixels",
        "This photo is 61 MP; the limit is 50 MP. Make it smaller first.",
    )


def test_numbers_near_the_limit_never_look_equal_to_it():
    assert "This photo is 50.2 MP; the limit is 50 MP." in refusal(bomb_png(50_200, 1000)).message


def test_a_file_of_too_many_bytes_is_refused_with_both_numbers():
    assert told(bytes(38_000_000)) == (
        "too_many_bytes",
        "This photo is 38 MB; the limit is 20 MB. Make it smaller first.",
    )


def test_a_side_that_is_too_long_is_refused():
    assert refusal(encoded(Image.new("L", (65_001, 1)), "PNG")).code == "side_too_long"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("missing", [0.01, 0.3, 0.6])
def test_a_cut_file_is_told_as_such(kind, missing):
    data = encoded(photo(), kind)
    assert told(data[: int(len(data) * (1 - missing))]) == ("truncated", ENDS_EARLY)


@pytest.mark.parametrize(
    "why",
    [
        "claims twice the rows it has",
        "wrong checksum of the header",
        "wrong checksum of the pixels",
        "a colour type that does not exist",
        "no width",
        "a small GIF whose frame is huge",
        "a JPEG that never says its size",
    ],
)
def test_a_lying_file_is_refused_as_damaged(why):
    assert told(by_reason()[why]) == ("damaged", DAMAGED)


@pytest.mark.parametrize(
    ("why", "parts"),
    [
        ("64 000 text chunks", "chunks"),
        ("a JPEG of 3 000 passes", "passes"),
        ("200 000 empty JPEG segments", "segments"),
    ],
)
def test_a_file_built_to_waste_time_is_told_as_such(why, parts):
    assert told(by_reason()[why]) == (
        "damaged",
        f"cat.jpg has far more {parts} than photos have, which would take too long to read. "
        "Save it again in a photo program, or choose another.",
    )


def test_passes_over_a_large_picture_are_fewer():
    data = encoded(Image.new("L", (6000, 6000)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert "far more passes" in refusal(data[:-2] + 30 * last + data[-2:]).message


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            "icon.png",
            encoded(photo(), "PNG")[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + encoded(photo(), "PNG")[8:],
            "icon.png is a PNG as Xcode writes it for iOS apps (CgBI), which browsers and models can't read. "
            "Save it as an ordinary JPEG or PNG.",
        ),
        (
            "scan.jpg",
            encoded(photo(), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
            "scan.jpg is a JPEG with 12 bits per channel instead of 8, which browsers and models can't "
            "read. Save it as an ordinary JPEG or PNG.",
        ),
    ],
)
def test_a_kind_that_nobody_reads_is_named_for_what_it_is(name, data, words):
    assert told(data, name) == ("format_not_allowed", words)


@pytest.mark.parametrize("extra", [chunk(b"IHDR", bytes(13)), chunk(b"PLTE", bytes(6)), chunk(b"ABCD", b"x")])
def test_two_headers_or_palettes_or_a_needed_chunk_that_nobody_knows_are_damage(extra):
    data = encoded(photo().quantize(2), "PNG")
    assert refusal(data[:33] + extra + data[33:]).code == "damaged"


def test_ordinary_progressive_photos_have_few_enough_passes():
    assert read_image(jpeg_with_passes(20), "cat.jpg").width_px == 48


def test_an_interlaced_png_has_all_its_rows():
    """Adam7 stores 5 x 3 px, here with the values 10 y + x, in six passes. Pillow can't write it."""
    passes = [[[0]], [[4]], [[2]], [[20, 22, 24]], [[1, 3], [21, 23]], [[10, 11, 12, 13, 14]]]
    rows = b"".join(b"\0" + bytes(row) for rows in passes for row in rows)
    source = read_image(_interlaced_png(5, 3, rows), "cat.png")
    assert source.pixels.getchannel("R").tobytes() == bytes([*range(5), *range(10, 15), *range(20, 25)])
    assert refusal(_interlaced_png(5, 3, rows[:-1])).code == "damaged"


def _interlaced_png(width_px: int, height_px: int, rows: bytes) -> bytes:
    plain = png(width_px, height_px, 8, 0, zlib.compress(rows))
    header = plain[16:28] + b"\x01"
    return plain[:8] + chunk(b"IHDR", header) + plain[33:]


def test_the_header_alone_decides_about_bombs(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was started"))
    for why, data in by_reason().items():
        if why.endswith("by its header") or "unpack to" in why:
            assert refusal(data).code == "too_many_pixels", why
    assert refusal(by_reason()["over 20 MB"]).code == "too_many_bytes"


def test_the_header_says_what_the_decoder_finds():
    for name, data, _ in odd_photos():
        header = read_header(data, name)
        source = read_image(data, name)
        assert header.media_type == source.media_type
        assert {header.width_px, header.height_px} == {source.width_px, source.height_px}


def test_pillows_own_limit_is_a_refusal_too(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert refusal(encoded(photo(), "PNG")).code == "too_many_pixels"


def test_a_decoder_that_runs_out_of_memory_is_a_refusal(monkeypatch):
    def without_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", without_memory)
    code, message = told(encoded(Image.new("RGB", (2000, 1500)), "PNG"))
    assert code == "too_many_pixels"
    assert message == "This photo is 3 MP, more than this server has memory for. Make it smaller first."


@pytest.mark.parametrize(
    "error", [SyntaxError, OSError, ValueError, EOFError, IndexError, TypeError, KeyError]
)
def test_whatever_a_decoder_raises_becomes_a_refusal(monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error("made up")

    monkeypatch.setattr(Image, "open", fail)
    assert refusal(encoded(photo(), "PNG")).code in {"damaged", "truncated"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.txt", "cat.txt"),
        ("cat\x00\n\x1b[31m.txt", "cat[31m.txt"),
        ("", "The file"),
        ("a" * 200 + ".txt", "a" * 67 + "..." + "aaaaaa.txt"),
    ],
)
def test_a_message_shows_the_plain_name(name, shown):
    assert refusal(b"no photo", name).message == f"{shown} is not a photo we can read. {USE}"


def test_400_broken_files_give_a_photo_or_a_refusal_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcomes = [_outcome(name, data) for name, data, _ in broken_files(seed=7, count=400)]
    assert len(outcomes) == 400
    assert set(IMAGE_CODES) - {"heic_not_supported"} < set(outcomes)


def _outcome(name: str, data: bytes) -> str:
    try:
        source = read_image(data, name)
    except ImageRefused as refused:
        return refused.code
    assert isinstance(source, SourceImage)
    return "read"


def test_the_same_seed_gives_the_same_broken_files():
    first, again, other = (list(islice(random_damage(seed), 10)) for seed in (3, 3, 4))
    assert first == again != other
