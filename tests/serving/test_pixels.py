"""Decoding and resizing outside the graph, level for level against real TensorFlow."""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import serving  # noqa: F401  # isort: skip  # first: it keeps TensorFlow's Python out of this process
from serving import images
from serving.errors import InvalidArgument, LoadFailed
from serving.images import ImageRefused
from serving.images.pixels import Pixels
from serving.images.resize import resize
from serving.images.signatures import with_image_signatures
from serving.runtimes.base import About
from serving.values.signatures import Signature, TensorSpec
from tests.support.broken_files import bombs, broken_files, cut_files
from tests.support.models.tensorflow_pixels import ask
from tests.support.odd_photos import animation, encoded, odd_photos, photo, png

FLOAT, STRING = 1, 7
CAT = Path(__file__).resolve().parents[2] / "static" / "samples" / "cat.png"


def without_marker(jpeg: bytes, marker: bytes) -> bytes:
    at = jpeg.index(marker)
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]


def with_segment(jpeg: bytes, body: bytes, marker: int = 0xE1) -> bytes:
    """An APP1, or another one, as the first segment."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def inks() -> list[tuple[str, bytes]]:
    """Four colours, with the name Adobe in and out of its own segment."""
    adobe = encoded(photo(203, 151).convert("CMYK"), "JPEG")
    plain = without_marker(adobe, b"\xff\xee")
    exif = Image.Exif()
    exif[0x0131] = "Adobe Photoshop 25.0"
    thumbnail = b"Exif\0\0" + encoded(photo(16, 16), "JPEG")
    cut = b"Adobe\0\x64\0\0"  # libjpeg wants 12 bytes
    return [
        ("inks.jpg", adobe),
        ("inks-without-adobe.jpg", plain),
        ("inks-adobe-in-exif.jpg", with_segment(plain, exif.tobytes())),
        ("inks-adobe-behind-a-thumbnail.jpg", with_segment(adobe, thumbnail)),
        ("inks-adobe-in-a-thumbnail.jpg", with_segment(plain, b"Exif\0\0" + adobe[:2000])),
        ("inks-adobe-too-short.jpg", with_segment(plain, cut, 0xEE)),
        ("inks-adobe-with-filling.jpg", adobe[:2] + b"\xff" * 3 + adobe[2:]),
    ]


def more_photos() -> list[tuple[str, bytes]]:
    large = photo(203, 151)
    files = [(f"{way}.jpg", encoded(large, "JPEG", subsampling=way)) for way in ("4:4:4", "4:2:2", "4:2:0")]
    return [
        *files,
        ("cat.png", CAT.read_bytes()),
        ("large-progressive.jpg", encoded(large, "JPEG", progressive=True, quality=60)),
        ("stored-as-rgb.jpg", encoded(large, "JPEG", keep_rgb=True)),
        *inks(),
        ("interlaced.png", INTERLACED),
        ("second-frame-larger.gif", SECOND_FRAME_LARGER),
        ("top-down.bmp", TOP_DOWN),
    ]


def interlaced_png() -> bytes:
    """Pillow writes none, so: 5 x 3 px, each pass filled with another grey."""
    passes = ((1, 1, 10), (1, 1, 60), (2, 1, 110), (2, 2, 160), (5, 1, 210))  # 5 x 3 px leaves out two
    rows = b"".join((b"\0" + bytes([grey] * width)) * height for width, height, grey in passes)
    data = png(5, 3, 8, 0, zlib.compress(rows))
    header = data[12:28] + b"\1"
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def top_down_bmp() -> bytes:
    data = bytearray(encoded(photo(), "BMP"))
    data[22:26] = struct.pack("<i", -32)
    return bytes(data)


def growing_gif() -> bytes:
    """The second frame is 6 px wider and higher than the first, which is put at (2, 1)."""
    data = bytearray(animation("GIF", 1))
    first = data.index(b"\x2c\0\0\0\0")
    data[first + 1 : first + 5] = struct.pack("<HH", 2, 1)
    wide = encoded(photo(30, 22), "GIF")
    frame = wide[wide.index(b"\x2c\0\0\0\0") : -1]
    return bytes(data[:-1]) + frame + b"\x3b"


INTERLACED, TOP_DOWN, SECOND_FRAME_LARGER = interlaced_png(), top_down_bmp(), growing_gif()
GOOD = [(name, data) for name, data, _ in odd_photos() if name != "flat.png"] + more_photos()
BAD = [(f"{name}, {why}", data) for name, data, why in cut_files() if name.startswith("cut.")] + [
    (f"{kind} without its last {count} bytes", encoded(photo(203, 151), kind)[:-count])
    for kind in ("JPEG", "PNG", "BMP")
    for count in (1, 2, 9, 4000)
]
SIZES_PX = ((340, 512), (80, 100), (5, 7), (1, 1), (300, 40))
RESIZES = [
    (size_px, side_px, method, antialias)
    for size_px, side_px in itertools.product(SIZES_PX, ((192, 192), (299, 6)))
    for method, antialias in (("bilinear", True), ("bilinear", False), ("bicubic", True), ("area", False))
]


def levels(size_px: tuple[int, int]) -> np.ndarray:
    return np.asarray(photo(size_px[1], size_px[0]))


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory) -> dict:
    """TensorFlow's answers by question."""
    decoded = [("decode", data) for _, data in GOOD + BAD]
    resized = [("resize", levels(size_px), *rest) for size_px, *rest in RESIZES]
    answers = ask(tmp_path_factory.mktemp("tensorflow"), decoded + resized)
    keys = [data for _, data in GOOD + BAD] + RESIZES
    return dict(zip(keys, answers, strict=True))


