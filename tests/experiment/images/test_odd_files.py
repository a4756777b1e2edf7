"""A whole photo in an odd file is read as browsers and servers read it, and sent without its metadata."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import numpy as np
import pytest
import requests

from experiment.images.read import read_image
from experiment.images.reference import make_reference
from experiment.images.variants import make_variants
from experiment.measure.plan import parse_plan
from experiment.records import SourceImage
from serving import images
from tests.support.broken_files import random_damage
from tests.support.models.tensorflow_pixels import ask
from tests.support.odd_files import (
    MANY_SCAN_MARKS,
    exif_with_thumbnail,
    odd_files,
    segment,
    with_chunks,
    with_segments,
)
from tests.support.odd_photos import CANARY, chunk, encoded, exif, photo, srgb_profile

FILES = dict(odd_files())
JPEG_LEVELS = 2.5  # on average: model servers decode JPEG with the fast integer DCT
# Whatever else a photo says of itself, by how it begins.
METADATA = (CANARY, b"Exif\0", b"ICC_PROFILE", b"eXIf", b"iCCP", b"xmpmeta", b"8BIM", b"Adobe_CM", b"JFXX")
CHROMIUM_REFUSES = {
    "lossless.jpg": "its JPEG decoder has no lossless process",
    "a frame without an animation.png": "it counts as a broken animation",
    "rows in three chunks.png": "rows must stand together; Pillow's library and TensorFlow's read them here",
    "last row not filled up.bmp": "one byte is missing behind the last pixel",
}
CHROMIUM_DIFFERS = {
    "HDR by cICP.png": "it maps the tones of HDR; here they stay, and the report says so",
    "palette with 3 colours missing.png": "a colour that is not there is anyone's guess; the report says so",
    "no colours.gif": "so are those of a GIF without any; the report says so",
    "orientation 3.webp": "it does not obey EXIF in WebP; resize_worker.js turns the photo itself",
    "orientation 6.webp": "the same",
}
CHROMIUM_LEVELS = 0.5  # on average, of 255: colours and transparency are rounded otherwise


def each_file():
    return pytest.mark.parametrize("name", FILES)


def read(name: str) -> SourceImage:
    return read_image(FILES[name], name)


@pytest.fixture(scope="module")
def by_tensorflow(tmp_path_factory) -> dict[str, np.ndarray | str]:
    """What TensorFlow makes of each reference, by name."""
    questions = [("decode", make_reference(read(name)).data) for name in FILES]
    answers = ask(tmp_path_factory.mktemp("tensorflow"), questions)
    return dict(zip(FILES, answers, strict=True))


@each_file()
def test_tensorflow_and_the_server_read_from_the_reference_what_the_copies_are_made_of(by_tensorflow, name):
    source, found = read(name), by_tensorflow[name]
    assert not isinstance(found, str), found
    reference = make_reference(source)
    limit = JPEG_LEVELS if reference.format == "jpeg" else 0
    assert np.abs(found.astype(int) - np.asarray(source.pixels)).mean() <= limit
    assert np.array_equal(found, images.decode(reference.data))


def test_a_damaged_file_that_is_taken_is_none_that_tensorflow_refuses(tmp_path):
    taken = []
    for number, (_, data, _) in zip(range(900), random_damage(3), strict=False):
        try:
            reference = make_reference(read_image(data, f"{number}.jpg"))
        except Exception as refused:
            assert type(refused).__name__ == "ImageRefused"
            continue
        taken.append(reference)
    as_uploaded = [each for each in taken if each.encoder.startswith("as uploaded")]
    assert len(as_uploaded) > 100
    answers = ask(tmp_path, [("decode", each.data) for each in as_uploaded])
    assert [answer for answer in answers if isinstance(answer, str)] == []


IN_CHROMIUM = """async (file) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const turned = { imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(new Blob([bytes]), turned).catch(() => null);
  if (!bitmap) return null;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  const levels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.width, canvas.height, btoa(String.fromCharCode(...levels))];
}"""


@pytest.mark.browser
def test_chromium_reads_the_same_pixels_or_the_table_says_why_not(browser):
    context = browser.new_context()
    page = context.new_page()
    found = {}
    for name, data in FILES.items():
        answer = page.evaluate(IN_CHROMIUM, base64.b64encode(data).decode())
        found[name] = None if answer is None else _distance(answer, read(name))
    context.close()
    assert {name for name, distance in found.items() if distance is None} == set(CHROMIUM_REFUSES)
    differing = {
        name for name, distance in found.items() if distance is not None and distance > CHROMIUM_LEVELS
    }
    assert differing == set(CHROMIUM_DIFFERS)


def _distance(answer: tuple[int, int, str], source: SourceImage) -> float:
    width_px, height_px, levels = answer
    if (width_px, height_px) != (source.width_px, source.height_px):
        return 255.0
    theirs = np.frombuffer(base64.b64decode(levels), np.uint8).reshape(height_px, width_px, 4)[..., :3]
    return float(np.abs(theirs.astype(int) - np.asarray(source.pixels)).mean())


@each_file()
def test_no_variant_holds_a_byte_of_the_photos_metadata(name):
    plan = parse_plan({"sizes_px": [16], "formats": ["png", "jpeg", "webp"]})
    for variant in make_variants(read(name), plan):
        assert [each for each in METADATA if each in variant.data] == [], variant.id


def telling_photo(kind: str) -> bytes:
    """A photo that says where and by whom it was taken in every way there is."""
    if kind == "PNG":
        texts = (chunk(b"tEXt", b"Comment\0" + CANARY), chunk(b"eXIf", exif(1).removeprefix(b"Exif\0\0")))
        return with_chunks(encoded(photo(240, 160), "PNG", icc_profile=srgb_profile()), *texts) + CANARY
    more = (
        segment(0xE0, b"JFXX\0\x10" + CANARY),
        segment(0xE1, exif(1)),
        segment(0xE1, exif_with_thumbnail()),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY),
        segment(0xED, b"Photoshop 3.0\x008BIM" + CANARY),
        segment(0xFE, CANARY),
    )
    return with_segments(encoded(photo(240, 160), "JPEG", icc_profile=srgb_profile()), *more) + CANARY


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_run_sends_and_exports_nothing_of_the_photos_metadata(app, kind):
    data = telling_photo(kind)
    plan = json.dumps({"sizes_px": [64], "formats": ["jpeg"], "warmups": 0, "repeats": 1})
    answer = requests.post(
        f"{app.url}/api/runs", files={"file": ("cat", data)}, data={"plan": plan}, timeout=60
    )
    report = app.finished(answer.json()["id"])
    source, reference = report["source"], report["variants"][0]
    assert source["size_bytes"] == len(data) > reference["size_bytes"]
    assert source["notes"] == []
    assert (reference["format"], reference["encoder"]) == (kind.lower(), "as uploaded, without metadata")
    assert reference["percent_of_original"] == round(100 * reference["size_bytes"] / len(data), 1)
    address = f"{app.url}/api/runs/{report['run_id']}"
    exports = [
        requests.get(address + ending, timeout=60).content
        for ending in ("", ".json", ".csv", ".html", ".zip", "/variants/original", "/figures")
    ]
    with zipfile.ZipFile(io.BytesIO(exports[4])) as archive:
        exports += [archive.read(each) for each in archive.namelist()]
    for export in exports:
        assert [each for each in METADATA if each in export] == []


def test_only_scans_of_the_picture_itself_count_as_passes():
    for name, data in FILES.items():
        if MANY_SCAN_MARKS in data:
            assert read(name).width_px == 48
