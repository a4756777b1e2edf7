"""One request for a batch, and one outcome for each job, from real model servers."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from experiment.backends.model_spec import InputSpec
from experiment.images.header import read_header
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo
from jobs.infer.answerer import model_answerer
from jobs.infer.inputs import converted
from jobs.infer.photos import prepared
from jobs.infer.tensors import TYPES, to_array, to_proto
from jobs.records import Answered, ModelUnavailable, Outcome, Refused, Request, TryAgain
from tests.support.models.servables import servable
from tests.support.odd_photos import encoded, photo
from tests.support.photo_files.boxes import heic
from tests.support.processes.app_process import free_port
from tests.support.processes.model_server import model_list, model_server, one_model
from tests.support.processes.serving_process import picture
from tests.support.scripted_server import aborting, good_answer, grpc_server, hanging

DIGIT = np.zeros(784, np.float32)
DIGIT[3 * 78 : 4 * 78] = 1


def photos(*data: bytes) -> list[Request]:
    return [Request(image=each) for each in data]


def info(address: str, **more) -> BackendInfo:
    return BackendInfo("CPU", address=address, **more)


def outcomes(address: str, requests: list[Request], **options) -> list[Outcome]:
    answerer = model_answerer(info(address), options.pop("timeout_s", 30), **options)
    try:
        return answerer.answer(requests)
    finally:
        answerer.close()


@pytest.fixture(scope="module")
def numbers_server(tmp_path_factory) -> Iterator[str]:
    """digits as `inception`, so that no setting changes; others under their own names."""
    config = tmp_path_factory.mktemp("models") / "models.config"
    names = {"inception": "digits", "sums": "no_inputs"}
    config.write_text(model_list(*(one_model(name, servable(of)) for name, of in names.items())))
    with model_server(f"--model_config_file={config}") as server:
        yield server.address


def test_photos_of_one_batch_each_get_their_own_answer(default_server):
    dark, light = picture(), picture("JPEG", (200, 100))
    together = outcomes(default_server.grpc_address, photos(dark, light, dark))
    (alone,) = outcomes(default_server.grpc_address, photos(light))
    assert together[1].result["top"][0]["label"] == alone.result["top"][0]["label"]
    assert np.allclose(together[1].array, alone.array, atol=1e-3)
    assert np.allclose(together[0].array, together[2].array, atol=1e-4)
    assert not np.allclose(together[0].array, together[1].array, atol=1e-3)
    assert [len(each.result["top"]) for each in together] == [5, 5, 5]
    assert (alone.result["model"], alone.result["model_version"]) == ("inception", 1)
    assert {"service", "inference"} <= set(alone.stages_ms)
    assert alone.array.sum() == pytest.approx(1, abs=0.01)


def test_with_top_n_old_clients_get_class_numbers_and_scores_best_first(default_server):
    (whole,) = outcomes(default_server.grpc_address, photos(picture()))
    (best,) = outcomes(default_server.grpc_address, photos(picture()), top_n=3)
    order = np.argsort(-whole.array, kind="stable")[:3]
    assert best.array.shape == (3, 2)
    assert best.array[:, 0].astype(int).tolist() == order.tolist()
    assert best.array[:, 1].tolist() == whole.array[order].tolist()


def test_one_bad_photo_costs_only_itself(default_server):
    damaged = picture("JPEG")[:100]
    first, bad, last = outcomes(default_server.grpc_address, photos(picture(), damaged, picture("GIF")))
    assert isinstance(first, Answered) and isinstance(last, Answered)
    assert isinstance(bad, Refused)


def test_a_batch_is_one_request_and_only_a_refused_one_is_asked_one_by_one():
    asked: list[int] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        images = predict_pb2.PredictRequest.FromString(request).inputs["images"]
        asked.append(images.tensor_shape.dim[0].size)
        if len(images.string_val) > 2 or b"IEND" not in images.string_val[0]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad image")
        return batch_of(len(images.string_val))

    with grpc_server(answer) as address:
        assert all(isinstance(each, Answered) for each in outcomes(address, photos(picture(), picture())))
        assert asked == [2]
        found = outcomes(address, photos(picture(), picture("BMP"), picture()))
    assert asked == [2, 3, 1, 1, 1]
    assert [type(each) for each in found] == [Answered, Refused, Answered]
    assert found[1] == Refused("bad_request", "CPU refused 1 photo (9.3 KB): bad image")


def batch_of(count: int) -> bytes:
    """A good answer to a batch."""
    one = predict_pb2.PredictResponse.FromString(good_answer())
    for output in one.outputs.values():
        width = len(output.string_val) or len(output.float_val)
        for side in (count, width):
            output.tensor_shape.dim.add().size = side
        output.string_val.extend(list(output.string_val) * (count - 1))
        output.float_val.extend(list(output.float_val) * (count - 1))
    return one.SerializeToString()


def test_a_webp_becomes_a_png_unless_the_server_reads_it_and_a_tiff_is_refused():
    seen: list[bytes] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.extend(predict_pb2.PredictRequest.FromString(request).inputs["images"].string_val)
        return batch_of(1)

    webp = picture("WEBP")
    with grpc_server(answer) as address:
        outcomes(address, photos(webp))
        reads = model_answerer(info(address, reads=("image/webp",)), 10)
        reads.answer(photos(webp))
        (refused,) = outcomes(address, photos(picture("TIFF")))
        outcomes(address, photos(picture("JPEG")), image_size_px=(24, 80))
    assert (read_header(seen[0], "").media_type, seen[1]) == ("image/png", webp)
    assert refused.code == "format_not_allowed" and "TIFF" in refused.reason
    resized = read_header(seen[2], "")
    assert (resized.height_px, resized.width_px) == (24, 80), "height and width are not swapped"


@pytest.mark.parametrize("is_lossless", [False, True])
def test_a_webp_with_transparency_or_an_animation_is_sent_as_a_png_to_every_server(is_lossless):
    opaque = Image.new("RGB", (40, 30), (200, 60, 20))
    made = {
        "opaque": _webp(opaque, lossless=is_lossless),
        "transparent": _webp(Image.new("RGBA", (40, 30), (200, 60, 20, 90)), lossless=is_lossless),
        "animated": _webp(
            opaque, lossless=is_lossless, save_all=True, append_images=[opaque.rotate(90)], duration=40
        ),
    }
    sent = {kind: read_header(prepared(data, ("image/webp",)), "").media_type for kind, data in made.items()}
    assert sent == {"opaque": "image/webp", "transparent": "image/png", "animated": "image/png"}


def test_an_avif_is_sent_as_it_is_to_a_server_that_reads_it_and_like_a_heic_as_a_png_to_others():
    made = {"image/avif": encoded(photo(), "AVIF"), "image/heic": heic(photo())}
    for reads, expected in (
        (None, "image/png image/png"),
        (("image/webp",), "image/png image/png"),
        (("image/avif",), "image/avif image/png"),
    ):
        sent = [read_header(prepared(data, reads), "").media_type for data in made.values()]
        assert " ".join(sent) == expected


def _webp(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, ModelUnavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ModelUnavailable),
        (grpc.StatusCode.NOT_FOUND, ModelUnavailable),
        (grpc.StatusCode.FAILED_PRECONDITION, ModelUnavailable),
        (grpc.StatusCode.INTERNAL, TryAgain),
        (grpc.StatusCode.INVALID_ARGUMENT, Refused),
    ],
)
def test_what_a_failure_means_for_a_job(status, kind):
    with grpc_server(aborting(status, "no")) as address:
        if kind is ModelUnavailable:
            with pytest.raises(ModelUnavailable):
                outcomes(address, photos(picture()))
        else:
            assert [type(each) for each in outcomes(address, photos(picture(), picture()))] == [kind, kind]


def test_an_answer_that_makes_no_sense_is_refused_with_the_reason():
    logits = good_answer(("tabby", "fox"), (7.0, 3.0))
    with grpc_server(lambda request, context: logits) as address:
        (refused,) = outcomes(address, photos(picture()))
    assert refused.code == "bad_answer" and "2" in refused.reason


def test_a_late_answer_is_tried_again_and_an_absent_server_is_waited_for():
    with grpc_server(hanging(20)) as address:
        answerer = model_answerer(info(address), 30)
        answerer._connect()
        answerer._timeout_s = 0.1
        (late,) = answerer.answer(photos(picture()))
    assert isinstance(late, TryAgain) and late.code == "deadline"
    with pytest.raises(ModelUnavailable, match="No answer from CPU"):
        outcomes(f"127.0.0.1:{free_port()}", photos(picture()), timeout_s=1)


DYING = """
import os, sys
from tests.support.scripted_server import grpc_server
with grpc_server(lambda request, context: os._exit(1)) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def test_a_server_that_dies_of_a_request_counts_as_a_try():
    """Else a photo that kills the model server would be sent to it for ever."""
    command = [sys.executable, "-c", DYING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().strip()
        answerer = model_answerer(info(address), 20)
        (outcome,) = answerer.answer(photos(picture()))
        assert isinstance(outcome, TryAgain) and outcome.code == "connection_lost"
        server.wait(30)  # while it ends, its port may still take connections
        with pytest.raises(ModelUnavailable):
            answerer.answer(photos(picture()))


def test_arrays_of_a_model_of_numbers_get_its_outputs_whatever_they_are_called(numbers_server):
    wanted = int(np.argmax(DIGIT.reshape(-1)[:780].reshape(10, 78).sum(1)))
    named, other, doubles = outcomes(
        numbers_server,
        [
            Request(tensors={"images": DIGIT}),
            Request(tensors={"t": DIGIT}),
            Request(tensors={"t": DIGIT.astype(np.float64)}),
        ],
    )
    for answered in (named, other, doubles):
        assert answered.result["outputs"]["classes"] == wanted == 3
        assert answered.array[0] == 3 and answered.array[1].shape == (10,), "classes, then scores"
    (best,) = outcomes(numbers_server, [Request(tensors={"t": DIGIT})], top_n=2)
    assert best.array.shape == (2, 2) and best.array[0, 0] == 3
    batch = Request(tensors={"t": np.stack([DIGIT, 0 * DIGIT])})
    (both,) = outcomes(numbers_server, [batch], already_batched=True)
    assert both.result["outputs"]["classes"] == [3, 0]


def test_what_does_not_fit_the_model_is_refused_with_what_it_takes(numbers_server):
    requests = [
        Request(tensors={"t": np.zeros((3, 4), np.float32)}),
        Request(image=picture()),
        Request(tensors={"t": np.array(["hello"], object)}),
        Request(tensors={"a": DIGIT, "b": DIGIT}),
        Request(tensors={"t": DIGIT}),
    ]
    *refused, answered = outcomes(numbers_server, requests)
    assert isinstance(answered, Answered)
    assert [(each.code, each.reason) for each in refused] == [
        ("bad_input", "The input images takes 784 numbers (float); the job has an array of shape 3 x 4."),
        ("bad_input", "This model takes 784 numbers (float); the job has an image."),
        ("bad_input", "The input images takes 784 numbers (float); the job has text or an image."),
        ("bad_input", "The model's inputs are images; the job has a, b."),
    ]


def test_a_signature_with_several_inputs_is_found_by_their_names(numbers_server):
    answerer = model_answerer(info(numbers_server, model="sums"), 10)
    tensors = {"a": np.float32(2) * np.ones(()), "b": np.array(3.0)}
    (answered,) = answerer.answer([Request(tensors=tensors)])
    assert answered.result["outputs"]["sum"] == 5


def test_numbers_are_converted_only_if_none_of_them_changes():
    pixels = InputSpec("s", "pixels", "DT_UINT8", (None, 2))
    assert converted(pixels, np.array([0, 255.0], np.float32)).dtype == np.uint8
    for values in ([0, 256], [0.5, 1], [-1, 0], [np.nan, 0]):
        with pytest.raises(ValueError, match="takes whole numbers"):
            converted(pixels, np.array(values))


def test_a_text_alone_reaches_a_model_of_texts_as_the_old_clients_send_it():
    texts = InputSpec("s", "images", "DT_STRING", (None,))
    assert converted(texts, np.array(["hello"], object)).shape == ()
    with pytest.raises(ValueError, match="takes texts of shape"):
        converted(texts, np.array(["hello", "there"], object))


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_tensor_survives_the_way_there_and_back(name):
    values = [b"a", b""] if name == "DT_STRING" else [0, 1]
    array = np.array([values, values], TYPES[name].dtype)
    assert to_array(to_proto(array)).tolist() == array.tolist()
    one_by_one = to_proto(array)
    one_by_one.ClearField("tensor_content")
    one_by_one.ClearField("string_val")
    getattr(one_by_one, TYPES[name].field).append(values[0])
    assert to_array(one_by_one).tolist() == [[values[0]] * 2] * 2, "repetitions may be left out"