def decoded(data: bytes) -> np.ndarray | str:
    try:
        return images.decode(data)
    except ImageRefused as problem:
        return str(problem)


@pytest.mark.parametrize(("name", "data"), GOOD, ids=lambda value: value if isinstance(value, str) else "")
def test_a_photo_is_decoded_to_the_levels_that_tensorflow_gives_or_refused_as_there(tensorflow, name, data):
    expected, found = tensorflow[data], decoded(data)
    if isinstance(expected, str):
        assert isinstance(found, str), f"TensorFlow: {expected}"
    else:
        assert not isinstance(found, str), found
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "data"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_a_truncated_file_is_refused_as_tensorflow_refuses_it(tensorflow, name, data):
    assert isinstance(tensorflow[data], str)
    with pytest.raises(ImageRefused):
        images.decode(data)


@pytest.mark.parametrize("case", RESIZES, ids=str)
def test_resizing_gives_the_levels_that_tensorflow_gives(tensorflow, case):
    size_px, *rest = case
    np.testing.assert_allclose(resize(levels(size_px), *rest), tensorflow[case], rtol=0, atol=0.01)


@pytest.mark.parametrize("name", ["header.png", "huge.webp", "huge.jpg", "huge.bmp"])
def test_a_header_that_asks_for_too_many_pixels_is_refused_before_anything_is_unpacked(name):
    data = next(data for each, data, _ in bombs() if each == name)
    with pytest.raises(ImageRefused, match="over the limit of 100 megapixels"):
        images.decode(data)


def test_a_webp_that_is_none_is_refused_in_words_of_our_own():
    with pytest.raises(ImageRefused, match=r"^it is a truncated or damaged WebP$"):
        images.decode(b"RIFF\x10\0\0\0AVI LIST")


def test_random_damage_is_decoded_or_refused_and_never_anything_else():
    kinds = {type(decoded(data)) for _, data, _ in itertools.islice(broken_files(7, 600), 120, None)}
    assert kinds == {np.ndarray, str}


# The card


