"""What is sent: images from files, distinct copies of them, and numbers."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from experiment.backends.model_spec import InputSpec
from experiment.errors import ImageRefused
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.payloads.distinct import distinct_copy
from loadtest.payloads.files import read_images
from loadtest.payloads.numbers import numbers_payload

GRPC = BackendInfo("GPU", address="tf-gpu:8500", model="mnist")
REST = BackendInfo("GPU", "rest", address="tf-gpu:8501", model="mnist")
ROWS = InputSpec("serving_default", "x", "DT_FLOAT", (None, 784))


def picture(kind: str) -> bytes:
    made = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(made, kind)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_distinct_copies_differ_in_their_bytes_and_decode_to_the_same_pixels(kind):
    image = picture(kind)
    copies = [distinct_copy(image, number) for number in range(50)]
    assert len(set(copies) | {image}) == 51 and len({len(copy) for copy in copies}) == 1
    original = Image.open(io.BytesIO(image)).convert("RGB").tobytes()
    for copy in copies[::10]:
        found = Image.open(io.BytesIO(copy))
        assert found.format == kind and found.convert("RGB").tobytes() == original


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_distinct_copy_is_a_whole_file_by_our_own_strict_reading(tmp_path, kind):
    (tmp_path / "copy").write_bytes(distinct_copy(picture(kind), 1))
    assert read_images([tmp_path / "copy"])[0].data == picture(kind)  # the mark is metadata


def test_images_come_from_files_folders_and_zip_files(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(picture("JPEG"))
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.png").write_bytes(picture("PNG"))
    (folder / "sub" / "a.jpg").write_bytes(picture("JPEG"))
    (folder / "labels.csv").write_text("file,label\n")
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.writestr("report.json", "{}")
        archive.writestr("512-jpeg-85.jpg", picture("JPEG"))
        archive.writestr("64-png.png", picture("PNG"))
    paths = [tmp_path / "cat.jpg", folder, tmp_path / "run.zip"]
    names = [image.name for image in read_images(paths)]
    assert names == ["cat.jpg", "b.png", "a.jpg", "512-jpeg-85.jpg", "64-png.png"]
    (found,) = read_images([tmp_path / "run.zip"], "512-jpeg-85")
    assert found.data == picture("JPEG")


def test_metadata_of_a_photo_is_not_sent_and_a_damaged_one_of_a_folder_is_left_out(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    for name in ("alone.jpg", "folder/one.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(tmp_path / name, exif=exif)
    (tmp_path / "folder" / "cut.png").write_bytes(picture("PNG")[:-20])
    for path in (tmp_path / "alone.jpg", tmp_path / "folder"):
        (image,) = read_images([path])
        assert b"at home" in (tmp_path / "alone.jpg").read_bytes() and b"at home" not in image.data
        assert Image.open(io.BytesIO(image.data)).size == (40, 30)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.jpg", None, "can't be read: No such file"),
        ("text.jpg", b"not an image", ""),
        ("cut.jpg", picture("JPEG")[:-200], ""),
        ("empty.jpg", b"", ""),
        ("empty.zip", b"PK\x05\x06" + bytes(18), "There is no image in"),
    ],
)
def test_a_file_that_is_no_image_is_refused_with_a_sentence(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((LoadRefused, ImageRefused)) as refused:
        read_images([path])
    assert words in refused.value.message and refused.value.message.endswith(".")


def test_a_variant_that_is_not_there_and_a_broken_zip_file_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "run.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("64-png.png", picture("PNG") * 50)
    with pytest.raises(LoadRefused, match="no image called 512-jpeg-85 in"):
        read_images([tmp_path / "run.zip"], "512-jpeg-85")
    broken = bytearray((tmp_path / "run.zip").read_bytes())
    broken[60:80] = bytes(20)
    (tmp_path / "run.zip").write_bytes(broken)
    with pytest.raises(LoadRefused, match="can't be unpacked"):
        read_images([tmp_path / "run.zip"])


def test_numbers_have_the_shape_and_type_that_the_model_names_over_grpc():
    payload = numbers_payload(GRPC, ROWS, batch=4, distinct=3, seed=1)
    assert (payload.kind, payload.batch, len(set(payload.bodies))) == ("numbers", 4, 3)
    request = predict_pb2.PredictRequest.FromString(payload.bodies[0])
    assert (request.model_spec.name, request.model_spec.signature_name) == ("mnist", "serving_default")
    tensor = request.inputs["x"]
    assert [dim.size for dim in tensor.tensor_shape.dim] == [4, 784]
    values = np.frombuffer(tensor.tensor_content, "<f4")
    assert values.size == 4 * 784 and 0 <= values.min() < 0.1 and 0.9 < values.max() < 1


def test_numbers_are_lists_over_rest():
    payload = numbers_payload(REST, ROWS, batch=2, distinct=1, seed=1)
    sent = json.loads(payload.bodies[0])
    assert sent["signature_name"] == "serving_default"
    assert np.array(sent["instances"]).shape == (2, 784)


def test_the_same_seed_gives_the_same_numbers():
    one, same, other = (numbers_payload(GRPC, ROWS, 1, 2, seed).bodies for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("DT_UINT8", 0, 255), ("DT_INT64", 0, 1), ("DT_BOOL", 0, 1)]
)
def test_whole_numbers_are_within_what_such_models_take(dtype, low, high):
    spec = InputSpec("s", "x", dtype, (None, 5000))
    values = np.array(json.loads(numbers_payload(REST, spec, 1, 1, 1).bodies[0])["instances"])
    assert (values.min(), values.max()) == (low, high)


def test_an_open_shape_is_taken_from_the_command_line():
    spec = InputSpec("s", "x", "DT_FLOAT", (None, None, 3))
    sent = json.loads(numbers_payload(REST, spec, 2, 1, 1, shape=(7, 3)).bodies[0])
    assert np.array(sent["instances"]).shape == (2, 7, 3)
    anything = InputSpec("s", "x", "DT_FLOAT", None)
    assert np.array(
        json.loads(numbers_payload(REST, anything, 2, 1, 1, (5,)).bodies[0])["instances"]
    ).shape == (2, 5)


@pytest.mark.parametrize(
    ("spec", "batch", "shape", "words"),
    [
        (
            InputSpec("s", "x", "DT_FLOAT", (None, None, 3)),
            1,
            None,
            "takes rows of n x 3. Name one with --shape",
        ),
        (InputSpec("s", "x", "DT_FLOAT", (None, 784)), 1, (28, 28), "takes rows of 784."),
        (InputSpec("s", "x", "DT_FLOAT", None), 1, None, "takes rows of any shape."),
        (
            InputSpec("s", "x", "DT_FLOAT", (32, 784)),
            4,
            None,
            "takes 32 rows in each request. Choose --batch 32.",
        ),
        (
            InputSpec("s", "x", "DT_COMPLEX64", (None, 2)),
            1,
            None,
            "takes DT_COMPLEX64, which can't be made here.",
        ),
        (InputSpec("s", "x", "DT_FLOAT", (None, 10_000)), 4096, None, "Choose a smaller --batch."),
    ],
)
def test_numbers_that_the_model_can_not_take_are_refused_with_what_to_choose(spec, batch, shape, words):
    with pytest.raises(LoadRefused) as refused:
        numbers_payload(GRPC, spec, batch, 1, 1, shape)
    assert words in refused.value.message
