"""AVIF: what is written, what the model server reads of it, and a run with both, in real processes."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import AvifImagePlugin, Image

import serving  # noqa: F401  # isort: skip  # first: it keeps TensorFlow's Python out of this process
import openvino as ov
from openvino import opset13 as ops

from experiment.images.avif import LARGE_PIXELS, encode_avif
from experiment.images.formats import FORMATS
from experiment.images.read import read_image
from experiment.images.resize import likeness
from experiment.images.variants import make_variants
from experiment.records import Plan
from serving import images
from serving.images import ImageRefused
from serving.images.refused import PIXEL_LIMIT
from tests.support.odd_photos import encoded, exif, photo, profile_with_red_and_blue_swapped
from tests.support.processes.app_process import CAT, ROOT, App, running_app
from tests.support.processes.browser import visiting
from tests.support.processes.serving_process import MODEL, ServingProcess, start_server

COLOURS = ["red", "green", "blue"]
STOCK_MODEL = """
import sys, tensorflow as tf
labels = tf.constant(["red", "green", "blue"])
def one(image):
    levels = tf.io.decode_image(image, 3, expand_animations=False)
    return tf.reduce_mean(tf.cast(levels, tf.float32), [0, 1]) / 255
def answer(images):
    scores = tf.map_fn(one, images, fn_output_signature=tf.TensorSpec([3], tf.float32))
    top = tf.math.top_k(tf.nn.softmax(scores), 3)
    return {"classes": tf.gather(labels, top.indices), "scores": top.values}
module = tf.Module()
module.f = tf.function(answer, [tf.TensorSpec([None], tf.string, name="images")])
tf.saved_model.save(module, sys.argv[1], signatures={"predict_images": module.f})
"""
# Found before site-packages, so that every process of the app has a Pillow as without libavif.
WITHOUT_AVIF = 'import sys\nsys.modules["PIL._avif"] = None\n'


def avif(image: Image.Image, **options: object) -> bytes:
    return encoded(image, "AVIF", **options)


def plain(*rgb: int) -> Image.Image:
    return Image.new("RGB", (40, 30), rgb)


@pytest.fixture(scope="module")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base path of an IR that takes 8 x 8 pixels and says which colour they have most of."""
    base = tmp_path_factory.mktemp("colours")
    (version := base / "1").mkdir()
    pixels = ops.parameter([-1, 8, 8, 3], np.float32, name="pixels")
    pixels.output(0).set_names({"pixels"})
    mean = ops.reduce_mean(pixels, np.array([1, 2]), keep_dims=False)
    mean.output(0).set_names({"logits"})
    ov.save_model(ov.Model([mean], [pixels], "colours"), version / "model.xml", compress_to_fp16=False)
    (version / "assets.extra").mkdir()
    card = {
        "labels": COLOURS,
        "pixels": {
            "input": "pixels",
            "output": "logits",
            "side_px": [8, 8],
            "scale": 1 / 255,
            "softmax": True,
        },
    }
    (version / "assets.extra" / "pixelcost.json").write_text(json.dumps(card))
    return base


@pytest.fixture(scope="module")
def reader(colour_model: Path) -> Iterator[ServingProcess]:
    """A server that decodes outside the graph."""
    with start_server("--runtime", "openvino", "--cpus", "1", model_dir=colour_model) as server:
        yield server


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """A server of a SavedModel whose graph decodes with TensorFlow's own decode_image."""
    base = tmp_path_factory.mktemp("stock")
    done = ran("-c", STOCK_MODEL, str(base / "1"))
    assert done.returncode == 0, done.stderr
    with start_server("--cpus", "1", model_dir=base) as server:
        yield server


def both(reader: ServingProcess, stock: ServingProcess) -> str:
    return f"Reads:{reader.grpc_address};Stock:{stock.grpc_address}"