def pixels(**changed) -> Pixels:
    return Pixels.from_card({"input": "x", "output": "y", "side_px": [2, 2]} | changed)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"side_px": [2]}, r"pixels.side_px is \[2\], not \[height, width\]"),
        ({"resize": "lanczos"}, "pixels.resize is 'lanczos', not bilinear or bicubic or area"),
        ({"std": 0}, "pixels.std is 0, not"),
        ({"mean": [1, 2]}, "pixels.mean"),
        ({"colour": "RGB"}, "pixels.colour is 'RGB', unknown; known are antialias"),
        ({"softmax": 1}, "pixels.softmax is 1, not true or false"),
        ({"dtype": "int32"}, "pixels.dtype is 'int32', not float32 or float16 or uint8 or int8"),
        ({"output_scale": 0}, "pixels.output_scale is 0, not a number above 0"),
        ({"output_zero_point": 0.5}, "pixels.output_zero_point is 0.5, not a whole number"),
    ],
)
def test_a_card_that_can_not_be_followed_names_the_key_and_its_value(section, message):
    with pytest.raises(LoadFailed, match=message):
        pixels(**section)


def test_a_card_without_its_input_says_so():
    with pytest.raises(LoadFailed, match=r"pixels\.input is missing"):
        Pixels.from_card({"output": "y", "side_px": [2, 2]})


RED = encoded(Image.new("RGB", (4, 4), (200, 100, 50)), "PNG")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [[200, 100, 50]]),
        ({"scale": 0.5, "mean": 10, "std": 2}, [[45, 20, 7.5]]),
        ({"mean": [200, 99, 40], "std": [1, 1, 10]}, [[0, 1, 1]]),
        ({"channels": "BGR"}, [[50, 100, 200]]),
        ({"dtype": "uint8"}, [[200, 100, 50]]),
        ({"dtype": "uint8", "scale": 2}, [[255, 200, 100]]),
        ({"dtype": "int8", "mean": 128}, [[72, -28, -78]]),
        ({"dtype": "float16"}, [[200, 100, 50]]),
    ],
)
def test_pixels_are_normalised_and_ordered_as_the_card_says(changed, expected):
    found = pixels(**changed).of(RED)
    assert found.dtype == changed.get("dtype", "float32")
    np.testing.assert_allclose(found.reshape(-1, 3), expected * 4, rtol=1e-6)


def test_channels_may_come_first():
    assert pixels(layout="NCHW").of(RED)[:, 0, 0].tolist() == [200, 100, 50]


def test_a_central_crop_keeps_the_middle():
    image = Image.new("RGB", (16, 16), "white")
    image.paste((0, 0, 0), (1, 1, 15, 15))  # the border that is cut off stays white
    assert pixels(fit="central_crop").of(encoded(image, "PNG")).max() == 0


@pytest.mark.parametrize("fit", ["central_crop", "central_square"])
@pytest.mark.parametrize("crop_fraction", [1, 1e-9, 5e-324])
@pytest.mark.parametrize("size_px", [(1, 1), (2, 2), (1, 5000), (5000, 1)])
def test_whatever_is_cropped_something_is_left(fit, crop_fraction, size_px):
    photo = encoded(Image.new("RGB", size_px, (77, 77, 77)), "PNG")
    found = pixels(fit=fit, crop_fraction=crop_fraction).of(photo)
    np.testing.assert_allclose(found, 77, rtol=1e-6)


# The signatures


PIXELS = TensorSpec(FLOAT, (None, 2, 2, 3))


@dataclass
class Mean:
    """A raw model of three classes: the mean level of each channel. Takes numbers, like every runtime."""

    spec: TensorSpec = PIXELS
    outputs: tuple[str, ...] = ("y",)
    about = About("Mean 1", "f32", "CPU")
    closed = False

    @property
    def signatures(self):
        outputs = {name: TensorSpec(FLOAT, (None, 3)) for name in self.outputs}
        return {"raw": Signature("raw", {"x": self.spec}, outputs)}

    def infer(self, signature_name, inputs):
        return {name: inputs["x"].mean(axis=(1, 2)) for name in self.outputs}

    def close(self):
        self.closed = True