def ran(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, *arguments], {**os.environ, **environ}
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def cells_left_out(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Cells of which no request was sent, and none failed."""
    assert not any(each["failures"] for each in report["cells"])
    return {(each["backend_name"], each["variant_id"]) for each in report["cells"] if each["not_sent"]}


def asked_over_rest(server: ServingProcess, data: bytes) -> requests.Response:
    body = {"signature_name": "predict_images", "instances": [{"b64": base64.b64encode(data).decode()}]}
    return requests.post(f"{server.rest_url}:predict", json=body, timeout=60)


# What is written


def test_the_same_picture_gives_the_same_bytes_also_side_by_side_and_without_metadata():
    source = read_image(encoded(photo(300, 200), "JPEG", quality=95, exif=exif(6)), "cat.jpg")
    plan = Plan(sizes_px=(256, 64), formats=("avif",), avif_qualities=(65, 30))
    first, second = (make_variants(source, plan)[1:] for _ in range(2))
    assert [each.id for each in first] == ["256-avif-65", "256-avif-30", "64-avif-65", "64-avif-30"]
    assert [each.sha256 for each in first] == [each.sha256 for each in second]
    for each in first:
        image = Image.open(io.BytesIO(each.data))
        assert (image.format, image.size, image.mode) == ("AVIF", (each.width_px, each.height_px), "RGB")
        assert not {"exif", "icc_profile", "xmp"} & set(image.info)
        assert each.encoder.startswith("Pillow ")
        assert each.encoder.endswith(f", q{each.quality}, 4:2:0, speed 6")


def test_the_bytes_do_not_depend_on_the_number_of_cores():
    """libaom writes others with two threads; a process held to one core must make the same."""
    script = (
        "import os, sys, hashlib\n"
        "cores = sorted(os.sched_getaffinity(0))\n"
        "os.sched_setaffinity(0, cores[:int(sys.argv[1])])\n"
        "from experiment.images.avif import encode_avif\n"
        "from tests.support.odd_photos import photo\n"
        "print(hashlib.sha256(encode_avif(photo(700, 500), 65)).hexdigest())\n"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", script, count],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for count in ("1", "8")
    ]
    assert made[0] == made[1] != ""


def test_one_large_picture_is_encoded_at_a_time(monkeypatch):
    """Each takes 25 bytes of memory per pixel: a 50 MP photo 1.2 GB."""
    depths: list[int] = []
    real = Image.Image.save

    def save(self: Image.Image, *arguments: object, **options: object) -> None:
        from experiment.images.avif import _large_turn

        depths.append(_large_turn.locked())
        real(self, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", save)
    encode_avif(Image.new("RGB", (LARGE_PIXELS // 1000 + 1, 1000)), 30)
    encode_avif(Image.new("RGB", (16, 16)), 30)
    assert depths == [True, False]


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (3, 5), (17, 33)])
def test_odd_sizes_come_back_as_they_were(size: tuple[int, int]):
    made = encode_avif(photo(64, 40).resize(size), 90)
    assert images.decode(made).shape == (size[1], size[0], 3)


# What the model server reads


def test_the_server_decodes_what_another_decoder_shows():
    made = FORMATS["avif"].encode(photo(203, 151), quality=80)
    found = images.decode(made)
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(made)).convert("RGB")))
    alike = likeness(encoded(photo(203, 151), "PNG"), encoded(Image.fromarray(found), "PNG"))
    assert alike is not None
    assert alike.psnr_db is not None
    assert alike.psnr_db > 30


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_that_is_part_of_the_file_is_made(orientation: int):
    """Pillow writes an orientation as the boxes irot and imir, which every reader obeys."""
    corners = Image.new("RGB", (64, 32))
    corners.paste((255, 0, 0), (0, 0, 32, 16))
    data = avif(corners, quality=95, subsampling="4:4:4", exif=exif(orientation))
    upright = read_image(encoded(corners, "PNG", exif=exif(orientation)), "corners.png").pixels
    found = images.decode(data)
    assert found.shape[:2] == (upright.height, upright.width)
    assert np.abs(found.astype(int) - np.asarray(upright)).mean() < 4


def test_grey_is_read_and_a_colour_profile_is_left_alone():
    grey = images.decode(avif(photo(64, 48).convert("L")))
    assert np.array_equal(grey[..., 0], grey[..., 2])
    swapped = avif(plain(200, 30, 30), icc_profile=profile_with_red_and_blue_swapped())
    assert np.abs(images.decode(swapped).astype(int) - (200, 30, 30)).max() < 6


SMALL = avif(Image.new("RGB", (8, 8)))


def transparent() -> bytes:
    return avif(Image.new("RGBA", (20, 20), (9, 9, 9, 99)))


def animated() -> bytes:
    return avif(plain(9, 9, 9), save_all=True, append_images=[plain(200, 9, 9)])


def of_size(width_px: int, height_px: int) -> bytes:
    """An AVIF whose header says so."""
    data = bytearray(avif(plain(9, 9, 9)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width_px, height_px)
    return bytes(data)


REFUSED = {
    "transparent": (transparent, "with transparency or several frames: send a plain one"),
    "animated": (animated, "with transparency or several frames: send a plain one"),
    "cut in its header": (lambda: avif(photo(64, 40))[:200], "it is a truncated or damaged AVIF"),
    "cut in its pixels": (lambda: avif(photo(64, 40))[:-9], "it is a truncated or damaged AVIF"),
    "only a name": (lambda: b"\0\0\0\x1cftypavif" + bytes(16), "it is a truncated or damaged AVIF"),
    "general brand": (lambda: b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "it is a truncated or damaged AVIF"),
    "huge": (lambda: of_size(13_000, 8_000), f"over the limit of {PIXEL_LIMIT // 1_000_000} megapixels"),
    "a bomb": (lambda: of_size(16_000, 16_000), f"over the limit of {PIXEL_LIMIT // 1_000_000} megapixels"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is not a JPEG, PNG, GIF, BMP, WebP or AVIF"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_server_does_not_take_is_refused_with_a_sentence(kind: str):
    make, words = REFUSED[kind]
    with pytest.raises(ImageRefused, match=words) as refused:
        images.decode(make())
    assert "0x" not in str(refused.value)


def test_a_pillow_without_avif_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with pytest.raises(ImageRefused, match="Pillow, was built without AVIF"):
        images.decode(SMALL)


def test_no_byte_of_garbage_gets_more_than_a_refusal():
    """Every twentieth byte changed in turn; Pillow raises four kinds of errors for these."""
    data = encode_avif(photo(48, 32), 60)
    for at in range(0, len(data), 20):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        try:
            assert images.decode(bytes(broken)).dtype == np.uint8
        except ImageRefused as refusal:
            assert "0x" not in str(refusal)


def test_a_server_answers_an_avif_over_rest_and_refuses_a_cut_one(reader: ServingProcess):
    for rgb, colour in (((250, 20, 20), "red"), ((20, 20, 250), "blue")):
        answer = asked_over_rest(reader, encode_avif(plain(*rgb), 65))
        assert answer.json()["predictions"][0]["classes"][0] == colour
    refused = asked_over_rest(reader, encode_avif(plain(9, 9, 9), 65)[:-5])
    assert refused.status_code == 400
    assert "images[0] can't be decoded: it is a truncated or damaged AVIF" in refused.json()["error"]


# Runs


def test_the_command_line_measures_avif_and_sends_none_to_a_server_that_does_not_read_it(
    reader: ServingProcess, stock: ServingProcess, tmp_path: Path
):
    out = tmp_path / "out.json"
    quick = ["--sizes", "64,32", "--repeats", "6", "--warmups", "1", "--json", str(out)]
    formats = ["--formats", "jpeg,webp,avif", "--avif-qualities", "65,30"]
    done = ran(
        "-m", "experiment", str(CAT), *quick, *formats, "--servers", both(reader, stock), MODEL_NAME=MODEL
    )
    assert done.returncode == 1, done.stderr  # some cells have no answer
    report = json.loads(out.read_text())
    assert report["plan"]["avif_qualities"] == [65, 30]
    reads = {each["name"]: each["reads"] for each in report["backends"]}
    assert ("image/avif" in reads["Reads"], "image/avif" in reads["Stock"]) == (True, False)
    failed = cells_left_out(report)
    assert failed == {("Stock", f"{size}-avif-{quality}") for size in (64, 32) for quality in (65, 30)}
    cells = {(each["backend_name"], each["variant_id"]): each for each in report["cells"]}
    assert {each["count"] for key, each in cells.items() if key not in failed} == {6}
    (reason, *_) = cells["Stock", "64-avif-30"]["failure_reasons"]
    assert (reason["code"], reason["message"]) == ("not_sent", "Not sent: Stock can't read AVIF.")


def test_an_avif_variant_is_downloaded_as_such(reader: ServingProcess, tmp_path: Path):
    with running_app(tmp_path, TF_SERVERS=f"Reads:{reader.grpc_address}", MODEL_NAME=MODEL) as app:
        plan = {"sizes_px": [64], "formats": ["avif"], "repeats": 3}
        run_id = app.post_run(CAT.read_bytes(), json.dumps(plan)).json()["id"]
        report = app.finished(run_id)
        assert report["requests"]["failed"] == 0
        answer = requests.get(f"{app.url}/api/runs/{run_id}/variants/64-avif-65", timeout=30)
        assert answer.headers["content-type"] == "image/avif"
        source = read_image(CAT.read_bytes(), "cat.png")
        (again,) = make_variants(source, Plan(sizes_px=(64,), formats=("avif",)))[1:]
        assert answer.content == again.data
        html = requests.get(f"{app.url}/api/runs/{run_id}.html", timeout=30).text
        assert "64 px AVIF" in html


@pytest.fixture
def app_without_avif(reader: ServingProcess, tmp_path: Path) -> Iterator[App]:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_AVIF)
    servers = f"Reads:{reader.grpc_address}"
    with running_app(
        tmp_path / "data", TF_SERVERS=servers, MODEL_NAME=MODEL, PYTHONPATH=str(tmp_path)
    ) as app:
        yield app


@pytest.mark.browser
def test_where_pillow_lacks_avif_the_page_the_api_and_the_command_line_say_so(
    app_without_avif: App, browser, tmp_path: Path
):
    words = "This server can't write AVIF: its image library, Pillow, was built without AVIF."
    app = app_without_avif
    refused = app.post_run(CAT.read_bytes(), json.dumps({"sizes_px": [64], "formats": ["png", "avif"]}))
    assert (refused.status_code, words in refused.text) == (422, True)
    whole = app.post_run(CAT.read_bytes(), json.dumps({"sizes_px": [64], "formats": ["png"], "repeats": 3}))
    assert app.finished(whole.json()["id"])["state"] == "done"
    with visiting(browser, app.url) as visit:
        page = visit.open("/?fmt=jpeg,avif")
        box = page.locator("#formats").get_by_label("AVIF", exact=True)
        assert (box.is_disabled(), box.is_checked()) == (True, False)
        assert words in page.locator("#formats-hint").inner_text()
    asked = ("--formats", "avif", "--servers", "A:127.0.0.1:9")
    done = ran("-m", "experiment", str(CAT), *asked, PYTHONPATH=str(tmp_path))
    assert (done.returncode, words in done.stderr) == (2, True)


@pytest.mark.browser
def test_avif_is_ticked_run_and_shown_on_the_page(
    reader: ServingProcess, stock: ServingProcess, browser, tmp_path: Path
):
    with (
        running_app(tmp_path, TF_SERVERS=both(reader, stock), MODEL_NAME=MODEL) as app,
        visiting(browser, app.url) as visit,
    ):
        page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&repeat=6")
        page.locator("#photo-image[src]").wait_for()
        visit.open_plan()
        assert not page.get_by_role("group", name="AVIF quality").is_visible()
        page.locator("#formats").get_by_label("AVIF", exact=True).check()
        assert page.get_by_role("group", name="AVIF quality").is_visible()
        page.get_by_text("Stock can't read AVIF: those variants will not be sent there.").wait_for()
        page.get_by_label("Another AVIF quality").fill("30")
        page.keyboard.press("Enter")
        page.click("#run-plan")
        assert visit.wait_end() == "done"
        assert page.locator("#row-64-avif-30").get_by_text("AVIF q30", exact=True).is_visible()
        page.locator("#row-64-avif-30 .row-button").click()
        page.get_by_role("dialog", name="64 px AVIF q30").wait_for()
        visit.wait_until(
            "[...document.querySelectorAll('#drawer img')].every(image => image.naturalWidth > 0)"
        )
        widths = page.locator("#drawer img").evaluate_all("all => all.map(each => each.naturalWidth)")
        assert 64 in widths
        failed = cells_left_out(app.report(visit.run_id()))
        assert failed == {("Stock", f"{size}-avif-{quality}") for size in (64, 32) for quality in (65, 30)}


def test_a_photo_that_only_the_browser_reads_is_sent_as_it_decodes_it_with_a_note_of_that(
    app_without_avif: App, browser
):
    """AVIF where the server's Pillow lacks it; a TIFF is read by neither."""
    app, picture_ = app_without_avif, photo(120, 90)
    assert "avif" not in requests.get(f"{app.url}/api/config", timeout=30).json()["photo_formats"]
    with visiting(browser, app.url) as visit:
        page = visit.open("/?sizes=64&fmt=jpeg&repeat=3")
        made = {"name": "cat.avif", "mimeType": "image/avif", "buffer": avif(picture_, quality=95)}
        page.set_input_files("#file", made)
        page.get_by_text("decoded by your browser: this lossless PNG is sent").wait_for()
        page.click("#run")
        assert visit.wait_end() == "done"
        source = app.report(visit.run_id())["source"]
        assert (source["name"], source["media_type"]) == ("cat (decoded here).png", "image/png")
        assert (source["width_px"], source["height_px"]) == (120, 90)
        cut = {**made, "name": "cut.avif", "buffer": avif(picture_)[:150]}
        page.set_input_files("#file", cut)
        page.get_by_text("cut.avif is an AVIF file.").wait_for()
        page.get_by_text("Neither this server nor this browser reads it. Use JPEG, PNG").wait_for()