def a_card(**section) -> dict:
    return {
        "labels": ["red", "green", "blue"],
        "pixels": {"input": "x", "output": "y", "side_px": [2, 2]} | section,
    }


def an_array(*values: bytes) -> np.ndarray:
    return np.array(values, object)


def test_images_become_classes_and_scores_best_first():
    model = with_image_signatures(Mean(), a_card())
    answer = model.infer("predict_images", {"images": an_array(RED, RED)})
    assert answer["classes"].tolist() == [[b"red", b"green", b"blue"]] * 2
    assert answer["scores"].tolist() == [[200, 100, 50]] * 2
    assert answer["scores"].dtype == np.float32


def test_decoding_and_classifying_one_after_the_other_gives_the_same():
    model = with_image_signatures(Mean(), a_card(softmax=True, scale=0.01))
    whole = model.infer("serving_default", {"images": an_array(RED)})
    parts = model.infer("classify_pixels", model.infer("decode_images", {"images": an_array(RED)}))
    assert whole["probabilities"].tolist() == parts["probabilities"].tolist()
    assert whole["probabilities"].sum() == pytest.approx(1)


def test_the_signatures_fit_into_each_other_so_that_the_stages_can_be_timed():
    found = with_image_signatures(Mean(), a_card()).signatures
    assert found["decode_images"].outputs == found["classify_pixels"].inputs
    for name in ("predict_images", "serving_default"):
        assert found[name].inputs == found["decode_images"].inputs
        assert found[name].outputs == found["classify_pixels"].outputs
        assert str(found[name].inputs["images"]) == "DT_STRING [?]"


def test_an_image_that_can_not_be_decoded_is_named_by_its_place():
    model = with_image_signatures(Mean(), a_card())
    with pytest.raises(InvalidArgument, match=r"images\[1\] can't be decoded: it is not a JPEG, PNG, GIF"):
        model.infer("predict_images", {"images": an_array(RED, b"cat")})


def test_integers_of_a_quantised_output_become_scores():
    model = with_image_signatures(Mean(), a_card(output_scale=0.5, output_zero_point=50))
    answer = model.infer("predict_images", {"images": an_array(RED)})
    assert answer["probabilities"].tolist() == [[75, 25, 0]]


def test_one_input_and_one_output_need_no_names():
    model = with_image_signatures(
        Mean(), a_card(input="serving_default_x:0", output="StatefulPartitionedCall:0")
    )
    assert model.infer("predict_images", {"images": an_array(RED)})["scores"].tolist() == [[200, 100, 50]]


def test_of_several_outputs_the_card_must_name_one():
    with pytest.raises(LoadFailed, match=r"names .* output 'z', but the model has raw: x -> y, y2"):
        with_image_signatures(Mean(outputs=("y", "y2")), a_card(output="z"))


def test_a_model_without_a_section_or_one_that_takes_bytes_stays_as_it_is():
    plain, takes_bytes = Mean(), Mean(TensorSpec(STRING, (None,)))
    assert with_image_signatures(plain, {"labels": []}) is plain
    assert with_image_signatures(takes_bytes, a_card()) is takes_bytes


def test_closing_closes_the_raw_model():
    raw = Mean()
    with_image_signatures(raw, a_card()).close()
    assert raw.closed


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (a_card(side_px=[3, 3]), r"makes float32 \[3, 3, 3\] of every image, but the input 'x' is DT_FLOAT"),
        (a_card(dtype="uint8"), "makes uint8"),
        (a_card() | {"labels": ["red"]}, "has 1 labels, but the model returns 3 scores"),
        ({"pixels": a_card()["pixels"]}, "no labels"),
    ],
)
def test_a_card_that_does_not_fit_the_model_is_refused(card, message):
    with pytest.raises(LoadFailed, match=message):
        with_image_signatures(Mean(), card)
